// Names of streets over the picture: few, the longest first, none over another.
import { h } from "./dom.js";

const MOST = 16;

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
    this.touched = (header.touched || []).map((e) => ({
      run: header.runs.findIndex((r) => r.name === e.run), text: e.text,
      rows: [...e.streets].sort((a, b) => length[b] - length[a]),
    })).filter((e, k, all) => all.findIndex((o) => o.run === e.run && o.text.en === e.text.en) === k);
  }

  /** What measures do, where B is seen. */
  pins() {
    const { state, view } = this.app;
    if (state.mode === "a" || !this.app.header.runs.length) return [];
    const from = state.mode === "swipe" ? state.split * view.size[0] : 0;
    return this.touched.filter((e) => e.run === state.run).slice(0, 6)
      .map((e) => ({ name: e.text[state.lang], rows: e.rows, pin: true, from }));
  }

  hide() { this.root.hidden = true; }

  /** Put names where they fit now. */
  place() {
    const { view, scene, state } = this.app;
    this.root.hidden = !state.show.labels;
    if (!state.show.labels) return;
    const [width, height] = view.size;
    const taken = [...document.querySelectorAll(".panel, .tag, #divider i")].map((e) => e.getBoundingClientRect())
      .filter((r) => r.width)
      .map((r) => [r.left - 6, r.top - 6, r.right + 6, r.bottom + 6]);
    const out = [];
    const pins = this.pins();
    const wanted = [...pins, ...this.order.slice(0, view.metresPerPixel > 6 ? 30 : 240)];
    const shown = pins.length + (width < 700 ? 7 : MOST);
    const at = [0, 0, 0];
    for (let k = 0; k < wanted.length && out.length < shown; k++) {
      const { name, rows, pin, from: left } = wanted[k];
      for (const row of rows.slice(0, 6)) {
        const from = scene.axes.from[row];
        const count = scene.axes.from[row + 1] - from;
        const xy = scene.axes.xy;
        const half = (from + (count >> 1)) * 2; // a point about half way
        at[0] = count === 2 ? (xy[2 * from] + xy[2 * from + 2]) / 2 : xy[half];
        at[1] = count === 2 ? (xy[2 * from + 1] + xy[2 * from + 3]) / 2 : xy[half + 1];
        const [x, y, z] = view.pixel(at[0], at[1], scene.ground.height(at[0], at[1]));
        if (pin && x < left) continue;
        const w = name.length * 3.7 + 8;
        const box = [x - w, y - 10, x + w, y + 10];
        if (z > 1 || box[0] < 4 || box[1] < 4 || box[2] > width - 4 || box[3] > height - 4) continue;
        if (taken.some((b) => b[0] < box[2] && b[2] > box[0] && b[1] < box[3] && b[3] > box[1])) continue;
        taken.push([box[0] - 30, box[1] - 14, box[2] + 30, box[3] + 14]);
        out.push([name, x, y, Boolean(pin)]);
        break;
      }
    }
    while (this.pool.length < out.length) this.pool.push(this.root.appendChild(h("span")));
    this.pool.forEach((e, k) => {
      e.hidden = k >= out.length;
      if (e.hidden) return;
      const [name, x, y, pin] = out[k];
      e.className = pin ? "pin" : "";
      if (e.textContent !== name) e.textContent = name;
      e.style.transform = `translate(-50%,-50%) translate(${x.toFixed(1)}px,${y.toFixed(1)}px)`;
    });
  }
}
