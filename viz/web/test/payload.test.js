import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { bytesOf, decoded, inflated } from "../src/payload.js";

test("base64 and gzip", async () => {
  const text = gzipSync(Buffer.from([1, 2, 250])).toString("base64");
  assert.deepEqual([...(await inflated(bytesOf(text)))], [1, 2, 250]);
});

test("bytes by planes, differences by rows, steps, and no value", () => {
  // int16 [1, -2, 300]: low bytes, then high bytes
  const planes = new Uint8Array([1, 0xfe, 0x2c, 0, 0xff, 1]);
  assert.deepEqual([...decoded(planes, { type: "int16", at: 0, count: 3 })], [1, -2, 300]);
  assert.deepEqual([...decoded(planes, { type: "int16", at: 0, count: 3, delta: true })], [1, -1, 299]);
  assert.deepEqual([...decoded(planes, { type: "int16", at: 0, count: 3, step: 0.5 })], [0.5, -1, 150]);
  const rows = new Uint8Array([10, 20, 1, 2]);
  assert.deepEqual([...decoded(rows, { type: "int8", at: 0, count: 4, width: 2, delta: true })], [10, 20, 11, 22]);
  assert.ok(Number.isNaN(decoded(new Uint8Array([0x80]), { type: "int8", at: 0, count: 1, step: 1 })[0]));
});
