import assert from "node:assert/strict";
import test from "node:test";
import { sentences, verdict } from "../src/mine.js";
import { StreetIndex, toSegment } from "../src/picking.js";
import { matches, plain } from "../src/search.js";
import { clock, number, TEXTS } from "../src/texts.js";
import { holds, measuresOf, titleOf } from "../src/touched.js";
import { intervalAt, tableOf } from "../src/values.js";

test("streets are found without accents, ß and str.", () => {
  const names = ["Königstraße", "Pitkäsilta", "Alte Königstr.", "Am Ring"];
  assert.deepEqual(matches(names, "konig"), [0, 2]);
  assert.deepEqual(matches(names, "KÖNIGSTRASSE"), [0, 2]);
  assert.deepEqual(matches(names, "pitkasil"), [1]);
  assert.deepEqual(matches(names, ""), []);
  assert.equal(plain("Kö.-Str."), plain("ko -strasse"));
});

test("numbers as people write them", () => {
  assert.equal(number(-1234.5, "de", 1), "−1.234,5");
  assert.equal(number(1234.5, "en", 0), "1\u202f235");
  assert.equal(number(0.04, "en", 0, true), "0");
  assert.equal(number(3, "en", 0, true), "+3");
  assert.equal(number(NaN, "en"), "–");
  assert.equal(clock(86400 + 61, true), "00:01:01");
});

test("both languages have the same words", () => {
  const keys = (o) => Object.keys(o).sort().join();
  assert.equal(keys(TEXTS.en), keys(TEXTS.de));
  assert.equal(keys(TEXTS.en.said), keys(TEXTS.de.said));
  assert.equal(TEXTS.en.keys.length, TEXTS.de.keys.length);
  assert.equal(TEXTS.en.uses.length, TEXTS.de.uses.length);
});

test("nothing is called a change that the interval does not leave out zero of", () => {
  const c = (diff, low, high) => ({ base: 100, mean: 100 + diff, diff, low, high });
  assert.equal(verdict(c(5, 1, 9)), "up");
  assert.equal(verdict(c(-5, -9, -1)), "down");
  assert.equal(verdict(c(5, -1, 11)), "unclear");
  assert.equal(verdict(c(5, NaN, NaN)), "one");
  assert.equal(verdict({ base: NaN, mean: 1, diff: NaN, low: NaN, high: NaN }), "unknown");
  assert.match(sentences(c(5, -1, 11), "vehicles", "B", "de")[1], /^Nicht sicher/);
  const layer = { title: { en: "Road condition" }, unit: { en: "PCI" } };
  assert.deepEqual(sentences(c(5, 1, 9), "layer.pci", "B", "en", layer).slice(0, 2), [
    "Road condition: 100.0 PCI without, 105.0 PCI with “B” (mean of its sections).",
    "That is 5.0 PCI more (95 % interval +1.0 to +9.0).",
  ]);
});

test("the interval that holds, and colours from hex", () => {
  assert.equal(intervalAt([0, 900, 1800], 899), 0);
  assert.equal(intervalAt([0, 900, 1800], 5000), 2);
  assert.deepEqual([...tableOf("0a".repeat(768)).subarray(0, 2)], [10, 10]);
});

test("the nearest street", () => {
  const index = new StreetIndex([2, 3], new Float64Array([0, 0, 100, 0, 0, 50, 50, 50, 50, 200]));
  assert.equal(index.nearest(40, 8, 20), 0);
  assert.equal(index.nearest(45, 120, 20), 1);
  assert.equal(index.nearest(500, 500, 20), -1);
  assert.equal(toSegment(5, 3, 0, 0, 10, 0), 3);
});

test("a measure is called by the alternative's title where its own words name a file", () => {
  const text = (en) => ({ en, de: en });
  const entry = (run, words, streets, closes = false) => ({ run, text: text(words), streets, closes, begin: 0, end: null });
  const header = { runs: [{ name: "base", title: text("Base") }, { name: "zone", title: text("Slow centre") }],
    touched: [entry("zone", "30 km/h on streets within zone.geojson", [1, 2]), entry("zone", "30 km/h on streets within zone.geojson", [2, 3]),
      entry("zone", "Main Street closed", [4], true), entry("zone", "nothing", [])] };
  assert.equal(titleOf(header.touched[0], header, "en"), "Slow centre");
  assert.equal(titleOf(header.touched[2], header, "en"), "Main Street closed");
  const found = measuresOf(header);
  assert.deepEqual(found.map((m) => [m.run, m.closes, m.streets]), [[1, false, [1, 2, 3]], [1, true, [4]]]);
});

test("what a measure does holds from its beginning until before its end", () => {
  assert.deepEqual([99, 100, 199, 200].map((t) => holds({ begin: 100, end: 200 }, t)), [false, true, true, false]);
  assert.equal(holds({ begin: 100, end: null }, 1e9), true);
});
