// The presentation: opens the data, holds the state, draws when something changes.
import * as THREE from "three";
import { h } from "./dom.js";
import { Labels } from "./labels.js";
import { shared } from "./materials.js";
import { MyStreet } from "./mine.js";
import { openPayload } from "./payload.js";
import { middleOf, StreetIndex } from "./picking.js";
import { printable } from "./print.js";
import { Scene } from "./scene.js";
import { restored, written } from "./state.js";
import { MOVING, STILL, Still } from "./still.js";
import { THEMES } from "./theme.js";
import { Interface } from "./ui.js";
import { Values } from "./values.js";
import { View } from "./view.js";
import { listen } from "./keys.js";

class App {
  constructor({ header, array }) {
    Object.assign(this, { header, array });
    this.streetName = array("street.name");
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const compared = header.runs.length > 1;
    this.state = {
      lang: header.lang, theme: dark ? "dark" : "light", time: header.time ? header.time.begin + 900 : 0,
      playing: false, speed: 20, mode: compared ? "swipe" : "a", run: compared ? 1 : 0, split: 0.5,
      layer: header.layers.length ? (header.layers.find((l) => l.name === "load") || header.layers[0]).name : null,
      now: false, street: null, building: null, card: true, stop: null, speech: false,
      show: { values: true, vehicles: true, signals: true, buildings: true, shadows: true, trees: true, nature: true, labels: true },
    };
    if (header.time) this.state.time = Math.min(this.state.time, header.time.end);
    const { layer, mode, run, time, now, split } = this.state;
    this.begins = { layer, mode, run, time, now, split }; // what a stop of the tour that says nothing shows
    this.mine = new MyStreet(this);
    const length = array("street.length");
    this.streetsOf = (name) => [...this.streetName.keys()].filter((s) => this.streetName[s] === name)
      .sort((a, b) => length[b] - length[a]); // the longest section first
  }

  start() {
    const canvas = h("canvas", { id: "picture", tabIndex: 0, "aria-label": this.header.title });
    this.keeps = software();
    this.renderer = rendererOf(canvas, !this.keeps);
    this.webgl = Boolean(this.renderer);
    document.documentElement.lang = this.state.lang;
    document.getElementById("wait").remove();
    if (!this.webgl) {
      document.documentElement.dataset.theme = this.state.theme;
      this.mine.open(null);
      return;
    }
    const { header, array } = this;
    const stage = h("div", { id: "stage" }, canvas);
    document.getElementById("app").append(stage);
    this.canvas = canvas;
    this.scene = new Scene({ header, array });
    this.values = new Values(header, array);
    this.index = new StreetIndex(array("street.points"), array("street.xy"));
    this.view = new View(canvas, header.city.box, this.hull(), this.scene.ground.height, () => this.invalidate());
    this.labels = new Labels(stage, this);
    this.ui = new Interface(this, stage);
    listen(this);
    printable(this);
    new ResizeObserver(() => this.resize()).observe(stage);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.resize();
    this.changed();
    this.view.pose = this.view.home();
    this.divide(this.touchedNow(), this.view.pose)?.(1);
    restored(this, location.hash);
    addEventListener("hashchange", () => { if (location.hash !== this.hash) restored(this, location.hash); });
  }

  /** Outermost places of the streets in every direction. */
  hull() {
    const [w, south, e, n] = this.header.city.box;
    if (!this.scene.axes) return [[w, south], [e, south], [e, n], [w, n]];
    const { xy } = this.scene.axes;
    const found = [];
    for (let k = 0; k < 16; k++) {
      const [c, s] = [Math.cos((k * Math.PI) / 8), Math.sin((k * Math.PI) / 8)];
      let best = -Infinity;
      for (let i = 0; i < xy.length; i += 2) {
        const d = c * xy[i] + s * xy[i + 1];
        if (d > best) [best, found[k]] = [d, [xy[i], xy[i + 1]]];
      }
    }
    return found;
  }

  resize() {
    const { clientWidth: w, clientHeight: hgt } = this.canvas.parentElement;
    if (!w || !hgt) return;
    this.full ||= Math.min(devicePixelRatio, 2);
    this.ratio ||= this.full;
    this.size = [w, hgt];
    this.sharpen(this.ratio);
    this.view.resize(w, hgt);
    shared.uMpp.value = this.view.unitMpp;
    this.ui.measure();
    this.invalidate();
  }

  /** Draw with so many pixels a pixel of the page from now on. */
  sharpen(ratio) {
    if (this.renderer.getPixelRatio() === ratio && this.sized === this.size) return;
    this.sized = this.size;
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(...this.size, false);
  }

  /** State has changed: everything that shows it follows. */
  changed() {
    const { state } = this;
    state.run = Math.min(Math.max(state.run, 0), Math.max(0, this.header.runs.length - 1));
    document.documentElement.dataset.theme = state.theme;
    document.documentElement.lang = state.lang;
    this.scene.setTheme(state.theme);
    this.scene.show({ ...state.show, shadows: state.show.shadows && !this.slow, values: state.show.values && Boolean(state.layer),
      through: state.mode === "difference" });
    this.scene.choose(state.street === null ? -1 : this.nameKey(state.street), state.building ?? -1);
    this.ui.update();
    this.invalidate();
  }

  /** What tells streets of one name from others on the card; streets without name stand alone. */
  nameKey(street) {
    return this.streetName[street] >= 0 ? this.streetName[street] : -1;
  }

  set(changes) {
    Object.assign(this.state, changes);
    this.changed();
  }

  invalidate() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => this.frame(now));
  }

  frame(now) {
    this.waiting = false;
    const passed = this.last ? (now - this.last) / 1000 : 0.016;
    const { state, header } = this;
    let goesOn = this.view.step(passed);
    if (state.playing && this.moves) {
      state.time += Math.min(passed, 0.25) * state.speed;
      if (state.time >= header.time.end) { state.time = header.time.begin; }
      this.ui.tick();
      goesOn = true;
    }
    this.last = goesOn ? now : 0;
    this.sharpen(this.ratio);
    this.draw();
    document.documentElement.dataset.ready = "yes";
    this.pace(passed, goesOn);
    if (goesOn) this.invalidate();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.settled(), 220);
  }

  /** Draw less where frames take long: first vehicles alone, then larger pixels; without shadows in flight. */
  pace(passed, goesOn) {
    if (!goesOn || passed > 1) return;
    this.mean = 0.75 * (this.mean || 0.03) + 0.25 * passed;
    this.frames = (this.frames || 0) + 1;
    if (this.frames % 6 || this.mean < 0.05) return;
    if (!this.keeps) this.keeps = true;
    else if (this.view.flight && !this.slow) {
      this.slow = true;
      this.changed();
    } else if (this.ratio > 0.65 * this.full) this.ratio *= 0.8;
  }

  settled() {
    this.hash = written(this);
    history.replaceState(null, "", this.hash);
    if (this.ratio < this.full && !this.state.playing && !this.waiting) {
      this.sharpen(this.full); // what stands still is drawn as fine as it can be
      this.draw();
    }
  }

  /** Sides of the picture: run, place in the pile of colours, and from where to where. */
  sides() {
    const { state } = this;
    const [w] = this.view.size;
    const x = Math.round(state.split * w);
    if (!this.header.runs.length) return [[null, 0, 0, w]];
    if (state.mode === "swipe") return [[0, 0, 0, x], [state.run, 1, x, w - x]];
    if (state.mode === "difference") return [[null, 0, 0, w]];
    return [[state.mode === "a" ? 0 : state.run, 0, 0, w]];
  }

  /** Run whose measures a side shows: B's in a difference, none of a city alone. */
  markedRun(run) {
    return run === null && this.header.runs.length > 1 ? this.state.run : run;
  }

  /** Whether anything shown goes by the clock: vehicles, values by interval, or what holds for a while. */
  get moves() {
    const { header, state } = this;
    if (!header.time) return false;
    const shown = { a: [0], b: [state.run], swipe: [0, state.run], difference: [] }[state.mode];
    const about = header.layers.find((l) => l.name === state.layer);
    const { begin, end } = header.time;
    return shown.some((k) => header.runs[k].vehicles) || Boolean(state.now && about && about.starts.length > 1)
      || (state.mode !== "a" && (header.touched || []).some((e) => e.run === header.runs[state.run].name
        && (e.begin > begin || (e.end !== null && e.end < end))));
  }

  /** Streets that the shown run's measures touch. */
  touchedNow() {
    const { header, state } = this;
    return (header.touched || []).filter((e) => e.run === header.runs[state.run]?.name).flatMap((e) => e.streets);
  }

  /** How the divider comes to run through the middle of streets as a camera sees them; null where it need not. */
  divide(rows, pose) {
    const { state, view, scene } = this;
    if (state.mode !== "swipe" || this.header.runs.length < 2 || !rows.length || !scene.axes) return null;
    const { xy, from } = scene.axes;
    const places = rows.flatMap((s) => Array.from({ length: from[s + 1] - from[s] - 1 }, (_, k) => 2 * (from[s] + k))
      .map((o) => [(xy[o] + xy[o + 2]) / 2, (xy[o + 1] + xy[o + 3]) / 2, Math.hypot(xy[o + 2] - xy[o], xy[o + 3] - xy[o + 1])]));
    const { size: [w, height], margins: m } = view;
    const all = view.from(pose, () => places.map(([x, y, long]) => [...view.pixel(x, y, scene.ground.height(x, y)), long]));
    const within = (left, top, right, bottom) => all.filter(([x, y, z]) => z < 1 && x > left && x < right && y > top && y < bottom);
    const free = within(m.left, m.top, w - m.right, height - m.bottom);
    const seen = free.length ? free : within(0, 0, w, height);
    if (!seen.length) return null;
    const middle = middleOf(seen.map(([x, , , long]) => [x, long]));
    const [first, last] = [state.split, Math.min(0.92, Math.max(0.08, middle / w))];
    return (s) => { state.split = first + (last - first) * s; };
  }

  /** The second of the day; null where nothing goes by the clock. */
  get clock() { return this.header.time ? this.state.time : null; }

  paint() {
    const { state, scene, values } = this;
    if (!state.layer || !this.header.runs.length || !scene.colours) return;
    const about = values.layer(state.layer);
    const time = state.now ? state.time : null;
    const interval = state.now ? about.starts.findLastIndex((s) => s <= state.time) : -1;
    const key = [state.layer, state.mode, state.run, interval, state.theme].join();
    if (key === this.painted) return;
    this.painted = key;
    const modes = state.mode === "swipe" ? [["a", 0], ["b", state.run]]
      : [[state.mode, state.mode === "a" ? 0 : state.run]];
    modes.forEach(([mode, run], side) => {
      const texture = scene.colours[side];
      values.paint(texture.image.data, values.shown(state.layer, mode, run, 0, time), state.theme);
      texture.needsUpdate = true;
    });
  }

  draw() {
    const { renderer, view, scene } = this;
    this.paint();
    shared.uFogFrom.value = 1.3 * view.distance + 0.9 * Math.hypot(...scene.header.city.box.slice(2));
    renderer.setClearColor(THEMES[this.state.theme].ground, 1);
    scene.adapt(view.metresPerPixel, this.slow);
    const key = this.stillKey();
    if (this.keeps && this.state.playing && key === this.lastKey) {
      this.still ||= new Still(renderer);
      view.camera.layers.set(STILL);
      this.still.show(key, view.size, renderer.getPixelRatio(), (aim) => this.drawSides(aim, false));
      view.camera.layers.set(MOVING);
      renderer.autoClear = false;
      this.drawSides(null, true);
      renderer.autoClear = true;
    } else {
      view.camera.layers.enableAll();
      this.drawSides(null, true);
    }
    this.lastKey = key;
    this.ui.overlay();
    this.labels.place();
  }

  /** What the still part of the picture follows from. */
  stillKey() {
    const { state, view } = this;
    const marked = this.scene.touched ? this.sides().flatMap(([run]) => this.scene.touched.now(this.markedRun(run), this.clock)
      .map((m) => this.scene.touched.all.indexOf(m))) : [];
    return [this.painted, marked.join("+"), state.theme, state.split, state.street, state.building, this.ratio, ...view.size,
      ...Object.values(state.show), ...view.camera.position.toArray(), ...view.camera.quaternion.toArray()].join();
  }

  /** Draw each side of the picture; onto the canvas unless `aim` turns to another place. */
  drawSides(aim, moving) {
    const { renderer, view, scene } = this;
    const [w, height] = view.size;
    for (const [run, side, x, width] of this.sides()) {
      if (width < 1) continue;
      scene.turn(side);
      scene.mark(this.markedRun(run), this.clock, view.metresPerPixel);
      if (moving) scene.place(run, this.state.time);
      // A part of one picture: what lies beside it is culled.
      view.camera.setViewOffset(w, height, x, 0, width, height);
      if (aim) aim(x, width);
      else {
        renderer.setScissorTest(true);
        renderer.setViewport(x, 0, width, height);
        renderer.setScissor(x, 0, width, height);
      }
      renderer.render(scene.root, view.camera);
    }
    view.camera.clearViewOffset();
  }

  /** What lies under a pixel: a building before a street. */
  pick(px, py, touch) {
    const { view } = this;
    const building = this.state.show.buildings ? this.buildingAt(px, py) : -1;
    if (building >= 0) return this.set({ building, street: null, card: true });
    const at = view.groundAt(px, py);
    if (!at) return this.set({ street: null, building: null });
    const depth = Math.hypot(view.camera.position.x - at[0], view.camera.position.y - at[1], view.camera.position.z);
    const within = Math.max(7, (touch ? 24 : 14) * view.unitMpp * depth);
    const street = this.index.nearest(at[0], at[1], within);
    this.set({ street: street < 0 ? null : street, building: null, card: true });
    if (street < 0) return;
    const name = this.streetName[street];
    this.divide(name < 0 ? [street] : this.streetsOf(name), view.pose)?.(1);
    this.invalidate();
  }

  buildingAt(px, py) {
    const { view, scene, renderer } = this;
    const target = (this.pickTarget ||= new THREE.WebGLRenderTarget(1, 1, { colorSpace: THREE.NoColorSpace }));
    const [w, height] = view.size;
    const hidden = scene.root.children.filter((c) => c.visible && !scene.blocks.includes(c));
    for (const c of hidden) c.visible = false;
    scene.root.overrideMaterial = scene.picking;
    view.camera.layers.set(STILL);
    view.camera.setViewOffset(w, height, px, py, 1, 1);
    renderer.setScissorTest(false);
    renderer.setRenderTarget(target);
    renderer.setClearColor(0x000000, 0);
    renderer.clear();
    renderer.render(scene.root, view.camera);
    const rgba = new Uint8Array(4);
    renderer.readRenderTargetPixels(target, 0, 0, 1, 1, rgba);
    renderer.setRenderTarget(null);
    view.camera.clearViewOffset();
    scene.root.overrideMaterial = null;
    for (const c of hidden) c.visible = true;
    return rgba[0] + 256 * rgba[1] + 65536 * rgba[2] - 1;
  }

  /** Choose a street by name and look at it. */
  goTo(name, still = false) {
    const rows = this.streetsOf(name);
    this.set({ street: rows[0] ?? null, building: null, card: true });
    const pose = this.view.framed(this.boxOf(rows), { heading: this.view.heading, tilt: 45, least: 420 });
    this.view.fly(pose, still, this.divide(rows, pose));
  }

  boxOf(rows) {
    const { from, xy } = this.scene.axes;
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (const s of rows) {
      for (let k = from[s]; k < from[s + 1]; k++) {
        box[0] = Math.min(box[0], xy[2 * k]);
        box[1] = Math.min(box[1], xy[2 * k + 1]);
        box[2] = Math.max(box[2], xy[2 * k]);
        box[3] = Math.max(box[3], xy[2 * k + 1]);
      }
    }
    return box;
  }

  /** Go to a bookmark of the tour. */
  goToStop(k, still = false) {
    const stop = this.header.tour[k];
    if (!stop) return;
    const { header } = this;
    const changes = { ...this.begins, stop: k, speech: true, playing: Boolean(stop.play), building: null, street: null, card: false };
    if (stop.mode && header.runs.length > 1) changes.mode = stop.mode;
    if (stop.layer) changes.layer = stop.layer === "none" ? null : stop.layer;
    const run = header.runs.findIndex((r) => r.name === stop.alternative);
    if (run > 0) changes.run = run;
    if (stop.time && header.time) {
      const [hh, mm, ss = 0] = stop.time.split(":").map(Number);
      changes.time = Math.min(Math.max(hh * 3600 + mm * 60 + ss, header.time.begin), header.time.end);
    }
    const name = stop.street ? header.names.indexOf(stop.street) : -1;
    const rows = name >= 0 ? this.streetsOf(name) : [];
    if (rows.length) changes.street = rows[0];
    this.set(changes);
    this.ui.measure();
    const c = stop.camera;
    const [ox, oy] = header.city.origin;
    const pose = c ? { x: c.x - ox, y: c.y - oy, distance: c.distance_m, heading: c.heading_deg, tilt: c.tilt_deg }
      : rows.length ? this.view.framed(this.boxOf(rows), { tilt: 45, least: 520 }) : this.view.home();
    this.view.fly(pose, still, this.divide(rows.length ? rows : c ? [] : this.touchedNow(), pose));
  }

  setLanguage() {
    this.state.lang = this.state.lang === "de" ? "en" : "de";
    document.documentElement.lang = this.state.lang;
    if (this.webgl) this.changed();
    if (this.mine.shown) this.mine.render();
  }

  openMine(name) {
    if (this.webgl && name !== null && this.mine.shown) this.set({ street: this.streetsOf(name)[0] ?? null });
  }
}

/** Whether pictures are computed without a graphics card, where smooth edges would cost most. */
function software() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const about = gl && gl.getExtension("WEBGL_debug_renderer_info");
  const name = about ? gl.getParameter(about.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

function rendererOf(canvas, antialias) {
  try {
    const context = canvas.getContext("webgl2", { antialias, stencil: true, alpha: false, powerPreference: "high-performance" });
    if (!context) return null;
    const renderer = new THREE.WebGLRenderer({ canvas, context, antialias, stencil: true });
    renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // colours are meant as written
    renderer.sortObjects = true;
    return renderer;
  } catch {
    return null;
  }
}

THREE.ColorManagement.enabled = false; // colours are meant as written
openPayload().then((payload) => {
  window.twin = new App(payload);
  window.twin.start();
}).catch((error) => {
  const wait = document.getElementById("wait");
  if (wait) wait.textContent = "Dieser Browser ist zu alt. This browser is too old: Chrome 80, Firefox 113, Safari 16.4 or later.";
  throw error;
});
