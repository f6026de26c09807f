// Every word of the page, in English and German.
export const TEXTS = {
  en: {
    a: "Without", b: "With", swipe: "Swipe", difference: "Difference",
    play: "Play", pause: "Pause", speed: "Speed", time: "Time of day", layer: "Streets show",
    none: "nothing", now: "now", whole: "whole period", period: "Values",
    search: "Search a street", noHit: "No street of that name", mine: "My street", tour: "Tour",
    results: "Results", layers: "Layers", theme: "Light or dark", help: "Help", language: "Deutsch", close: "Close",
    speaker: "Speaker’s text", next: "Next", previous: "Back", print: "Print", full: "Full screen",
    overview: "Whole city", north: "North up", menu: "Menu",
    buildings: "Buildings", trees: "Trees", nature: "Green and water", vehicles: "Vehicles",
    signals: "Signals", values: "Values of streets", shadows: "Shadows", labels: "Street names",
    drives: "drives", stands: "stands", larger: "drawn larger from afar",
    oneDay: (n) => (n > 1 ? `Vehicles: one of ${n} random days. Colours: means of all.` : "Vehicles and colours: one random day."),
    legendGap: "B minus A", less: "less", more: "more", thin: "thin: not clear beyond chance",
    within: (unit, time) => `${unit} in ${time}`, changeIn: (title) => `Change in ${title[1] && /[A-ZÀ-Þ₀-₉]/.test(title[1]) ? title : title[0].toLowerCase() + title.slice(1)}`,
    noVehicles: "Vehicles were not recorded.", lost: (n) => `Trips that find no way: ${n}. Their wait is not in these colours.`, m: "m", km: "km",
    building: "Building", height: "Height", assumed: "assumed", floor: "Floor area", use: "Use",
    uses: ["residential", "office", "retail", "industrial", "education", "health", "public", "other"],
    unnamed: "Street without a name", lane: "lane", lanes: "lanes", section: "This section", towards: (to) => `towards ${to}`, limit: "limit in the model", limitNote: "assumed where the map has none", whole_street: "The whole street",
    ways: ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"], length: "length",
    touched: "What is done here", closed: "closed", from: "from", until: "until", lasting: "all the time",
    clear: "clear", notClear: "not clear", toMine: "What changes on this street",
    mineTitle: "What changes on my street", mineChoose: "Type the name of your street.",
    mineNone: "No measure names this street.", mineAlone: "There is one run only, so nothing to compare.",
    noWebgl: "This device cannot draw the city in 3D (WebGL is missing). “What changes on my street” works.",
    vehiclesHour: "vehicles an hour", secondsEach: "s lost by each", kmh: "km/h",
    said: {
      vehicles: (r) => `Traffic: ${r.base} ${r.base === "1" ? "vehicle" : "vehicles"} an hour without, ${r.mean} with “${r.run}”.`,
      lost: (r) => `Lost time of a vehicle against a free drive (at the limit without): ${r.base} s without, ${r.mean} s with “${r.run}”.`,
      speed: (r) => `Speed: ${r.base} km/h without, ${r.mean} km/h with “${r.run}”.`,
      layer: (r, title) => `${title}: ${r.base}${r.unit} without, ${r.mean}${r.unit} with “${r.run}” (mean of its sections).`,
      none: "There are no numbers for this street.",
      up: (r) => `That is ${r.size}${r.unit} more (95 % interval ${r.low} to ${r.high}).`,
      down: (r) => `That is ${r.size}${r.unit} ${r.counted ? "fewer" : "less"} (95 % interval ${r.low} to ${r.high}).`,
      unclear: (r) => `Not clear: ${r.diff}${r.unit} (95 % interval ${r.low} to ${r.high}).`,
      one: "With one random day nothing can be said on chance.",
      same: "Nothing changes.",
      unknown: "Nobody drives here in the simulation.",
    },
    source: (n, years) => `A simulation; means of ${n} random ${years ? "course" : "day"}${n === 1 ? "" : "s"}${years ? ` of ${years} ${years === 1 ? "year" : "years"}` : ""}. Each interval is for this street alone and holds chance only, not the computation’s own error.`,
    unresolved: (run, what) => `With “${run}” not resolved: ${what}. Drivers have not learnt exactly enough: their learning alone moves it by more than a fifth of the difference, and changes on streets may come of that, too.`,
    resultsNone: "No key indicator differs.", resultsSame: (what) => `No difference: ${what}.`, interval: "95 % interval", verdict: "Verdict",
    waiting: "standing", driving: "under way", of: "of", keys: [
      ["Space", "play or pause", "time"], ["← →", "a minute back or on (with Shift: 10)", "time"],
      ["1 2 3 4", "without, with, swipe, difference", "compared"], ["Page ↑ ↓", "tour: back, next", "tour"],
      ["N", "speaker’s text", "tour"], ["/", "search", "names"], ["M", "my street", "my"], ["R", "results", "results"],
      ["V", "next layer of values", "layers"],
      ["W A S D", "move"], ["Q E", "turn"], ["+ −", "closer, further"], ["0", "whole city"],
      ["L", "Deutsch"], ["T", "light, dark"], ["F", "full screen"], ["Esc", "close"],
    ],
  },
  de: {
    a: "Ohne", b: "Mit", swipe: "Wischen", difference: "Unterschied",
    play: "Abspielen", pause: "Anhalten", speed: "Tempo", time: "Uhrzeit", layer: "Straßen zeigen",
    none: "nichts", now: "jetzt", whole: "ganzer Zeitraum", period: "Werte",
    search: "Straße suchen", noHit: "Keine Straße dieses Namens", mine: "Meine Straße", tour: "Rundgang",
    results: "Ergebnisse", layers: "Ebenen", theme: "Hell oder dunkel", help: "Hilfe", language: "English", close: "Schließen",
    speaker: "Sprechtext", next: "Weiter", previous: "Zurück", print: "Drucken", full: "Vollbild",
    overview: "Ganze Stadt", north: "Norden oben", menu: "Menü",
    buildings: "Gebäude", trees: "Bäume", nature: "Grün und Wasser", vehicles: "Fahrzeuge",
    signals: "Ampeln", values: "Werte der Straßen", shadows: "Schatten", labels: "Straßennamen",
    drives: "fährt", stands: "steht", larger: "von fern größer gezeichnet",
    oneDay: (n) => (n > 1 ? `Fahrzeuge: einer von ${n} zufälligen Tagen. Farben: Mittel aus allen.` : "Fahrzeuge und Farben: ein zufälliger Tag."),
    legendGap: "B minus A", less: "weniger", more: "mehr", thin: "dünn: nicht sicher vom Zufall zu trennen",
    within: (unit, time) => `${unit} in ${time}`, changeIn: (title) => `Änderung: ${title}`,
    noVehicles: "Fahrzeuge wurden nicht aufgezeichnet.", lost: (n) => `Fahrten ohne möglichen Weg: ${n}. Ihr Warten steckt nicht in diesen Farben.`, m: "m", km: "km",
    building: "Gebäude", height: "Höhe", assumed: "angenommen", floor: "Geschossfläche", use: "Nutzung",
    uses: ["Wohnen", "Büro", "Handel", "Gewerbe", "Bildung", "Gesundheit", "öffentlich", "andere"],
    unnamed: "Straße ohne Namen", lane: "Fahrstreifen", lanes: "Fahrstreifen", section: "Dieser Abschnitt", towards: (to) => `Richtung ${to}`, limit: "Tempolimit im Modell", limitNote: "angenommen, wo die Karte keines hat", whole_street: "Die ganze Straße",
    ways: ["Norden", "Nordosten", "Osten", "Südosten", "Süden", "Südwesten", "Westen", "Nordwesten"], length: "Länge",
    touched: "Was hier gemacht wird", closed: "gesperrt", from: "ab", until: "bis", lasting: "die ganze Zeit",
    clear: "deutlich", notClear: "nicht sicher", toMine: "Was sich in dieser Straße ändert",
    mineTitle: "Was ändert sich in meiner Straße?", mineChoose: "Geben Sie den Namen Ihrer Straße ein.",
    mineNone: "Keine Maßnahme nennt diese Straße.", mineAlone: "Es gibt nur einen Lauf, also nichts zu vergleichen.",
    noWebgl: "Dieses Gerät kann die Stadt nicht in 3D zeichnen (WebGL fehlt). „Meine Straße“ geht trotzdem.",
    vehiclesHour: "Fahrzeuge je Stunde", secondsEach: "s Verlust je Fahrzeug", kmh: "km/h",
    said: {
      vehicles: (r) => `Verkehr: ${r.base} ${r.base === "1" ? "Fahrzeug" : "Fahrzeuge"} je Stunde ohne, ${r.mean} mit „${r.run}“.`,
      lost: (r) => `Zeitverlust je Fahrzeug gegenüber freier Fahrt (mit dem Tempolimit ohne): ${r.base} s ohne, ${r.mean} s mit „${r.run}“.`,
      speed: (r) => `Geschwindigkeit: ${r.base} km/h ohne, ${r.mean} km/h mit „${r.run}“.`,
      layer: (r, title) => `${title}: ${r.base}${r.unit} ohne, ${r.mean}${r.unit} mit „${r.run}“ (Mittel der Abschnitte).`,
      none: "Zu dieser Straße gibt es keine Zahlen.",
      up: (r) => `Das sind ${r.size}${r.unit} mehr (95-%-Vertrauensbereich ${r.low} bis ${r.high}).`,
      down: (r) => `Das sind ${r.size}${r.unit} weniger (95-%-Vertrauensbereich ${r.low} bis ${r.high}).`,
      unclear: (r) => `Nicht sicher: ${r.diff}${r.unit} (95-%-Vertrauensbereich ${r.low} bis ${r.high}).`,
      one: "Mit nur einem zufälligen Tag lässt sich über Zufall nichts sagen.",
      same: "Es ändert sich nichts.",
      unknown: "In der Simulation fährt hier niemand.",
    },
    source: (n, years) => `Eine Simulation; Mittel aus ${n} zufälligen ${years ? (n === 1 ? "Verlauf" : "Verläufen") : n === 1 ? "Tag" : "Tagen"}${years ? ` über ${years} ${years === 1 ? "Jahr" : "Jahre"}` : ""}. Jeder Bereich gilt für diese Straße allein und enthält nur den Zufall, nicht den Fehler der Berechnung selbst.`,
    unresolved: (run, what) => `Mit „${run}“ nicht auflösbar: ${what}. Die Fahrenden haben dafür nicht genau genug gelernt: Allein ihr Lernen verschiebt den Wert um mehr als ein Fünftel des Unterschieds; auch Änderungen auf Straßen können daher rühren.`,
    resultsNone: "Keine der wichtigsten Kenngrößen unterscheidet sich.", resultsSame: (what) => `Kein Unterschied: ${what}.`, interval: "95-%-Vertrauensbereich", verdict: "Urteil",
    waiting: "stehen", driving: "unterwegs", of: "von", keys: [
      ["Leertaste", "abspielen oder anhalten", "time"], ["← →", "eine Minute zurück oder vor (mit Umschalt: 10)", "time"],
      ["1 2 3 4", "ohne, mit, wischen, Unterschied", "compared"], ["Bild ↑ ↓", "Rundgang: zurück, weiter", "tour"],
      ["N", "Sprechtext", "tour"], ["/", "suchen", "names"], ["M", "meine Straße", "my"], ["R", "Ergebnisse", "results"],
      ["V", "nächste Werte", "layers"],
      ["W A S D", "verschieben"], ["Q E", "drehen"], ["+ −", "näher, weiter weg"], ["0", "ganze Stadt"],
      ["L", "English"], ["T", "hell, dunkel"], ["F", "Vollbild"], ["Esc", "schließen"],
    ],
  },
};

/** A number as people write it in a language; as many digits as are given. */
export function number(value, lang, digits = null, sign = false) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const d = digits ?? (size >= 100 || Number.isInteger(size) ? 0 : size >= 10 ? 1 : 2);
  let text = size.toLocaleString(lang === "de" ? "de-DE" : "en-US",
    { minimumFractionDigits: d, maximumFractionDigits: d });
  if (lang === "en") text = text.replaceAll(",", "\u202f");
  if (!/[1-9]/.test(text)) return text;
  return (value < 0 ? "−" : sign ? "+" : "") + text;
}

/** What there must be for keys of the help to do something, by the name that stands with them. */
export function keysOf(header, lang) {
  const there = { time: header.time, compared: header.runs.length > 1, tour: header.tour.length, names: header.names.length,
    my: header.my, results: header.results, layers: header.layers.length };
  return TEXTS[lang].keys.filter(([, , needs]) => !needs || there[needs]);
}

/** A day as people write it: 15.09.2026 or 15 September 2026; as given where it is no date. */
export function date(day, lang) {
  if (!/^\d{4}-\d\d-\d\d$/.test(day ?? "")) return day ?? "";
  const at = new Date(`${day}T12:00:00Z`);
  return lang === "de" ? day.split("-").reverse().join(".")
    : at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}

/** Day and hours of what is shown: "15.09.2026, 07:00–07:45". */
export function period({ day, begin, end }, lang) {
  return [date(day, lang), `${clock(begin)}–${clock(end)}`].filter(Boolean).join(", ");
}

/** A length of time in the unit that suits it. */
export function lasting(seconds, lang) {
  return seconds % 3600 === 0 && seconds >= 3600 ? `${number(seconds / 3600, lang, 0)} h` : `${number(seconds / 60, lang, 0)} min`;
}

/** A second of the day as a clock shows it. */
export function clock(seconds, withSeconds = false) {
  const s = Math.floor(seconds + 1e-6);
  const two = (v) => String(v).padStart(2, "0");
  const text = `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}`;
  return withSeconds ? `${text}:${two(s % 60)}` : text;
}
