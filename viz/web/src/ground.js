// The ground: level, or a grid of heights that everything lies on.
import * as THREE from "three";

const LIFT_M = 0.12; // of what is draped over relief

/** The ground of the data: a height at each place, and how areas are laid on it. */
export function groundOf(array) {
  const frame = array("terrain.frame");
  if (!frame) {
    return {
      relief: false,
      height: () => 0,
      mesh: () => null,
      draped: (position, index) => shapeOf(position, index),
    };
  }
  const [x0, y0, step, nx, ny] = frame;
  const heights = array("terrain.height");
  const height = (x, y) => {
    const u = Math.min(Math.max((x - x0) / step, 0), nx - 1.001);
    const v = Math.min(Math.max((y - y0) / step, 0), ny - 1.001);
    const [i, j] = [Math.floor(u), Math.floor(v)];
    const [s, t] = [u - i, v - j];
    const a = heights[j * nx + i];
    const b = heights[j * nx + i + 1];
    const c = heights[(j + 1) * nx + i + 1];
    const d = heights[(j + 1) * nx + i];
    return s > t ? a + (b - a) * s + (c - b) * t : a + (c - d) * s + (d - a) * t;
  };
  const mesh = () => {
    const position = new Float32Array(nx * ny * 3);
    const index = [];
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const k = j * nx + i;
        position.set([x0 + i * step, y0 + j * step, heights[k] - LIFT_M], 3 * k);
        if (i + 1 < nx && j + 1 < ny) index.push(k, k + 1, k + nx + 1, k, k + nx + 1, k + nx);
      }
    }
    return shapeOf(position, new Uint32Array(index));
  };
  return {
    relief: true,
    height,
    mesh,
    draped: (position, index) => {
      const cut = divided(position, index, 1.5 * step);
      for (let k = 0; k < cut.position.length; k += 3) {
        cut.position[k + 2] = height(cut.position[k], cut.position[k + 1]);
      }
      return shapeOf(cut.position, cut.index);
    },
  };
}

function shapeOf(position, index) {
  const shape = new THREE.BufferGeometry();
  shape.setAttribute("position", new THREE.BufferAttribute(position, 3));
  shape.setIndex(new THREE.BufferAttribute(index, 1));
  return shape;
}

/** Triangles cut at their longest edges until none is longer than `most` metres. */
export function divided(position, index, most) {
  const points = Array.from(position);
  const middle = new Map();
  const out = [];
  const stack = [];
  for (let k = 0; k < index.length; k += 3) stack.push([index[k], index[k + 1], index[k + 2]]);
  const long = (a, b) => Math.hypot(points[3 * a] - points[3 * b], points[3 * a + 1] - points[3 * b + 1]);
  while (stack.length) {
    const [a, b, c] = stack.pop();
    const [ab, bc, ca] = [long(a, b), long(b, c), long(c, a)];
    const top = Math.max(ab, bc, ca);
    if (top <= most) {
      out.push(a, b, c);
      continue;
    }
    const [p, q, r] = top === ab ? [a, b, c] : top === bc ? [b, c, a] : [c, a, b];
    const key = p < q ? `${p},${q}` : `${q},${p}`;
    let m = middle.get(key);
    if (m === undefined) {
      m = points.length / 3;
      for (let k = 0; k < 3; k++) points.push((points[3 * p + k] + points[3 * q + k]) / 2);
      middle.set(key, m);
    }
    stack.push([p, m, r], [m, q, r]);
  }
  return { position: new Float32Array(points), index: new Uint32Array(out) };
}
