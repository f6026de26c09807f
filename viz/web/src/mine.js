// "What changes on my street": plain sentences, which work without 3D and can be printed.
import { button, h } from "./dom.js";
import { matches } from "./search.js";
import { clock, number, period, TEXTS } from "./texts.js";

const DIGITS = { vehicles: 0, lost: 0, speed: 0 };
const UNITS = { vehicles: "", lost: " s", speed: " km/h" };

/** Means, difference and interval of one value of one street by name. */
export function changeOf(array, what, run, k) {
  const rows = array(`my.${what}.${run}`);
  if (!rows) return null;
  const [base, mean, diff, low, high] = rows.subarray(5 * k, 5 * k + 5);
  return { base, mean, diff, low, high };
}

/** What a change comes to: up, down, unclear, same, one (day) or unknown. */
export function verdict(c) {
  if (!c || !(Number.isFinite(c.base) && Number.isFinite(c.mean))) return "unknown";
  if (!Number.isFinite(c.low)) return c.diff === 0 ? "same" : "one";
  if (c.diff === 0 && c.low === 0 && c.high === 0) return "same";
  return c.low > 0 ? "up" : c.high < 0 ? "down" : "unclear";
}

/** Sentences on one value; without `layer` one of traffic. */
export function sentences(c, what, run, lang, layer = null) {
  const t = TEXTS[lang].said;
  const found = verdict(c);
  if (found === "unknown") return null;
  const top = Math.max(Math.abs(c.base), Math.abs(c.mean));
  const d = layer ? (top < 10 ? 2 : top < 1000 ? 1 : 0) : DIGITS[what];
  const fine = layer ? d : Math.abs(c.diff) < 10 ? 1 : 0;
  const signed = (v) => number(v, lang, fine, true);
  const words = { run, base: number(c.base, lang, d), mean: number(c.mean, lang, d),
    size: number(Math.abs(c.diff), lang, fine), diff: signed(c.diff), unit: layer ? ` ${layer.unit[lang]}`.trimEnd() : UNITS[what], counted: what === "vehicles", low: signed(c.low), high: signed(c.high) };
  const second = typeof t[found] === "function" ? t[found](words) : t[found];
  return [layer ? t.layer(words, layer.title[lang]) : t[what](words), second, found];
}

const HOUR = /\b\d{1,2}[:.]\d\d\b/;

/** What is done to a street by name, and when; of all runs, or of some, the last of which needs no name. */
export function works(header, streets, lang, runs = null) {
  const t = TEXTS[lang];
  const own = new Set(streets);
  const found = (header.touched || []).filter((e) => (!runs || runs.includes(e.run)) && e.streets.some((s) => own.has(s)));
  const lines = found.map((e) => {
    const run = header.runs.find((r) => r.name === e.run);
    const { begin, end } = header.time || { begin: 0, end: 86400 };
    const when = e.begin <= begin && (e.end === null || e.end >= end) ? t.lasting
      : `${t.from} ${clock(e.begin)}${e.end === null ? "" : ` ${t.until} ${clock(e.end)}`}`;
    const [title, text] = [run.title[lang], e.text[lang]];
    const said = (runs && e.run === runs.at(-1)) || title === text ? text : `${title}: ${text}`;
    return HOUR.test(text) ? said : `${said} (${when})`;
  });
  return [...new Set(lines)];
}

export class MyStreet {
  constructor(app) {
    this.app = app;
    this.root = h("section", { id: "mine", hidden: true, role: "dialog", "aria-modal": "true" });
    document.body.append(this.root);
  }

  open(name = null) {
    this.name = name;
    this.root.hidden = false;
    document.body.classList.add("reading");
    document.getElementById("app").inert = true;
    this.render();
    this.root.querySelector("input").select();
  }

  close() {
    this.root.hidden = true;
    document.body.classList.remove("reading");
    document.getElementById("app").inert = false;
    this.app.openMine(null);
  }

  get shown() { return !this.root.hidden; }

  render() {
    const { app } = this;
    const { header, state } = app;
    const t = TEXTS[state.lang];
    const input = h("input", { type: "search", value: this.name === null ? "" : header.names[this.name],
      placeholder: t.search, "aria-label": t.search, autocomplete: "off", oninput: () => this.suggest(input.value),
      onkeydown: (e) => { if (e.key === "Enter") this.list.querySelector("button")?.click(); } });
    this.list = h("ul", { className: "hits" });
    this.body = h("div", { className: "sheet" });
    this.root.replaceChildren(h("div", { className: "page" },
      h("header", {}, h("h2", {}, t.mineTitle), h("span", { className: "spring" }),
        h("button", { type: "button", className: "text", onclick: () => app.setLanguage() }, t.language),
        h("button", { type: "button", className: "text", onclick: () => window.print() }, t.print),
        app.webgl ? button("close", t.close, () => this.close()) : null),
      app.webgl ? null : h("p", { className: "warn" }, t.noWebgl),
      input, this.list, this.body));
    this.fill();
  }

  suggest(typed) {
    const { header, state } = this.app;
    const hits = matches(header.names, typed);
    this.list.replaceChildren(...hits.map((k) => h("li", {}, h("button", { type: "button", onclick: () => {
      this.name = k;
      this.app.openMine(k);
      this.render();
    } }, header.names[k]))), ...(typed && !hits.length ? [h("li", { className: "faint" }, TEXTS[state.lang].noHit)] : []));
  }

  fill() {
    const { header, state } = this.app;
    const t = TEXTS[state.lang];
    const parts = [];
    if (this.name === null) parts.push(h("p", { className: "faint" }, t.mineChoose));
    else parts.push(...this.about(this.name));
    parts.push(h("p", { className: "faint small" }, `${header.title} · ${header.time ? `${period(header.time, state.lang)} · ` : ""}${
      header.runs.length ? t.source(header.runs[0].days, header.years) : ""} ${header.city.attribution[state.lang]}`));
    this.body.replaceChildren(...parts);
  }

  about(name) {
    const { header, array, state, streetsOf } = this.app;
    const t = TEXTS[state.lang];
    const parts = [h("h3", {}, header.names[name])];
    const done = works(header, streetsOf(name), state.lang);
    if (header.runs.length > 1) {
      parts.push(h("h4", {}, t.touched));
      parts.push(done.length ? h("ul", {}, ...done.map((line) => h("li", {}, line))) : h("p", {}, t.mineNone));
    } else parts.push(h("p", {}, t.mineAlone));
    const first = header.runs[0];
    for (const run of header.runs.slice(1)) {
      parts.push(h("h4", {}, `${first.title[state.lang]} → ${run.title[state.lang]}`));
      let any = false;
      for (const what of header.my || []) {
        const layer = header.layers.find((l) => `layer.${l.name}` === what) || null;
        const said = sentences(changeOf(array, what, run.name, name), what, run.title[state.lang], state.lang, layer);
        if (!said) continue;
        any = true;
        parts.push(h("p", { className: `said ${said[2]}` }, said[0], " ", h("strong", {}, said[1])));
      }
      if (!any && header.my) parts.push(h("p", {}, header.my.includes("vehicles") ? t.said.unknown : t.said.none));
      const open = header.results?.runs[run.name]?.[state.lang].unresolved;
      if (any && open) parts.push(h("p", { className: "warn" }, t.unresolved(run.title[state.lang], open)));
    }
    return parts;
  }
}
