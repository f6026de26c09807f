// Names of streets over the picture: few, the longest first, none over another.
import { h } from "./dom.js";
import { measuresOf } from "./touched.js";

const MOST = 16;
const WIDEST = 340; // pixels of a measure's label
const BESIDE = [[0, -58], [0, 58], [1, -44], [-1, -44], [1, 44], [-1, 44], [0, -96], [0, 96]]; // half widths, pixels

export class Labels {
  constructor(stage, app) {
    this.app = app;
    this.root = h("div", { id: "labels", "aria-hidden": "true" });
    stage.append(this.root);
    this.pool = [];
    const { header, array } = app;
    const names = array("street.name");
    const length = array("street.length");
    const lanes = array("street.lanes");
    const kmh = array("street.kmh");
    this.by = new Map();
    for (let s = 0; s < names.length; s++) {
      if (names[s] < 0) continue;
      const k = this.by.get(names[s]) || { name: header.names[names[s]], weight: 0, rows: [] };
      k.weight += length[s] * lanes[s] * (kmh[s] / 50);
      k.rows.push(s);
      this.by.set(names[s], k);
    }
    this.order = [...this.by.values()].sort((a, b) => b.weight - a.weight);
    for (const k of this.order) k.rows.sort((a, b) => length[b] - length[a]);
    this.touched = measuresOf(header).map((m) => ({ ...m, rows: [...m.streets].sort((a, b) => length[b] - length[a]) }));
    this.out = [];
    this.widths = new Map();
  }

  /** Where measures do something while B is seen, closures first; one of them gets the label. */
  pins() {
    const { state, view } = this.app;
    if (state.mode === "a" || !this.app.header.runs.length) return [];
    const from = state.mode === "swipe" ? state.split * view.size[0] : 0;
    const name = this.clipped(this.app.header.runs[state.run].title[state.lang]);
    const now = new Set(this.app.scene.touched?.now(state.run, this.app.clock).map((m) => m.entry));
    return this.touched.filter((m) => now.has(m.entry)).sort((a, b) => b.closes - a.closes)
      .map((m) => ({ name, rows: m.rows, from }));
  }

  /** A name, or what of it is not wider than a label may be. */
  clipped(name) {
    const most = Math.min(WIDEST, 0.6 * this.app.view.size[0]) / 2;
    let end = name.length;
    while (end > 1 && this.half(name.slice(0, end)) > most) end--;
    return end < name.length ? `${name.slice(0, end - 1).trimEnd()}…` : name;
  }

  /** Half of the room that a text takes, in pixels. */
  half(name) {
    if (!this.widths.has(name)) {
      this.pen ||= document.createElement("canvas").getContext("2d");
      this.pen.font = `600 ${this.app.view.size[0] <= 760 ? 12 : 14}px ${getComputedStyle(document.body).fontFamily}`;
      this.widths.set(name, this.pen.measureText(name).width / 2);
    }
    return this.widths.get(name);
  }

  /** Where a point half way along a street is seen. */
  middle(row) {
    const { view, scene } = this.app;
    const from = scene.axes.from[row];
    const count = scene.axes.from[row + 1] - from;
    const { xy } = scene.axes;
    const half = (from + (count >> 1)) * 2; // a point about half way
    const x = count === 2 ? (xy[2 * from] + xy[2 * from + 2]) / 2 : xy[half];
    const y = count === 2 ? (xy[2 * from + 1] + xy[2 * from + 3]) / 2 : xy[half + 1];
    return view.pixel(x, y, scene.ground.height(x, y));
  }

  /** A measure's label beside its streets, with a line to one of them; null where it finds no room. */
  pinned({ name, rows, from }, taken) {
    const { view, scene } = this.app;
    const [width, height] = view.size;
    const step = Math.ceil(rows.length / 60);
    const on = [];
    for (let k = 0; k < rows.length; k += step) {
      for (let i = scene.axes.from[rows[k]]; i < scene.axes.from[rows[k] + 1]; i++) {
        const [x, y] = [scene.axes.xy[2 * i], scene.axes.xy[2 * i + 1]];
        const p = view.pixel(x, y, scene.ground.height(x, y));
        if (p[2] <= 1) on.push(p);
      }
    }
    const w = this.half(name) + 14;
    let best = null;
    for (const row of rows.slice(0, 8)) {
      const [px, py, z] = this.middle(row);
      if (z > 1 || px < from || px > width || py < 0 || py > height) continue;
      if (taken.some((b) => b[0] < px && b[2] > px && b[1] < py && b[3] > py)) continue;
      for (const [dx, dy] of BESIDE) {
        const [x, y] = [px + dx * Math.max(110, w + 16), py + dy];
        const box = [x - w, y - 17, x + w, y + 17];
        if (box[0] < Math.max(4, from) || box[1] < 4 || box[2] > width - 4 || box[3] > height - 4 || clash(box, taken)) continue;
        const over = on.filter((p) => box[0] < p[0] && p[0] < box[2] && box[1] < p[1] && p[1] < box[3]).length;
        if (!best || over < best.over) best = { name, x, y, pin: true, anchor: [px, py], over, box };
        if (!over) return best;
      }
    }
    return best;
  }

  /** Put names where they fit now. */
  place() {
    const { view, state } = this.app;
    this.root.hidden = !state.show.labels;
    if (!state.show.labels) return;
    const [width, height] = view.size;
    const over = this.app.printing ? [] : [...document.querySelectorAll(".panel, .tag, #divider i")];
    const taken = over.map((e) => e.getBoundingClientRect())
      .filter((r) => r.width)
      .map((r) => [r.left - 6, r.top - 6, r.right + 6, r.bottom + 6]);
    const out = [];
    for (const wanted of this.pins()) {
      const found = this.pinned(wanted, taken);
      if (!found) continue;
      const [x, y] = found.anchor;
      taken.push(found.box, [x - 8, y - 8, x + 8, y + 8]);
      out.push(found);
      break;
    }
    const names = this.order.slice(0, view.metresPerPixel > 6 ? 30 : 240);
    const shown = out.length + (width < 700 ? 7 : MOST);
    for (let k = 0; k < names.length && out.length < shown; k++) {
      const { name, rows } = names[k];
      if (out.some((e) => e.pin && e.name.includes(name))) continue; // said already
      for (const row of rows.slice(0, 6)) {
        const [x, y, z] = this.middle(row);
        const w = this.half(name) + 6;
        const box = [x - w, y - 10, x + w, y + 10];
        if (z > 1 || box[0] < 4 || box[1] < 4 || box[2] > width - 4 || box[3] > height - 4) continue;
        if (clash(box, taken)) continue;
        taken.push([box[0] - 30, box[1] - 14, box[2] + 30, box[3] + 14]);
        out.push({ name, x, y });
        break;
      }
    }
    this.out = out;
    this.lead(out.find((e) => e.anchor));
    while (this.pool.length < out.length) this.pool.push(this.root.appendChild(h("span")));
    this.pool.forEach((e, k) => {
      e.hidden = k >= out.length;
      if (e.hidden) return;
      const { name, x, y, pin } = out[k];
      e.className = pin ? "pin" : "";
      if (e.textContent !== name) e.textContent = name;
      e.style.transform = `translate(-50%,-50%) translate(${x.toFixed(1)}px,${y.toFixed(1)}px)`;
    });
  }

  /** A thin line from a measure's label to what it names. */
  lead(pin) {
    const line = (this.line ||= this.root.appendChild(h("i", { className: "leader" })));
    line.hidden = !pin;
    if (!pin) return;
    const { x, y, anchor: [px, py] } = pin;
    line.style.width = `${Math.hypot(x - px, y - py).toFixed(1)}px`;
    line.style.transform = `translate(${px.toFixed(1)}px,${py.toFixed(1)}px) rotate(${Math.atan2(y - py, x - px).toFixed(4)}rad)`;
  }
}

function clash(box, taken) {
  return taken.some((b) => b[0] < box[2] && b[2] > box[0] && b[1] < box[3] && b[3] > box[1]);
}
