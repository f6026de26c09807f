import assert from "node:assert/strict";
import test from "node:test";
import { firstAbove, follow, nextPassages, NEVER, through } from "../src/trajectories.js";

test("the first value above a time", () => {
  assert.equal(firstAbove([1, 3, 3, 5], 0, 4, 3), 3);
  assert.equal(firstAbove([1, 3, 3, 5], 0, 4, 9), 4);
});

// Three cars of 7.5 m on 100 m at 10 m/s; the light lets them go at 30, 32 and 34 s.
const q = { enter: [0, 20, 40], leave: [300, 320, 340], speed: [10, 10, 10],
  spacing: [7.5, 7.5, 7.5], before: [0, 7.5, 15] };
const at = (t) => {
  const out = [];
  follow(q, 0, 3, t * 10, 100, 10, 1.4, (k, x, v) => out.push([k, Math.round(100 * x) / 100, v]));
  return out;
};

test("free at first, then a queue of three at the line", () => {
  assert.deepEqual(at(5), [[0, 50, 10], [1, 30, 10], [2, 10, 10]]);
  assert.deepEqual(at(25), [[0, 100, 0], [1, 92.5, 0], [2, 85, 0]]);
});

test("after the first has left, the second starts tau later", () => {
  assert.deepEqual(at(31), [[1, 92.5, 0], [2, 85, 0]]);
  assert.deepEqual(at(31.9), [[1, 99, 10], [2, 85, 0]]); // must be at the line at 32 s
});

test("nobody overlaps, nobody goes back", () => {
  let before = new Map();
  for (let t = 0; t < 34; t += 0.1) {
    const now = new Map(at(t).map(([k, x]) => [k, x]));
    for (const [k, x] of now) {
      if (before.has(k)) assert.ok(x >= before.get(k) - 0.02, `${k} at ${t}`);
    }
    before = now;
  }
});

test("through a junction: who waits stands at the waiting place and leaves in time", () => {
  assert.equal(through(50, 0, 100, 20, 0, 5, Infinity).x, 10);
  assert.deepEqual(through(50, 0, 100, 20, 8, 5, Infinity), { x: 8, v: 0 });
  assert.ok(Math.abs(through(99.9, 0, 100, 20, 8, 5, Infinity).x - 20) < 0.06);
});

test("the next passage of the same vehicle", () => {
  assert.deepEqual([...nextPassages([0, 1, 0, 1], [5, 0, 1, 9], 2)], [-1, 3, 0, -1]);
  assert.ok(NEVER > 1e8);
});
