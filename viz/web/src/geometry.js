// Triangles from footprints and lines; pure functions on flat arrays.
import earcut from "earcut";

/**
 * Polygons from packed arrays.
 *
 * `rings` counts the rings of each polygon, `points` the points of each ring, `xy` is flat.
 * Calls `visit(polygon, coordinates, holes)` with the flat points of one polygon and the
 * indices at which its holes begin.
 */
export function eachPolygon(rings, points, xy, visit) {
  let ring = 0;
  let at = 0;
  for (let p = 0; p < rings.length; p++) {
    const holes = [];
    const from = at;
    for (let r = 0; r < rings[p]; r++, ring++) {
      if (r > 0) holes.push((at - from) / 2);
      at += points[ring] * 2;
    }
    visit(p, xy.subarray(from, at), holes);
  }
}

/** Flat triangles of all polygons: positions (xyz) and indices. */
export function flatAreas(rings, points, xy, heightAt) {
  const position = new Float32Array((xy.length / 2) * 3);
  const index = [];
  let base = 0;
  eachPolygon(rings, points, xy, (_, c, holes) => {
    for (const i of earcut(c, holes, 2)) index.push(base + i);
    for (let k = 0; k < c.length; k += 2) {
      const o = (base + k / 2) * 3;
      position[o] = c[k];
      position[o + 1] = c[k + 1];
      position[o + 2] = heightAt(c[k], c[k + 1]);
    }
    base += c.length / 2;
  });
  return { position, index: new Uint32Array(index) };
}

/**
 * Blocks on footprints: shared corners at foot and top, walls and roofs, and the roofs' edges.
 *
 * `rows` names the building of each polygon; returns position, height above the foot, row of each
 * corner, indices of triangles and of edge lines.
 */
export function blocks(rings, points, xy, rows, foot, height) {
  const n = xy.length / 2;
  const position = new Float32Array(n * 6);
  const above = new Float32Array(n * 2);
  const row = new Float32Array(n * 2);
  const index = [];
  const edges = [];
  let base = 0;
  eachPolygon(rings, points, xy, (p, c, holes) => {
    const b = rows[p];
    const count = c.length / 2;
    for (let k = 0; k < count; k++) {
      for (let top = 0; top < 2; top++) {
        const v = base + top * count + k;
        position.set([c[2 * k], c[2 * k + 1], foot[b] + (top ? height[b] : 0)], v * 3);
        above[v] = top ? height[b] : 0;
        row[v] = b;
      }
    }
    for (const i of earcut(c, holes, 2)) index.push(base + count + i);
    const starts = [0, ...holes, count];
    for (let r = 0; r + 1 < starts.length; r++) {
      for (let k = starts[r]; k < starts[r + 1]; k++) {
        const next = k + 1 < starts[r + 1] ? k + 1 : starts[r];
        const [a, d] = [base + k, base + next];
        index.push(a, d, d + count, a, d + count, a + count);
        edges.push(a + count, d + count, a, a + count);
      }
    }
    base += 2 * count;
  });
  return { position, above, row, index: new Uint32Array(index), edges: new Uint32Array(edges) };
}

/**
 * Ribbons along lines: two corners a point, with the way aside, for a shader that sets the width.
 *
 * `count` is the number of points of each line. Returns centre (xyz), aside (xy, mitred) and line
 * of each corner, and indices.
 */
export function ribbons(count, xy, heightAt) {
  const n = xy.length / 2;
  const centre = new Float32Array(n * 6);
  const aside = new Float32Array(n * 4);
  const line = new Float32Array(n * 2);
  const along = new Float32Array(n * 2);
  const index = new Uint32Array(Math.max(0, n - count.length) * 6);
  let at = 0;
  let i = 0;
  for (let l = 0; l < count.length; l++) {
    let run = 0;
    for (let k = 0; k < count[l]; k++, at++) {
      const [x, y] = [xy[2 * at], xy[2 * at + 1]];
      const before = k > 0 ? unit(xy, at - 1, at) : null;
      const after = k + 1 < count[l] ? unit(xy, at, at + 1) : null;
      if (before) run += before[2];
      const [nx, ny] = mitre(before || after, after || before);
      const z = heightAt(x, y);
      for (let side = 0; side < 2; side++) {
        const v = at * 2 + side;
        const s = side ? 1 : -1;
        centre.set([x, y, z], v * 3);
        aside.set([nx * s, ny * s], v * 2);
        line[v] = l;
        along[v] = run;
      }
      if (after) {
        const v = at * 2;
        index.set([v, v + 2, v + 1, v + 1, v + 2, v + 3], i);
        i += 6;
      }
    }
  }
  return { centre, aside, line, along, index: index.subarray(0, i) };
}

function unit(xy, a, b) {
  const dx = xy[2 * b] - xy[2 * a];
  const dy = xy[2 * b + 1] - xy[2 * a + 1];
  const d = Math.hypot(dx, dy);
  return d > 1e-9 ? [dx / d, dy / d, d] : [1, 0, 0];
}

function mitre(a, b) {
  if (!a) return [0, 1];
  let nx = -(a[1] + b[1]);
  let ny = a[0] + b[0];
  const size = Math.hypot(nx, ny);
  if (size < 1e-6) return [-a[1], a[0]];
  nx /= size;
  ny /= size;
  const cos = -nx * a[1] + ny * a[0];
  const long = Math.min(1 / Math.max(cos, 0.3), 2);
  return [nx * long, ny * long];
}

/** Length of each prefix of one polyline: lengths[k] metres from its start to point k. */
export function prefixLengths(xy, from, count) {
  const out = new Float64Array(count);
  for (let k = 1; k < count; k++) {
    const a = (from + k - 1) * 2;
    out[k] = out[k - 1] + Math.hypot(xy[a + 2] - xy[a], xy[a + 3] - xy[a + 1]);
  }
  return out;
}
