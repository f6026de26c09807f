// The view in the address, so that a link or a reload brings it back.

export function written(app) {
  const { state, view, header } = app;
  const p = view.pose;
  const parts = {
    c: [p.x.toFixed(0), p.y.toFixed(0), p.distance.toFixed(0), p.heading.toFixed(0), p.tilt.toFixed(0)].join(","),
    lang: state.lang, m: state.mode, l: state.layer ?? "", theme: state.theme,
  };
  if (header.time) parts.t = Math.round(state.time);
  if (state.mode === "swipe") parts.x = state.split.toFixed(3);
  if (header.runs.length > 2) parts.b = header.runs[state.run].name;
  if (state.now) parts.now = "1";
  if (state.street !== null) parts.s = state.street;
  if (state.building !== null) parts.h = state.building;
  if (state.stop !== null) parts.k = state.stop;
  return `#${new URLSearchParams(parts)}`;
}

export function restored(app, hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  if (![...given.keys()].length) return;
  const { header, state } = app;
  const changes = {};
  const numberOf = (key, low, high) => {
    const v = Number(given.get(key));
    return given.has(key) && given.get(key) !== "" && Number.isFinite(v) && v >= low && v <= high ? v : null;
  };
  if (["de", "en"].includes(given.get("lang"))) changes.lang = given.get("lang");
  if (["light", "dark"].includes(given.get("theme"))) changes.theme = given.get("theme");
  if (["a", "b", "swipe", "difference"].includes(given.get("m")) && header.runs.length > 1) changes.mode = given.get("m");
  if (given.has("l")) changes.layer = header.layers.some((l) => l.name === given.get("l")) ? given.get("l") : null;
  const run = header.runs.findIndex((r) => r.name === given.get("b"));
  if (run > 0) changes.run = run;
  if (header.time) changes.time = numberOf("t", header.time.begin, header.time.end) ?? state.time;
  changes.split = numberOf("x", 0, 1) ?? state.split;
  changes.now = given.get("now") === "1";
  changes.street = numberOf("s", 0, app.streetName.length - 1);
  changes.building = numberOf("h", 0, header.city.count - 1);
  changes.stop = numberOf("k", 0, header.tour.length - 1);
  changes.speech = changes.stop !== null;
  app.set(changes);
  const c = (given.get("c") || "").split(",").map(Number);
  if (c.length === 5 && c.every(Number.isFinite)) {
    app.view.pose = { x: c[0], y: c[1], distance: Math.max(30, c[2]), heading: c[3], tilt: Math.min(76, Math.max(0, c[4])) };
  }
}
