// The eye: a camera over a map, moved by hand, by keys and by bookmarks; what lies under a pixel.
import * as THREE from "three";
import { MapControls } from "three/addons/controls/MapControls.js";

const FOV = 30;
const HOME = { heading: 18, tilt: 48 };

export class View {
  constructor(element, box, hull, height, changed) {
    this.box = box;
    this.hull = hull; // places [x, y] that the whole city's picture must hold
    this.height = height;
    this.camera = new THREE.PerspectiveCamera(FOV, 1, 1, 10000);
    this.camera.up.set(0, 0, 1);
    const c = new MapControls(this.camera, element);
    c.enableDamping = false;
    c.maxPolarAngle = (76 * Math.PI) / 180;
    c.minDistance = 30;
    c.zoomToCursor = true;
    c.zoomSpeed = 1.4;
    this.controls = c;
    this.changed = changed;
    c.addEventListener("change", () => { this.adapt(); changed(); });
    c.addEventListener("start", () => { this.flight = null; });
    this.size = [1, 1];
    this.margins = { left: 0, right: 0, top: 0, bottom: 0 };
  }

  resize(width, height) {
    this.size = [width, height];
    this.camera.aspect = width / height;
    this.adapt();
  }

  get distance() {
    return this.camera.position.distanceTo(this.controls.target);
  }

  /** Near and far as tight as the height over ground allows, and the target within the city. */
  adapt() {
    const [w, s, e, n] = this.box;
    const { target } = this.controls;
    const span = Math.hypot(e - w, n - s);
    this.controls.maxDistance = span * 3.2;
    const to = new THREE.Vector3(Math.min(Math.max(target.x, w), e), Math.min(Math.max(target.y, s), n), target.z);
    this.camera.position.add(to.clone().sub(target));
    target.copy(to);
    const up = Math.max(8, this.camera.position.z - this.height(this.camera.position.x, this.camera.position.y));
    this.camera.near = Math.max(1, up * 0.18);
    this.camera.far = this.distance + span * 2.5 + up * 4;
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld();
  }

  get heading() { // degrees; 0 looks north
    const d = this.controls.target.clone().sub(this.camera.position);
    return (Math.atan2(d.x, d.y) * 180) / Math.PI;
  }

  get tilt() {
    const d = this.camera.position.clone().sub(this.controls.target);
    return (Math.acos(Math.min(1, d.z / d.length())) * 180) / Math.PI;
  }

  get pose() {
    const t = this.controls.target;
    return { x: t.x, y: t.y, distance: this.distance, heading: this.heading, tilt: this.tilt };
  }

  set pose(p) {
    const z = this.height(p.x, p.y);
    const [a, b] = [(p.heading * Math.PI) / 180, (Math.max(p.tilt, 0.5) * Math.PI) / 180];
    this.controls.target.set(p.x, p.y, z);
    this.camera.position.set(p.x - Math.sin(a) * Math.sin(b) * p.distance,
      p.y - Math.cos(a) * Math.sin(b) * p.distance, z + Math.cos(b) * p.distance);
    this.controls.update();
    this.adapt();
    this.changed();
  }

  /** The pose from which a rectangle fills what the panels leave free of the picture. */
  framed([w, s, e, n], more = {}) {
    const places = more.places || [[w, s], [e, s], [e, n], [w, n]];
    const heading = more.heading ?? HOME.heading;
    const tilt = more.tilt ?? HOME.tilt;
    const [width, height] = this.size;
    const m = this.margins;
    const free = [Math.max(120, width - m.left - m.right), Math.max(120, height - m.top - m.bottom)];
    let pose = { x: (w + e) / 2, y: (s + n) / 2, distance: Math.hypot(e - w, n - s) * 1.5 + 60, heading, tilt };
    for (let k = 0; k < 12; k++) {
      const seen = this.from(pose, () => places.map(([x, y]) => this.pixel(x, y, this.height(x, y))));
      const xs = seen.map((p) => p[0]);
      const ys = seen.map((p) => p[1]);
      const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const over = Math.max((x1 - x0) / free[0], (y1 - y0) / free[1]);
      const mpp = (2 * pose.distance * Math.tan((FOV * Math.PI) / 360)) / height;
      const dx = ((x0 + x1) / 2 - (m.left + free[0] / 2)) * mpp;
      const dy = (((y0 + y1) / 2 - (m.top + free[1] / 2)) * mpp) / Math.max(0.3, Math.cos((tilt * Math.PI) / 180));
      const a = (heading * Math.PI) / 180;
      pose = { ...pose, x: pose.x + dx * Math.cos(a) - dy * Math.sin(a), y: pose.y - dx * Math.sin(a) - dy * Math.cos(a),
        distance: Math.max(more.least || 60, pose.distance * Math.min(2, Math.max(0.5, over))) };
    }
    return pose;
  }

  /** What is found while the camera stands at a pose, from which it comes back unseen. */
  from(pose, find) {
    const kept = [this.camera.position.clone(), this.controls.target.clone()];
    const held = this.changed;
    this.changed = () => {};
    this.pose = pose;
    const found = find();
    this.camera.position.copy(kept[0]);
    this.controls.target.copy(kept[1]);
    this.controls.update();
    this.adapt();
    this.changed = held;
    return found;
  }

  /** The whole city, from the side from which it fills the picture best. */
  home() {
    const places = this.hull;
    const poses = [18, -20, 50, -50, 80, -80].map((heading) => this.framed(this.box, { heading, places }));
    const worth = (p) => p.distance * (1 + 0.0022 * Math.abs(p.heading)); // rather look north
    return poses.reduce((best, p) => (worth(p) < worth(best) ? p : best));
  }

  /** Go to a pose; `along` is told of how much of the way, 0 to 1, is done. */
  fly(pose, still, along = null) {
    if (still || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.flight = null;
      along?.(1);
      this.pose = pose;
      return;
    }
    const from = this.pose;
    let turn = (pose.heading - from.heading) % 360;
    if (turn > 180) turn -= 360;
    if (turn < -180) turn += 360;
    this.flight = { from, to: { ...pose, heading: from.heading + turn }, at: 0, along };
    this.changed();
  }

  /** Move on along a flight; whether it goes on. */
  step(seconds) {
    const f = this.flight;
    if (!f) return false;
    f.at = Math.min(1, f.at + Math.min(seconds, 0.1) / 1.4);
    const s = f.at * f.at * (3 - 2 * f.at);
    const p = {};
    for (const k of ["x", "y", "heading", "tilt"]) p[k] = f.from[k] + (f.to[k] - f.from[k]) * s;
    p.distance = Math.exp(Math.log(f.from.distance) + (Math.log(f.to.distance) - Math.log(f.from.distance)) * s);
    f.along?.(s);
    this.pose = p;
    if (f.at >= 1 && this.flight === f) this.flight = null;
    return Boolean(this.flight);
  }

  /** Move over the ground by shares of the picture, turn and zoom. */
  nudge({ right = 0, up = 0, turn = 0, zoom = 1 }) {
    const p = this.pose;
    const a = (p.heading * Math.PI) / 180;
    const d = p.distance;
    this.pose = { ...p, x: p.x + d * (right * Math.cos(a) + up * Math.sin(a)),
      y: p.y + d * (up * Math.cos(a) - right * Math.sin(a)), heading: p.heading + turn,
      distance: Math.min(Math.max(d * zoom, 30), this.controls.maxDistance) };
  }

  pixel(x, y, z) {
    const v = new THREE.Vector3(x, y, z).project(this.camera);
    return [((v.x + 1) / 2) * this.size[0], ((1 - v.y) / 2) * this.size[1], v.z];
  }

  /** Where the ray through a pixel meets the ground; null in the sky. */
  groundAt(px, py) {
    const v = new THREE.Vector3((px / this.size[0]) * 2 - 1, 1 - (py / this.size[1]) * 2, 0.5).unproject(this.camera);
    const eye = this.camera.position;
    const d = v.sub(eye);
    let z = this.controls.target.z;
    for (let k = 0; k < 6; k++) {
      if (d.z >= -1e-9) return null;
      const t = (z - eye.z) / d.z;
      const [x, y] = [eye.x + d.x * t, eye.y + d.y * t];
      const here = this.height(x, y);
      if (Math.abs(here - z) < 0.05 || k === 5) return [x, y];
      z = here;
    }
    return null;
  }

  /** Metres of a pixel in the middle of the picture. */
  get metresPerPixel() {
    return (2 * this.distance * Math.tan((FOV * Math.PI) / 360)) / this.size[1];
  }

  get unitMpp() {
    return (2 * Math.tan((FOV * Math.PI) / 360)) / this.size[1];
  }
}
