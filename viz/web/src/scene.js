// The picture: what is built once from the data, and how a moment of it is drawn.
import * as THREE from "three";
import { blocks, flatAreas, ribbons } from "./geometry.js";
import * as M from "./materials.js";
import { groundOf } from "./ground.js";
import { MOVING } from "./still.js";
import { LIGHTS_OFF, THEMES } from "./theme.js";
import { Touched } from "./touched.js";
import { Traffic, Ways } from "./traffic.js";

// What lies on the ground, from below to above.
const ORDER = ["ground", "green", "water", "road", "marking", "shadow", "edge", "halo", "band", "tape"];
const order = (name) => ORDER.indexOf(name);

export class Scene {
  constructor(payload) {
    const { header, array } = payload;
    this.header = header;
    this.array = array;
    this.root = new THREE.Scene();
    this.ground = groundOf(array);
    this.draped = this.ground.relief;
    this.parts = {};
    this.buildGround();
    this.buildRoads();
    this.buildBuildings();
    this.buildTrees();
    this.buildBands();
    this.touched = this.axes ? new Touched(this) : null;
    this.buildTraffic();
    this.setTheme("light");
  }

  add(name, object, z) {
    object.frustumCulled = false;
    object.renderOrder = z;
    object.matrixAutoUpdate = false;
    this.parts[name] = object;
    this.root.add(object);
    return object;
  }

  orderOf(name) { return order(name); }

  onGround(name) {
    return M.onGround(this.draped, order(name));
  }

  areas(name) {
    const rings = this.array(`${name}.rings`);
    if (!rings || !rings.length) return null;
    const { position, index } = flatAreas(rings, this.array(`${name}.points`),
      this.array(`${name}.xy`), this.ground.height);
    return this.ground.draped(position, index);
  }

  buildGround() {
    const relief = this.ground.mesh();
    if (relief) this.add("ground", new THREE.Mesh(relief, M.terrainMaterial("#fff")), 0);
    if (!relief && !this.array("street.points").length) { // houses alone would float in the air
      const [w, s, e, n] = this.header.city.box;
      const plate = this.ground.draped(new Float32Array([w, s, 0, e, s, 0, e, n, 0, w, n, 0]), new Uint32Array([0, 1, 2, 0, 2, 3]));
      this.add("plate", new THREE.Mesh(plate, M.flatMaterial("#fff", this.onGround("ground"))), order("ground"));
    }
    for (const name of ["green", "water"]) {
      const shape = this.areas(name);
      if (shape) this.add(name, new THREE.Mesh(shape, M.flatMaterial("#fff", this.onGround(name))),
        order(name));
    }
  }

  ribbon(points, xy, width, more = {}) {
    const r = ribbons(points, xy, this.ground.height);
    const shape = new THREE.BufferGeometry();
    const n = r.line.length;
    const half = new Float32Array(n);
    const shift = new Float32Array(n);
    const side = new Float32Array(n);
    for (let k = 0; k < n; k++) {
      half[k] = width[r.line[k]] / 2;
      side[k] = k % 2 ? 1 : -1;
      if (more.shift) shift[k] = more.shift[r.line[k]];
    }
    shape.setAttribute("position", new THREE.BufferAttribute(r.centre, 3));
    shape.setAttribute("aside", new THREE.BufferAttribute(r.aside, 2));
    shape.setAttribute("side", new THREE.BufferAttribute(side, 1));
    shape.setAttribute("halfWidth", new THREE.BufferAttribute(half, 1));
    shape.setAttribute("shift", new THREE.BufferAttribute(shift, 1));
    if (more.along) {
      shape.setAttribute("along", new THREE.BufferAttribute(r.along, 1));
      shape.setAttribute("dash", new THREE.BufferAttribute(new Float32Array(n), 1));
    }
    if (more.rows) shape.setAttribute("street", new THREE.BufferAttribute(r.line, 1));
    shape.setIndex(new THREE.BufferAttribute(r.index, 1));
    return shape;
  }

  buildRoads() {
    const { array } = this;
    const settings = this.onGround("road");
    const junctions = this.areas("junction");
    if (junctions) this.add("junctions", new THREE.Mesh(junctions, M.flatMaterial("#fff", settings)),
      order("road"));
    const lanePoints = array("lane.points");
    if (!lanePoints.length) return;
    const laneXy = array("lane.xy");
    const width = array("lane.width");
    const movePoints = array("move.points");
    const moveXy = array("move.xy");
    const from = array("move.lane");
    const kerb = 1.0;
    const wide = (k) => width[k] + kerb;
    this.add("lanes", new THREE.Mesh(this.ribbon(lanePoints, laneXy, Float32Array.from(width, (w) => w + kerb)),
      M.ribbonMaterial("#fff", 1.3, settings)), order("road"));
    this.add("moves", new THREE.Mesh(this.ribbon(movePoints, moveXy, Float32Array.from(from, wide)),
      M.ribbonMaterial("#fff", 0, settings)), order("road"));
    const dashes = array("marking.points");
    if (dashes && dashes.length) {
      this.add("markings", new THREE.Mesh(
        this.ribbon(dashes, array("marking.xy"), new Float32Array(dashes.length).fill(0.16), { along: true }),
        M.markingMaterial("#fff", this.onGround("marking"))), order("marking"));
    }
    const lengths = array("lane.length");
    const to = array("move.to");
    const rows = new Map();
    const street = array("lane.street");
    for (let m = from.length - 1; m >= 0; m--) {
      rows.set(`s${street[from[m]]},${street[to[m]]}`, m);
      rows.set(from[m] * lengths.length + to[m], m);
    }
    this.network = {
      lanes: new Ways(lanePoints, laneXy, lengths), moves: new Ways(movePoints, moveXy, array("move.length")),
      speed: array("lane.speed"), wait: array("move.wait"), moveSpeed: array("move.speed"),
      movement: (a, b) => rows.get(a * lengths.length + b)
        ?? rows.get(`s${street[a]},${street[b]}`) ?? -1,
    };
  }

  buildBuildings() {
    const { array } = this;
    const b = blocks(array("building.rings"), array("building.points"), array("building.xy"),
      array("building.row"), array("building.base"), array("building.height"));
    const shape = new THREE.BufferGeometry();
    shape.setAttribute("position", new THREE.BufferAttribute(b.position, 3));
    shape.setAttribute("above", new THREE.BufferAttribute(b.above, 1));
    shape.setAttribute("row", new THREE.BufferAttribute(b.row, 1));
    const [block, shadow, edge] = [M.blockMaterial(), M.shadowMaterial(this.onGround("shadow")), M.edgeMaterial()];
    this.picking = M.pickMaterial();
    this.blocks = [];
    this.shadows = [];
    this.edges = [];
    for (const part of tiled(shape, b.index)) {
      this.shadows.push(this.tile(new THREE.Mesh(part, shadow), order("shadow")));
      this.blocks.push(this.tile(new THREE.Mesh(part, block), 20));
    }
    for (const part of tiled(shape, b.edges, 2)) this.edges.push(this.tile(new THREE.LineSegments(part, edge), 21));
    const faces = this.facesOfModels();
    if (faces) {
      const index = Uint32Array.from({ length: faces.getAttribute("position").count }, (_, k) => k);
      for (const part of tiled(faces, index)) {
        this.shadows.push(this.tile(new THREE.Mesh(part, shadow), order("shadow")));
        this.blocks.push(this.tile(new THREE.Mesh(part, block), 20));
      }
    }
    this.parts.blocks = { material: block, visible: true };
    this.parts.shadow = { material: shadow, visible: true };
    this.parts.edges = { material: edge, visible: true };
  }

  /** A part of the city, which is drawn only where it is in the picture. */
  tile(object, z) {
    object.renderOrder = z;
    object.matrixAutoUpdate = false;
    this.root.add(object);
    return object;
  }

  /** Roofs and walls of buildings whose shape is known. */
  facesOfModels() {
    const xyz = this.array("face.xyz");
    if (!xyz || !xyz.length) return null;
    const rows = this.array("face.row");
    const low = new Map();
    for (let t = 0; t < rows.length; t++) {
      for (let c = 0; c < 3; c++) {
        const z = xyz[(3 * t + c) * 3 + 2];
        if (!(low.get(rows[t]) <= z)) low.set(rows[t], z);
      }
    }
    const row = new Float32Array(rows.length * 3);
    const above = new Float32Array(rows.length * 3);
    const tile = new Float32Array(rows.length * 3);
    const roof = this.array("face.roof");
    for (let k = 0; k < row.length; k++) {
      tile[k] = roof[(k / 3) | 0];
      row[k] = rows[(k / 3) | 0];
      above[k] = xyz[3 * k + 2] - low.get(row[k]);
    }
    const shape = new THREE.BufferGeometry();
    shape.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(xyz), 3));
    shape.setAttribute("above", new THREE.BufferAttribute(above, 1));
    shape.setAttribute("row", new THREE.BufferAttribute(row, 1));
    shape.setAttribute("tile", new THREE.BufferAttribute(tile, 1));
    return shape;
  }

  buildTrees() {
    const xyz = this.array("tree.xyz");
    if (!xyz || !xyz.length) return;
    const height = this.array("tree.height");
    const n = height.length;
    const at = new Float32Array(n * 4);
    let k = 0; // in an order that leaves a forest a forest when some are left out
    for (let i = 0; i < n; i++) {
      at.set([xyz[3 * k], xyz[3 * k + 1], xyz[3 * k + 2], height[k]], 4 * i);
      k = (k + coprime(n)) % n;
    }
    const shape = new THREE.InstancedBufferGeometry();
    const tree = treeShape();
    shape.setAttribute("position", new THREE.BufferAttribute(tree.position, 3));
    shape.setIndex(tree.index);
    shape.setAttribute("at", new THREE.InstancedBufferAttribute(at, 4));
    this.add("trees", new THREE.Mesh(shape, M.treeMaterial()), 22);
  }

  buildBands() {
    const { array } = this;
    const points = array("street.points");
    this.streets = points.length;
    if (!points.length) return;
    const xy = array("street.xy");
    this.axes = new Ways(points, xy, null);
    const shape = this.ribbon(points, xy, array("street.width"),
      { rows: true, shift: array("street.both") });
    const rows = Math.max(1, Math.ceil(this.streets / 1024));
    this.textureRows = rows;
    const names = new Float32Array(1024 * rows).fill(-1);
    names.set(Float32Array.from(array("street.name")));
    this.names = new THREE.DataTexture(names, 1024, rows, THREE.RedFormat, THREE.FloatType);
    this.names.needsUpdate = true;
    this.colours = [0, 1].map(() => {
      const texture = new THREE.DataTexture(new Uint8Array(4096 * rows), 1024, rows);
      texture.needsUpdate = true;
      return texture;
    });
    for (const [name, role, edge, z] of [["edge", 1, 5, order("edge")], ["halo", 1, 3.4, order("halo")], ["band", 0, 0, order("band")], ["ghost", 2, 0, 24]]) {
      const material = M.bandMaterial(this.onGround(role === 2 ? "band" : name), role, edge);
      material.uniforms.uNames.value = this.names;
      material.uniforms.uColours.value = this.colours[0];
      this.add(name, new THREE.Mesh(shape, material), z);
    }
  }

  buildTraffic() {
    const { header, array } = this;
    const runs = header.runs || [];
    this.traffic = runs.map((run, k) => (run.vehicles
      ? new Traffic(this.network, array, `run${k}`, header.time.begin, header.tau, header.spacing)
      : null));
    const most = Math.max(1, ...this.traffic.map((t) => (t && t.any ? t.room : 0)));
    const box = new THREE.BoxGeometry(1, 1, 1);
    box.translate(0, 0, 0.5);
    const shape = new THREE.InstancedBufferGeometry();
    shape.setIndex(box.index);
    shape.setAttribute("position", box.getAttribute("position"));
    shape.setAttribute("normal", box.getAttribute("normal"));
    this.at = new THREE.InstancedBufferAttribute(new Float32Array(most * 4), 4);
    this.look = new THREE.InstancedBufferAttribute(new Float32Array(most * 3), 3);
    for (const a of [this.at, this.look]) a.setUsage(THREE.DynamicDrawUsage);
    shape.setAttribute("at", this.at);
    shape.setAttribute("kind", this.look);
    shape.instanceCount = 0;
    this.add("vehicles", new THREE.Mesh(shape, M.vehicleMaterial()), 23).layers.set(MOVING);
    this.buildBars();
  }

  buildBars() {
    const ends = this.array("bar.ends");
    this.bars = ends ? ends.length / 4 : 0;
    if (!this.bars) return;
    const bar = new Float32Array(this.bars * 4);
    const size = new Float32Array(this.bars * 2);
    for (let k = 0; k < this.bars; k++) {
      const [ax, ay, bx, by] = ends.subarray(4 * k, 4 * k + 4);
      const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
      bar.set([x, y, this.ground.height(x, y), Math.atan2(by - ay, bx - ax) - Math.PI / 2], 4 * k);
      size.set([Math.hypot(bx - ax, by - ay), 1.2], 2 * k);
    }
    const shape = new THREE.InstancedBufferGeometry();
    const corners = [-0.5, -0.5, 0, 0.5, -0.5, 0, 0.5, 0.5, 0, -0.5, 0.5, 0];
    shape.setAttribute("position", new THREE.BufferAttribute(new Float32Array(corners), 3));
    shape.setIndex([0, 1, 2, 0, 2, 3]);
    shape.setAttribute("bar", new THREE.InstancedBufferAttribute(bar, 4));
    shape.setAttribute("size", new THREE.InstancedBufferAttribute(size, 2));
    this.light = new THREE.InstancedBufferAttribute(new Float32Array(this.bars).fill(LIGHTS_OFF), 1);
    shape.setAttribute("light", this.light);
    this.add("bars", new THREE.Mesh(shape, M.lightMaterial({ depthWrite: false, polygonOffset: true, polygonOffsetFactor: -12, polygonOffsetUnits: -200 })), 22)
      .layers.set(MOVING);
    this.parts.bars.material.uniforms.uTable.value =
      this.header.palette.lights.map((c) => new THREE.Color(c));
  }

  /** Colours of everything that carries no value. */
  setTheme(name) {
    const t = THEMES[name];
    const { palette } = this.header;
    this.theme = t;
    const set = (part, uniform, colour) => {
      if (this.parts[part]) this.parts[part].material.uniforms[uniform].value.set(colour);
    };
    M.shared.uFog.value.set(t.ground);
    set("ground", "uColour", t.ground);
    set("plate", "uColour", t.plate);
    for (const k of ["green", "water"]) set(k, "uColour", t[k]);
    for (const k of ["lanes", "moves", "junctions"]) set(k, "uColour", t.road);
    set("markings", "uColour", t.marking);
    set("blocks", "uRoof", t.roof);
    set("blocks", "uWall", t.wall);
    set("blocks", "uTile", t.tile);
    set("blocks", "uMark", t.mark);
    this.parts.shadow.material.uniforms.uDark.value = t.shadow;
    set("edges", "uColour", t.edge);
    set("trees", "uColour", t.tree);
    set("trees", "uTrunk", t.trunk);
    set("vehicles", "uMoving", name === "dark" ? "#58b7ff" : palette.drives);
    set("vehicles", "uStanding", palette.stands);
    set("vehicles", "uBody", t.body);
    set("edge", "uInk", t.rim);
    set("halo", "uInk", t.casing);
    set("band", "uNone", t.road);
  }

  show(layers) {
    this.shown = layers;
    const set = (name, on) => { if (this.parts[name]) this.parts[name].visible = on; };
    for (const block of this.blocks) block.visible = layers.buildings;
    set("trees", layers.trees);
    set("green", layers.nature);
    set("water", layers.nature);
    set("vehicles", layers.vehicles);
    set("bars", layers.signals);
    set("band", layers.values);
    set("ghost", layers.through && layers.values && layers.buildings);
  }

  choose(name, building) {
    for (const part of ["edge", "halo", "band"].filter((k) => this.parts[k])) {
      this.parts[part].material.uniforms.uChosen.value = name;
      if (part !== "band") this.parts[part].visible = name >= 0;
    }
    this.parts.blocks.material.uniforms.uChosen.value = building;
  }

  /** Leave out what is too small to be seen, at so many metres a pixel. */
  adapt(mpp, slow) {
    const { parts, shown } = this;
    const set = (list, on) => { for (const o of list) o.visible = on; };
    set(this.shadows, shown.buildings && shown.shadows && mpp < 5);
    set(this.edges, shown.buildings && mpp < 2);
    if (parts.moves) parts.moves.visible = mpp < 2.5;
    if (parts.markings) parts.markings.visible = mpp < 0.6;
    if (parts.bars) parts.bars.visible = shown.signals && mpp < 1;
    if (parts.trees) {
      const all = parts.trees.geometry.getAttribute("at").count;
      parts.trees.geometry.instanceCount = Math.ceil(all * Math.min(slow ? 0.5 : 1, Math.max(slow ? 0.12 : 0.35, 2.2 / mpp)));
    }
  }

  /** Streets in the colours of a side (0 or 1). */
  turn(side) {
    for (const name of ["edge", "halo", "band", "ghost"]) {
      if (this.parts[name]) this.parts[name].material.uniforms.uColours.value = this.colours[side];
    }
  }

  /** What measures of a run do to streets at a time. */
  mark(run, time, mpp) { this.touched?.show(run, time, mpp, this.theme); }

  /** Vehicles and lights of a run (none where it is null) at a time. */
  place(run, time) {
    const traffic = run === null ? null : this.traffic[run];
    const shape = this.parts.vehicles.geometry;
    shape.instanceCount = 0;
    if (traffic && this.parts.vehicles.visible && traffic.any) {
      const n = traffic.place(time, this.ground.height);
      this.at.array.set(traffic.at.subarray(0, 4 * n));
      this.look.array.set(traffic.look.subarray(0, 3 * n));
      for (const [a, width] of [[this.at, 4], [this.look, 3]]) {
        a.clearUpdateRanges();
        a.addUpdateRange(0, n * width);
        a.needsUpdate = true;
      }
      shape.instanceCount = n;
    }
    if (this.bars) {
      const lit = traffic ? traffic.lightsAt(time, this.light.array) : false;
      if (!lit) this.light.array.fill(LIGHTS_OFF);
      this.light.needsUpdate = true;
    }
  }
}

/** A step of about 0.618 n that visits all of n places. */
function coprime(n) {
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  let step = Math.max(1, Math.round(0.618 * n));
  while (gcd(step, n) > 1) step++;
  return step;
}

/** A shape cut into squares of a city, so that what is out of the picture costs nothing. */
function tiled(shape, index, corners = 3, size = 450) {
  const position = shape.getAttribute("position").array;
  const cells = new Map();
  for (let k = 0; k < index.length; k += corners) {
    const v = index[k] * 3;
    const key = `${Math.floor(position[v] / size)},${Math.floor(position[v + 1] / size)}`;
    let cell = cells.get(key);
    if (!cell) cells.set(key, (cell = []));
    for (let c = 0; c < corners; c++) cell.push(index[k + c]);
  }
  return [...cells.values()].map((own) => {
    const part = new THREE.BufferGeometry();
    for (const name of Object.keys(shape.attributes)) part.setAttribute(name, shape.getAttribute(name));
    part.setIndex(new THREE.BufferAttribute(new Uint32Array(own), 1));
    const box = new THREE.Box3();
    const p = new THREE.Vector3();
    for (const v of own) box.expandByPoint(p.fromArray(position, v * 3));
    box.expandByVector(p.set(40, 40, 10)); // shadows reach further
    part.boundingBox = box;
    part.boundingSphere = box.getBoundingSphere(new THREE.Sphere());
    return part;
  });
}

/** A tree 1 m high: a trunk, and a crown of two cones on one girdle. */
function treeShape() {
  const sides = 6;
  const points = [];
  const ring = (radius, z) => {
    for (let k = 0; k < sides; k++) {
      const a = (k / sides) * 2 * Math.PI;
      points.push(radius * Math.cos(a), radius * Math.sin(a), z);
    }
  };
  ring(0.05, 0);
  ring(0.4, 0.5);
  points.push(0, 0, 0.22, 0, 0, 1);
  const index = [];
  for (let k = 0; k < sides; k++) {
    const n = (k + 1) % sides;
    index.push(k, n, 2 * sides, sides + k, 2 * sides, sides + n, sides + k, sides + n, 2 * sides + 1);
  }
  return { position: new Float32Array(points), index };
}
