// Panels over the picture: title, dock, legend, scale, card, tour, help; all in two languages.
import { button, h, icon } from "./dom.js";
import { changeOf, sentences, works } from "./mine.js";
import { matches } from "./search.js";
import { clock, date, keysOf, lasting, number, period, TEXTS } from "./texts.js";
import { titleOf } from "./touched.js";
import { flipped } from "./values.js";

const SPEEDS = [1, 5, 20, 60, 180];
const SCALES_M = [5000, 2000, 1000, 500, 200, 100, 50, 20, 10];

export class Interface {
  constructor(app, stage) {
    this.app = app;
    this.stage = stage;
    const panel = (id, tag = "section") => stage.appendChild(h(tag, { id, className: "panel" }));
    this.title = panel("title", "header");
    this.tools = panel("tools", "nav");
    this.dock = panel("dock");
    this.legend = panel("legend");
    this.foot = panel("foot", "footer");
    this.card = panel("card", "aside");
    this.speech = panel("speech");
    this.sheet = panel("sheet");
    this.sheet.hidden = true;
    this.divider = stage.appendChild(h("div", { id: "divider", tabIndex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": 100 }, h("i")));
    this.tags = [0, 1].map((k) => stage.appendChild(h("div", { className: `tag tag${k}` })));
    this.listenDivider();
    this.listenPicture();
    this.dock.addEventListener("change", ({ target }) => { if (target.tagName === "SELECT") target.blur(); });
    this.open = null;
  }

  get t() { return TEXTS[this.app.state.lang]; }

  // ---- what is shown -----------------------------------------------------------------------

  update() {
    const { state, header } = this.app;
    const key = [state.lang, state.theme, state.mode, state.run, state.layer, state.now, state.stop, state.speech].join();
    if (key !== this.built) {
      this.built = key;
      this.buildTitle();
      this.buildTools();
      this.buildDock();
      this.buildSpeech();
      this.buildFoot();
    }
    const sheet = [state.lang, this.open].join();
    if (sheet !== this.sheeted) {
      this.sheeted = sheet;
      this.buildSheet();
    }
    for (const name of ["layers", "help"]) {
      document.getElementById(`to-${name}`)?.setAttribute("aria-expanded", String(this.open === name));
    }
    this.buildLegend();
    this.buildCard();
    this.tick();
    const compared = header.runs.length > 1;
    this.divider.hidden = !(compared && state.mode === "swipe");
    this.divider.setAttribute("aria-label", this.t.swipe);
    this.measure();
    this.overlay();
  }

  runTitle(k) { return this.app.header.runs[k].title[this.app.state.lang]; }

  buildTitle() {
    const { header, state } = this.app;
    let sub = "";
    if (header.runs.length > 1) {
      const [a, b] = [this.runTitle(0), this.runTitle(state.run)];
      sub = { a, b, swipe: `${a}  |  ${b}`, difference: `${b} − ${a}` }[state.mode];
    } else if (header.runs.length) sub = this.runTitle(0);
    this.title.replaceChildren(h("h1", {}, header.title), sub ? h("p", {}, sub) : "");
    this.tags.forEach((tag, k) => {
      tag.hidden = state.mode !== "swipe" || header.runs.length < 2;
      if (!tag.hidden) tag.textContent = `${k ? "B" : "A"}  ${this.runTitle(k ? state.run : 0)}`;
    });
  }

  buildTools() {
    const { app, t } = this;
    const { header } = app;
    this.compass = h("button", { type: "button", id: "compass", title: t.north, "aria-label": t.north,
      onclick: () => app.view.fly({ ...app.view.pose, heading: 0 }) });
    this.compass.innerHTML = '<svg viewBox="-20 -20 40 40" aria-hidden="true"><g><path class="n" d="M0-17 6 2H-6z"/><path class="s" d="M0 15 6 2H-6z"/></g><text y="0"></text></svg>';
    const field = h("input", { id: "search", type: "search", placeholder: t.search, "aria-label": t.search, autocomplete: "off",
      oninput: () => this.suggest(), onkeydown: (e) => this.searchKey(e), onfocus: () => this.tools.classList.add("seeking"),
      onblur: () => setTimeout(() => { this.tools.classList.remove("seeking"); }, 150) });
    this.field = field;
    this.hits = h("ul", { id: "hits", className: "hits" });
    this.tools.replaceChildren(
      header.names.length ? h("div", { id: "seek" }, icon("search"), field, this.hits) : "",
      header.my ? h("button", { type: "button", id: "to-mine", title: t.mine, onclick: () => this.openMine() }, icon("house"), h("span", {}, t.mine)) : "",
      button("speaker", t.tour, () => this.toggleTour(), { id: "to-tour" }),
      header.results ? button("results", t.results, () => this.toggle("results"), { id: "to-results" }) : "",
      button("layers", t.layers, () => this.toggle("layers"), { id: "to-layers" }),
      button("home", t.overview, () => app.view.fly(app.view.home()), { id: "to-home" }),
      button("theme", t.theme, () => app.set({ theme: app.state.theme === "dark" ? "light" : "dark" }), { id: "to-theme" }),
      h("button", { type: "button", id: "to-language", className: "text", title: t.language, "aria-label": t.language, onclick: () => app.setLanguage() }, app.state.lang === "de" ? "EN" : "DE"),
      button("help", t.help, () => this.toggle("help"), { id: "to-help" }),
      this.compass,
    );
  }

  buildDock() {
    const { app, t } = this;
    const { header, state } = app;
    const rows = [];
    this.clock = null;
    if (app.moves) {
      const { begin, end } = header.time;
      this.player = button("play", t.play, () => this.togglePlay(), { id: "play" });
      this.clock = h("output", { id: "clock" });
      this.slider = h("input", { id: "time", type: "range", min: begin, max: end, step: 1, "aria-label": t.time,
        oninput: () => this.setTime(Number(this.slider.value)) });
      const speed = h("select", { id: "speed", title: t.speed, "aria-label": t.speed, onchange: () => { app.state.speed = Number(speed.value); } },
        ...SPEEDS.map((s) => h("option", { value: s, selected: s === state.speed }, `${s}×`)));
      rows.push(h("div", { className: "row" }, this.player, this.clock, this.slider, speed));
    }
    const second = [];
    if (header.runs.length > 1) {
      const modes = h("div", { className: "modes", role: "group" }, ...["a", "b", "swipe", "difference"].map((m) => h("button", {
        type: "button", id: `mode-${m}`, "aria-pressed": String(state.mode === m), title: { a: this.runTitle(0), b: this.runTitle(state.run) }[m], onclick: () => app.set({ mode: m }) },
      h("b", {}, { a: "A", b: "B", swipe: "A|B", difference: "B−A" }[m]), t[m])));
      second.push(modes);
      if (header.runs.length > 2) {
        const b = h("select", { id: "alternative", "aria-label": "B", onchange: () => app.set({ run: Number(b.value) }) },
          ...header.runs.slice(1).map((r, k) => h("option", { value: k + 1, selected: k + 1 === state.run }, `B: ${r.title[state.lang]}`)));
        second.push(b);
      }
    }
    if (header.layers.length) {
      const layer = h("select", { id: "layer", title: t.layer, "aria-label": t.layer, onchange: () => app.set({ layer: layer.value || null }) },
        ...header.layers.map((l) => h("option", { value: l.name, selected: l.name === state.layer }, l.title[state.lang])),
        h("option", { value: "", selected: !state.layer }, `${t.layer}: ${t.none}`));
      second.push(layer);
      const about = header.layers.find((l) => l.name === state.layer);
      if (about && about.starts.length > 1) {
        const now = h("select", { id: "period", title: t.period, "aria-label": t.period, onchange: () => app.set({ now: now.value === "now" }) },
          h("option", { value: "whole", selected: !state.now }, t.whole), h("option", { value: "now", selected: state.now }, t.now));
        second.push(now);
      }
    }
    if (second.length) rows.push(h("div", { className: "row choice" }, ...second));
    this.dock.hidden = !rows.length;
    this.dock.replaceChildren(...rows);
  }

  /** What moves with time alone. */
  tick() {
    const { state, header } = this.app;
    if (!header.time || !this.clock) return;
    this.clock.textContent = clock(state.time, true);
    this.slider.value = state.time;
    this.slider.setAttribute("aria-valuetext", clock(state.time));
    const { begin, end } = header.time;
    this.slider.style.setProperty("--at", `${(100 * (state.time - begin)) / (end - begin)}%`);
    const name = state.playing ? "pause" : "play";
    if (this.player.dataset.shows !== name) {
      this.player.dataset.shows = name;
      this.player.replaceChildren(icon(name));
      this.player.title = this.t[name];
      this.player.setAttribute("aria-label", this.t[name]);
    }
  }

  buildLegend() {
    const { app, t } = this;
    const { header, state } = app;
    const parts = [];
    const shown = state.layer && header.runs.length && state.show.values;
    if (shown) {
      const about = app.values.layer(state.layer);
      const difference = state.mode === "difference";
      const many = about.starts.length > 1;
      const now = state.now && many;
      const limits = difference ? (now ? about.gap : about.wholeGap) || [-1, 1] : now ? about.scale : about.whole;
      const diverging = difference || limits[0] < 0;
      const table = app.values.table(state.theme, diverging, flipped(about, difference));
      const sides = { a: [["a", 0]], swipe: [["a", 0], ["b", state.run]] }[state.mode] || [[state.mode, state.run]];
      const beyond = sides.map(([mode, run]) => app.values.beyond(about.name, mode, run, now));
      const stops = [];
      for (let k = 0; k <= 16; k++) {
        const c = Math.round((255 * k) / 16) * 3;
        stops.push(`rgb(${table[c]},${table[c + 1]},${table[c + 2]})`);
      }
      const middle = (limits[0] + limits[1]) / 2;
      const say = (v) => number(v, state.lang, null, difference);
      const unit = now ? t.within(about.unit[state.lang], lasting(about.interval, state.lang)) : this.unit(about);
      parts.push(h("p", { className: "head" }, h("strong", {}, difference ? t.changeIn(about.title[state.lang]) : about.title[state.lang]), ` ${unit}${difference ? ` · ${t.legendGap}` : ""}`),
        h("div", { className: "bar", style: `background:linear-gradient(90deg,${stops.join(",")})` }),
        h("div", { className: "ticks" }, h("span", {}, beyond.some((b) => b[0]) ? "≤ " : "", say(limits[0])), h("span", {}, say(middle)),
          h("span", {}, beyond.some((b) => b[1]) ? "≥ " : "", say(limits[1]))));
      if (header.time) parts.push(this.when(now));
      if (difference && !now && app.values.clear(state.layer, state.run)) parts.push(h("p", { className: "faint wide" }, t.thin));
    }
    else if (header.time && header.runs.length) parts.push(this.when(false));
    const driven = app.scene.traffic.some(Boolean) && state.show.vehicles && state.mode !== "difference";
    if (driven) {
      const car = (colour, label) => h("span", { className: "car" }, h("i", { style: `background:${colour}` }), label);
      parts.push(h("p", { className: "cars" }, car(state.theme === "dark" ? "#58b7ff" : header.palette.drives, t.drives),
        car(header.palette.stands, t.stands), h("span", { className: "faint wide" }, t.larger)));
    }
    parts.push(...this.marks());
    const lost = shown && header.results?.lost[header.runs[state.run].name];
    const stay = lost ? lost[state.mode === "a" ? 0 : 1] : 0;
    if (stay >= 0.5) parts.push(h("p", { className: "lost" }, t.lost(number(stay, state.lang, 0))));
    if (header.time && state.mode !== "difference" && !header.runs[state.run].vehicles) parts.push(h("p", { className: "faint wide" }, t.noVehicles));
    if (header.runs.length) parts.push(h("p", { className: "faint wide" }, driven ? this.oneDay(shown) : this.days()));
    this.legend.hidden = !parts.length;
    this.stage.classList.toggle("keyed", parts.length > 0);
    this.legend.replaceChildren(...parts);
  }

  /** Day and hours of what is shown. */
  when(now) {
    const { header: { time }, state: { lang } } = this.app;
    return h("p", { className: "when" }, now ? `${date(time.day, lang)}, ${this.t.now}` : period(time, lang));
  }

  /** A layer's unit over the whole period: what has intervals is their sum. */
  unit(about) {
    const { header, state } = this.app;
    const own = about.unit[state.lang];
    return about.starts.length > 1 ? this.t.within(own, lasting(header.time.end - header.time.begin, state.lang)) : own;
  }

  /** What tape and dotted edges mean. */
  marks() {
    const { app } = this;
    const { state, header } = app;
    if (state.mode === "a" || header.runs.length < 2 || !app.scene.touched) return [];
    const own = app.scene.touched.all.filter((m) => m.run === state.run);
    return [true, false].flatMap((closes) => {
      const titles = [...new Set(own.filter((m) => m.closes === closes).map((m) => titleOf(m.entry, header, state.lang)))];
      if (!titles.length) return [];
      const said = titles.length === 1 ? titles[0] : closes ? this.t.closed : this.runTitle(state.run);
      return [h("p", { className: "mark" }, h("i", { className: closes ? "tape" : "dots" }), said)];
    });
  }

  oneDay(coloured) {
    const said = this.t.oneDay(this.app.header.runs[0].days);
    return coloured ? said : said.split(". ")[0];
  }

  days() { return this.t.source(this.app.header.runs[0].days, this.app.header.years).split(/[;.]/).slice(0, 2).join(";"); }

  buildFoot() {
    const { header } = this.app;
    this.bar = h("span", { className: "scale" });
    this.barText = h("span", { className: "scale-text" });
    this.foot.replaceChildren(this.bar, this.barText, h("span", { className: "source" }, header.city.attribution[this.app.state.lang]));
  }

  /** Scale, compass and divider, which follow the camera. */
  overlay() {
    const { view, state } = this.app;
    const mpp = view.metresPerPixel;
    const room = view.size[0] < 700 ? 84 : 150;
    const long = SCALES_M.find((s) => s / mpp <= room) || SCALES_M[SCALES_M.length - 1];
    this.bar.style.width = `${(long / mpp).toFixed(1)}px`;
    const text = long >= 1000 ? `${long / 1000} km` : `${long} m`;
    if (this.barText.textContent !== text) this.barText.textContent = text;
    this.compass.firstElementChild.firstElementChild.setAttribute("transform", `rotate(${(-view.heading).toFixed(1)})`);
    const x = Math.round(state.split * view.size[0]);
    this.divider.style.left = `${x}px`;
    this.divider.setAttribute("aria-valuenow", Math.round(state.split * 100));
    this.tags[0].style.right = `${view.size[0] - x + 14}px`;
    this.tags[1].style.left = `${x + 14}px`;
    const [top, bottom] = [this.tags[1].offsetTop, this.tags[1].offsetTop + this.tags[1].offsetHeight];
    const walls = [this.card, this.sheet].filter((e) => !e.hidden && e.offsetTop < bottom && e.offsetTop + e.offsetHeight > top);
    const rooms = [x, Math.min(view.size[0], ...walls.map((e) => e.offsetLeft)) - x].map((free) => Math.min(0.4 * view.size[0], free - 22));
    this.tags.forEach((tag, k) => {
      tag.style.maxWidth = `${Math.max(0, rooms[k])}px`;
      tag.style.visibility = rooms[k] < 44 ? "hidden" : "";
    });
  }

  // ---- card of what was clicked ------------------------------------------------------------

  buildCard() {
    const { state } = this.app;
    const parts = !state.card ? null : state.building !== null ? this.aboutBuilding(state.building)
      : state.street !== null ? this.aboutStreet(state.street) : null;
    this.card.hidden = !parts;
    if (parts) {
      this.card.replaceChildren(button("close", this.t.close, () => this.app.set({ street: null, building: null }), { className: "close" }), ...parts);
    }
  }

  aboutBuilding(k) {
    const { app, t } = this;
    const { header, array, state } = app;
    const b = (this.buildings ||= { name: array("building.name"), height: array("building.real_height"),
      floor: array("building.floor"), use: array("building.use"), known: array("building.measured") });
    const say = (v) => number(v, state.lang, v < 20 ? 1 : 0);
    const row = (label, value) => [h("dt", {}, label), h("dd", {}, value)];
    return [h("h2", {}, b.name[k] >= 0 ? header.city.buildings[b.name[k]] : t.building), h("dl", {},
      ...row(t.use, t.uses[b.use[k]]),
      ...row(t.height, `${say(b.height[k])} m${b.known[k] ? "" : ` (${t.assumed})`}`),
      ...row(t.floor, `${number(b.floor[k], state.lang, 0)} m²`))];
  }

  aboutStreet(k) {
    const { app, t } = this;
    const { header, state, array } = app;
    const name = app.streetName[k];
    const s = (this.streets ||= { lanes: array("street.lanes"), kmh: array("street.kmh"), length: array("street.length") });
    const parts = [h("h2", {}, name >= 0 ? header.names[name] : t.unnamed),
      h("p", { className: "faint" }, `${s.lanes[k]} ${s.lanes[k] === 1 ? t.lane : t.lanes} · ${t.limit} ${s.kmh[k]} km/h (${t.limitNote}) · ${number(s.length[k], state.lang, 0)} m`)];
    if (header.runs.length) {
      const run = header.runs[state.run];
      const done = works(header, name >= 0 ? app.streetsOf(name) : [k], state.lang, [header.runs[0].name, run.name]);
      if (done.length) parts.push(h("ul", { className: "done" }, ...done.map((line) => h("li", {}, line))));
      if (name >= 0 && header.runs.length > 1) {
        const said = sentences(changeOf(array, "vehicles", run.name, name), "vehicles", run.title[state.lang], state.lang);
        if (said) parts.push(h("h3", {}, t.whole_street), h("p", { className: `said ${said[2]}` }, said[0], " ", h("strong", {}, said[1])));
        if (header.my) parts.push(h("button", { type: "button", className: "link", id: "card-mine", onclick: () => app.mine.open(name) }, t.toMine));
      }
      if (header.layers.length) {
        parts.push(h("h3", {}, `${t.section}, ${this.towards(k)}`), header.time ? h("p", { className: "faint small" }, period(header.time, state.lang)) : "",
          this.table(k));
      }
    }
    return parts;
  }

  /** Where a section leads: to another street, else which way. */
  towards(k) {
    const { app, t } = this;
    const to = (this.leads ||= app.array("street.towards"))[k];
    if (to >= 0) return t.towards(app.header.names[to]);
    const { from, xy } = app.scene.axes;
    const [a, b] = [2 * from[k], 2 * (from[k + 1] - 1)];
    const turn = Math.atan2(xy[b] - xy[a], xy[b + 1] - xy[a + 1]) / (Math.PI / 4);
    return t.towards(t.ways[(Math.round(turn) + 8) % 8]);
  }

  /** Every layer of a street: A, B and their difference. */
  table(k) {
    const { app, t } = this;
    const { header, state, values } = app;
    const compared = header.runs.length > 1;
    let marked = false;
    const rows = header.layers.map((l) => {
      const a = values.of(l.name, 0, null)[k];
      const b = compared ? values.of(l.name, state.run, null)[k] : NaN;
      const cells = compared ? [a, b] : [a];
      const clear = compared ? values.clear(l.name, state.run) : null;
      const gap = b - a;
      marked ||= Boolean(clear && clear[k]);
      const most = Math.max(Math.abs(a) || 0, Math.abs(b) || 0);
      const digits = most >= 100 || [a, b, gap].every((v) => !Number.isFinite(v) || Number.isInteger(v)) ? 0 : most >= 10 ? 1 : 2;
      return h("tr", { className: l.name === state.layer ? "on" : "" },
        h("th", { scope: "row" }, l.title[state.lang], h("small", {}, ` ${this.unit(l)}`)),
        ...cells.map((v) => h("td", {}, number(v, state.lang, digits))),
        compared ? h("td", {}, number(gap, state.lang, digits, true), clear && clear[k] ? h("small", { title: t.clear }, " ●") : "") : "");
    });
    return h("table", {}, h("thead", {}, h("tr", {}, h("th", {}), h("th", {}, compared ? "A" : ""),
      compared ? h("th", {}, "B") : "", compared ? h("th", {}, "B−A") : "")), h("tbody", {}, ...rows),
    marked ? h("caption", {}, `● ${t.clear}`) : "");
  }

  // ---- tour, layers, help ------------------------------------------------------------------

  buildSpeech() {
    const { app, t } = this;
    const { state, header } = app;
    const stop = state.stop === null ? null : header.tour[state.stop];
    this.speech.hidden = !(state.speech && stop);
    this.stage.classList.toggle("talking", !this.speech.hidden);
    if (!stop) return;
    this.speech.replaceChildren(
      h("div", { className: "row" }, h("strong", {}, stop.title[state.lang]), h("span", { className: "faint" }, ` ${state.stop + 1} ${t.of} ${header.tour.length}`),
        h("span", { className: "spring" }), button("back", t.previous, () => this.goOn(-1), { id: "tour-back" }),
        button("next", t.next, () => this.goOn(1), { id: "tour-next" }),
        button("close", t.close, () => app.set({ speech: false }), { id: "tour-close" })),
      h("p", {}, stop.text[state.lang]));
  }

  buildSheet() {
    const { app, t, open } = this;
    this.sheet.hidden = !open;
    if (!open) return;
    const { show } = app.state;
    const body = open === "help"
      ? h("dl", {}, ...keysOf(app.header, app.state.lang).flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]))
      : open === "results" ? this.results() : h("div", {}, ...Object.keys(show).map((k) => h("label", {}, h("input", { type: "checkbox", id: `show-${k}`, checked: show[k],
        onchange: (e) => { show[k] = e.target.checked; app.changed(); } }), t[k])));
    this.sheet.replaceChildren(h("div", { className: "row" }, h("strong", {}, t[open]), h("span", { className: "spring" }),
      open === "layers" ? button("full", t.full, () => this.fullScreen()) : "",
      button("close", t.close, () => this.toggle(open))), body);
  }

  /** Key indicators of every alternative, with what makes them doubtful. */
  results() {
    const { app, t } = this;
    const { header, state } = app;
    const head = h("thead", {}, h("tr", {}, ...["", this.runTitle(0), "B", "B−A", t.interval, t.verdict].map((c) => h("th", {}, c))));
    const about = (run) => {
      const { rows, same } = header.results.runs[run.name][state.lang];
      return [h("h3", {}, run.title[state.lang]),
        rows.length ? h("table", {}, head.cloneNode(true), h("tbody", {}, ...rows.map((r) => h("tr", { className: r.effect },
          h("th", { scope: "row" }, r.title, h("small", {}, ` ${r.unit}`), h("small", { className: "narrow" }, `${r.base} → ${r.mean}`)), ...[r.base, r.mean, r.difference, r.interval].map((v) => h("td", {}, v)),
          h("td", { className: "verdict" }, r.verdict))))) : h("p", {}, t.resultsNone),
        same ? h("p", { className: "faint small" }, t.resultsSame(same)) : ""];
    };
    return h("div", { className: "results" }, ...header.runs.slice(1).flatMap(about),
      h("ul", { className: "small" }, ...header.results.notes[state.lang].map((n) => h("li", {}, n))));
  }

  toggle(name) {
    this.open = this.open === name ? null : name;
    this.update();
  }

  toggleTour() {
    const { state } = this.app;
    if (state.speech) this.app.set({ speech: false });
    else this.app.goToStop(state.stop ?? 0);
  }

  goOn(by) {
    const { state, header } = this.app;
    const next = state.stop === null ? 0 : Math.min(Math.max(state.stop + by, 0), header.tour.length - 1);
    this.app.goToStop(next);
  }

  escape() {
    const { app } = this;
    if (app.mine.shown) { app.mine.close(); app.canvas.focus(); return; }
    if (document.activeElement === this.field) { this.field.value = ""; this.suggest(); this.field.blur(); return; }
    if (this.open) { this.toggle(this.open); return; }
    app.set({ street: null, building: null, speech: false });
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {});
  }

  // ---- time --------------------------------------------------------------------------------

  togglePlay() {
    this.app.state.playing = !this.app.state.playing;
    this.tick();
    this.app.invalidate();
  }

  setTime(time) {
    const { begin, end } = this.app.header.time;
    this.app.state.time = Math.min(Math.max(time, begin), end);
    this.tick();
    this.app.invalidate();
  }

  nextLayer() {
    const names = [...this.app.header.layers.map((l) => l.name), null];
    const at = names.indexOf(this.app.state.layer);
    this.app.set({ layer: names[(at + 1) % names.length] });
  }

  // ---- search ------------------------------------------------------------------------------

  openSearch() { this.field.focus(); }

  openMine() {
    const { app } = this;
    const name = app.state.street === null ? -1 : app.streetName[app.state.street];
    app.mine.open(name >= 0 ? name : null);
  }

  suggest() {
    const { header } = this.app;
    const typed = this.field.value;
    this.found = matches(header.names, typed);
    this.hits.replaceChildren(...this.found.map((k, n) => h("li", {}, h("button", { type: "button", className: n ? "" : "first",
      onmousedown: (e) => e.preventDefault(), onclick: () => this.take(k) }, header.names[k]))),
    ...(typed && !this.found.length ? [h("li", { className: "faint" }, this.t.noHit)] : []));
  }

  searchKey(event) {
    if (event.key === "Enter" && this.found && this.found.length) this.take(this.found[0]);
  }

  take(k) {
    this.field.value = "";
    this.suggest();
    this.field.blur();
    this.app.goTo(k);
  }

  // ---- pointers ----------------------------------------------------------------------------

  listenDivider() {
    const move = (event) => {
      const box = this.stage.getBoundingClientRect();
      this.app.state.split = Math.min(0.99, Math.max(0.01, (event.clientX - box.left) / box.width));
      this.app.invalidate();
    };
    this.divider.addEventListener("pointerdown", (event) => {
      this.divider.setPointerCapture(event.pointerId);
      this.divider.addEventListener("pointermove", move);
      event.preventDefault();
      this.divider.focus();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.divider.addEventListener(end, () => this.divider.removeEventListener("pointermove", move));
    }
    this.divider.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (!by) return;
      this.app.state.split = Math.min(0.99, Math.max(0.01, this.app.state.split + by));
      this.app.invalidate();
      event.preventDefault();
    });
  }

  listenPicture() {
    const { canvas } = this.app;
    let from = null;
    canvas.addEventListener("pointerdown", (e) => { from = e.isPrimary ? [e.clientX, e.clientY, performance.now()] : null; });
    canvas.addEventListener("pointerup", (e) => {
      if (!from || e.button !== 0) return;
      const still = Math.hypot(e.clientX - from[0], e.clientY - from[1]) < 6 && performance.now() - from[2] < 600;
      from = null;
      const box = canvas.getBoundingClientRect();
      if (still) this.app.pick(e.clientX - box.left, e.clientY - box.top, e.pointerType !== "mouse");
    });
  }

  /** What the panels leave free of the picture. */
  measure() {
    const { view } = this.app;
    const [w, height] = view.size;
    const dock = this.dock.offsetHeight;
    const speech = this.speech.hidden ? 0 : this.speech.offsetHeight + 12;
    this.stage.style.setProperty("--dock", `${dock}px`);
    this.stage.style.setProperty("--low", `${dock + speech}px`);
    const top = this.title.getBoundingClientRect().bottom;
    const low = this.speech.hidden ? this.dock.hidden ? height - 40 : this.dock.getBoundingClientRect().top : this.speech.getBoundingClientRect().top;
    const small = w < 760;
    const over = small ? [this.legend, this.card] : [];
    const lowest = Math.min(low, ...over.filter((e) => !e.hidden).map((e) => e.getBoundingClientRect().top));
    const right = small || this.card.hidden ? 14 : w - this.card.getBoundingClientRect().left + 14;
    view.margins = { top: top + (small ? 52 : 6), bottom: Math.max(0, height - lowest) + 8, left: 14, right };
  }
}
