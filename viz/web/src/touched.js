// What measures do to streets, on the ground: hazard tape and boards where they close one, else a dotted edge.
import * as THREE from "three";
import * as M from "./materials.js";

export const TAPE = ["#f5c400", "#262a33"];
const STRIPE_M = 6; // length of a stripe from near
const STRIPE_PX = 13; // and from afar
const BOARD = { height: 1.1, thick: 0.3, from: 0.3 }; // m
const BOARDS_MPP = 1.5; // from so many metres a pixel on, boards are too small to be seen

/** Whether what a measure does to streets holds at a second of the day. */
export function holds({ begin, end }, time) {
  return time === null || (begin <= time && (end === null || time < end));
}

/** What is said of it on the map: the alternative's title where its own words name a file. */
export function titleOf(entry, header, lang) {
  const text = entry.text[lang];
  const run = header.runs.find((r) => r.name === entry.run);
  return run && /\.(geo)?json\b|\.gpkg\b|\.shp\b/i.test(text) ? run.title[lang] : text;
}

/** Each measure once, in the order of the runs, with all streets that it touches. */
export function measuresOf(header) {
  const found = [];
  for (const e of header.touched || []) {
    if (!e.streets.length) continue;
    const run = header.runs.findIndex((r) => r.name === e.run);
    const same = found.find((o) => o.run === run && o.closes === e.closes && o.begin === e.begin && o.end === e.end
      && titleOf(o.entry, header, "en") === titleOf(e, header, "en"));
    if (same) same.streets = [...new Set([...same.streets, ...e.streets])];
    else found.push({ entry: e, run, closes: e.closes, begin: e.begin, end: e.end, streets: e.streets });
  }
  return found;
}

export class Touched {
  constructor(scene) {
    this.scene = scene;
    this.all = measuresOf(scene.header).map((m) => ({ ...m, parts: this.build(m) }));
  }

  build({ streets, closes }) {
    const { scene } = this;
    const { xy, from } = scene.axes;
    const [points, places, width, both] = [[], [], [], []];
    const all = { width: scene.array("street.width"), both: scene.array("street.both") };
    for (const s of streets) {
      points.push(from[s + 1] - from[s]);
      for (let k = 2 * from[s]; k < 2 * from[s + 1]; k++) places.push(xy[k]);
      width.push(all.width[s]);
      both.push(all.both[s]);
    }
    const shape = scene.ribbon(points, Float64Array.from(places), width, { along: true, shift: both });
    const material = M.tapeMaterial(scene.onGround("tape"), closes);
    material.uniforms.uColours.value = TAPE.map((c) => new THREE.Color(c));
    const parts = [this.add(new THREE.Mesh(shape, material), "tape")];
    if (closes) {
      const through = M.tapeMaterial(scene.onGround("tape"), closes, true);
      through.uniforms.uColours.value = material.uniforms.uColours.value;
      parts.push(this.add(new THREE.Mesh(shape, through), "tape"));
      parts[1].renderOrder = 25;
    }
    const boards = closes ? this.boards(streets) : null;
    if (boards) parts.push(this.add(new THREE.Mesh(boards, M.boardMaterial()), "board"));
    return parts;
  }

  add(mesh, kind) {
    mesh.frustumCulled = false;
    mesh.matrixAutoUpdate = false;
    mesh.userData.kind = kind;
    mesh.renderOrder = kind === "tape" ? this.scene.orderOf("tape") : 22;
    this.scene.root.add(mesh);
    return mesh;
  }

  /** Boards across both ends of the lanes of closed streets. */
  boards(streets) {
    const { scene } = this;
    const { lanes } = scene.network || {};
    if (!lanes) return null;
    const own = new Set(streets);
    const width = scene.array("lane.width");
    const at = [];
    const o = [0, 0, 0];
    scene.array("lane.street").forEach((s, lane) => {
      if (!own.has(s)) return;
      const length = lanes.lengths[lane];
      for (const metres of [Math.min(2, length), Math.max(length - 2, 0)]) {
        lanes.at(lane, metres, o);
        at.push(o[0], o[1], scene.ground.height(o[0], o[1]) + BOARD.from, o[2], width[lane] - 0.4);
      }
    });
    if (!at.length) return null;
    const box = new THREE.BoxGeometry(1, 1, 1);
    box.translate(0, 0, 0.5);
    const shape = new THREE.InstancedBufferGeometry();
    shape.setIndex(box.index);
    shape.setAttribute("position", box.getAttribute("position"));
    shape.setAttribute("at", new THREE.InstancedBufferAttribute(Float32Array.from(at.filter((_, k) => k % 5 < 4)), 4));
    const size = Float32Array.from({ length: (at.length / 5) * 3 }, (_, k) => [BOARD.thick, at[5 * Math.floor(k / 3) + 4], BOARD.height][k % 3]);
    shape.setAttribute("size", new THREE.InstancedBufferAttribute(size, 3));
    shape.instanceCount = at.length / 5;
    return shape;
  }

  /** What holds of a run (none where it is null) at a time. */
  now(run, time) {
    return this.all.filter((m) => m.run === run && holds(m, time));
  }

  /** Show what holds in a run at a time, at so many metres a pixel. */
  show(run, time, mpp, theme) {
    const stripe = STRIPE_M * 2 ** Math.max(0, Math.ceil(Math.log2((STRIPE_PX * mpp) / STRIPE_M)));
    const dot = 2 ** Math.ceil(Math.log2(4 * mpp));
    const now = new Set(this.now(run, time));
    for (const m of this.all) {
      for (const mesh of m.parts) {
        mesh.visible = now.has(m) && (mesh.userData.kind === "tape" || mpp < BOARDS_MPP);
        if (mesh.userData.kind !== "tape") continue;
        mesh.material.uniforms.uStripe.value = m.closes ? stripe : dot;
        mesh.material.uniforms.uInk.value.set(theme.dots);
      }
    }
  }
}
