import assert from "node:assert/strict";
import test from "node:test";
import { blocks, flatAreas, ribbons } from "../src/geometry.js";
import { divided } from "../src/ground.js";

function area(position, index) {
  let sum = 0;
  for (let k = 0; k < index.length; k += 3) {
    const [a, b, c] = [0, 1, 2].map((i) => position.subarray(3 * index[k + i], 3 * index[k + i] + 2));
    sum += Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2;
  }
  return sum;
}

// Signed volume of a closed mesh by the divergence theorem, less the floor that blocks lack (z = 0).
function volume(position, index) {
  let sum = 0;
  for (let k = 0; k < index.length; k += 3) {
    const [a, b, c] = [0, 1, 2].map((i) => position.subarray(3 * index[k + i], 3 * index[k + i] + 3));
    sum += (a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2])
      + a[2] * (b[0] * c[1] - b[1] * c[0])) / 6;
  }
  return sum;
}

const outer = [0, 0, 10, 0, 10, 10, 0, 10];
const hole = [2, 2, 2, 5, 5, 5, 5, 2]; // runs the other way round

test("areas with holes keep their size", () => {
  const { position, index } = flatAreas([2], [4, 4], new Float64Array([...outer, ...hole]), () => 3);
  assert.ok(Math.abs(area(position, index) - (100 - 9)) < 1e-9);
  assert.equal(position[2], 3);
});

test("a block's outside faces outwards: its volume is area times height", () => {
  const b = blocks([2], [4, 4], new Float64Array([...outer, ...hole]), [0], [0], [7]);
  assert.ok(Math.abs(volume(b.position, b.index) - 91 * 7) < 1e-6);
  assert.equal(b.edges.length, 8 * 4); // a roof's edge and an upright each
});

test("a ribbon has two corners a point, its sides at right angles to the way", () => {
  const r = ribbons([2], new Float64Array([0, 0, 10, 0]), () => 0);
  assert.deepEqual([...r.aside].map((v) => v + 0), [0, -1, 0, 1, 0, -1, 0, 1]);
  assert.equal(r.index.length, 6);
  assert.equal(r.along[2], 10);
});

test("cutting triangles keeps their area and limits their edges", () => {
  const cut = divided(new Float32Array([0, 0, 0, 100, 0, 0, 0, 50, 0]), [0, 1, 2], 12);
  assert.ok(Math.abs(area(cut.position, cut.index) - 2500) < 1e-2);
  for (let k = 0; k < cut.index.length; k += 3) {
    for (let i = 0; i < 3; i++) {
      const [a, b] = [cut.index[k + i] * 3, cut.index[k + ((i + 1) % 3)] * 3];
      assert.ok(Math.hypot(cut.position[a] - cut.position[b], cut.position[a + 1] - cut.position[b + 1]) <= 12.001);
    }
  }
});
