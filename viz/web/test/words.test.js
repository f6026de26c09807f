import assert from "node:assert/strict";
import test from "node:test";
import { sentences, verdict, works } from "../src/mine.js";
import { middleOf, StreetIndex, toSegment } from "../src/picking.js";
import { matches, plain } from "../src/search.js";
import { clock, keysOf, lasting, number, period, TEXTS } from "../src/texts.js";
import { holds, measuresOf, titleOf } from "../src/touched.js";
import { flipped, intervalAt, outside, tableOf, turnedTable } from "../src/values.js";

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

test("the scale turns where more is better, for values and differences, and only there", () => {
  const about = (better, low) => ({ better, whole: [low, 100] });
  assert.deepEqual([true, false].map((d) => flipped(about("higher", 0), d)), [true, true]);
  assert.deepEqual([true, false].map((d) => flipped(about("higher", -100), d)), [true, false]); // signed values keep theirs
  assert.deepEqual(["lower", "neither"].flatMap((b) => [true, false].map((d) => flipped(about(b, 0), d))), [false, false, false, false]);
  const table = Uint8Array.from({ length: 768 }, (_, k) => Math.floor(k / 3) ^ (k % 3));
  const turned = turnedTable(table);
  for (const k of [0, 1, 100, 255]) assert.deepEqual([...turned.subarray(3 * k, 3 * k + 3)], [...table.subarray(3 * (255 - k), 3 * (255 - k) + 3)]);
});

test("values beyond the ends of a scale", () => {
  const of = (...values) => outside({ values: Float64Array.from(values), limits: [-10, 10] });
  assert.deepEqual(of(-10, 3, 10.001, NaN), [false, false]);
  assert.deepEqual(of(-11, 10), [true, false]);
  assert.deepEqual(of(0, 25), [false, true]);
});

test("half of a street's length lies on either side of its middle", () => {
  assert.equal(middleOf([[10, 1]]), 10);
  assert.equal(middleOf([[300, 1], [100, 1], [200, 1]]), 200);
  assert.equal(middleOf([[100, 10], [200, 1], [900, 1]]), 100);
});

test("help lists no key that does nothing", () => {
  const runs = (n) => Array.from({ length: n }, () => ({}));
  const all = { time: {}, runs: runs(2), tour: [{}], names: ["A"], my: ["speed"], results: {}, layers: [{}] };
  for (const lang of ["de", "en"]) {
    assert.equal(keysOf(all, lang).length, TEXTS[lang].keys.length);
    const keys = keysOf({ time: null, runs: runs(1), tour: [], names: [], my: null, results: null, layers: [] }, lang).map((k) => k[0]);
    for (const k of ["M", "R", "V", "N", "/", "1 2 3 4", "← →"]) assert.ok(!keys.includes(k), k);
    assert.ok(keys.includes("W A S D"));
  }
});

test("day and hours of a period", () => {
  const time = { day: "2026-09-05", begin: 25200, end: 27900 };
  assert.equal(period(time, "de"), "05.09.2026, 07:00–07:45");
  assert.equal(period(time, "en"), "5 September 2026, 07:00–07:45");
  assert.equal(period({ ...time, day: null }, "en"), "07:00–07:45");
  assert.deepEqual([lasting(2700, "de"), lasting(7200, "de"), lasting(5400, "en")], ["45 min", "2 h", "90 min"]);
});

test("when something is done is said once", () => {
  const text = (en) => ({ en, de: en });
  const entry = (run, words) => ({ run, text: text(words), streets: [1], begin: 25800, end: 27000, closes: true });
  const header = { time: { begin: 25200, end: 27900 }, runs: ["base", "shut", "slow"].map((name) => ({ name, title: text(`${name} 7:10`) })),
    touched: [entry("shut", "Main Street closed from 07:10 to 07:30"), entry("slow", "30 km/h")] };
  assert.deepEqual(works(header, [1], "en", ["base", "shut"]), ["Main Street closed from 07:10 to 07:30"]);
  assert.deepEqual(works(header, [1], "en", ["base", "slow"]), ["30 km/h (from 07:10 until 07:30)"]);
  assert.deepEqual(works(header, [1], "en")[1], "slow 7:10: 30 km/h (from 07:10 until 07:30)");
});

test("without and with, not before and after", () => {
  const c = { base: 83, mean: 50, diff: -33, low: -39, high: -27 };
  assert.equal(sentences(c, "vehicles", "X", "en")[0], "Traffic: 83 vehicles an hour without, 50 with “X”.");
  assert.equal(sentences(c, "vehicles", "X", "de")[0], "Verkehr: 83 Fahrzeuge je Stunde ohne, 50 mit „X“.");
  for (const lang of ["de", "en"]) assert.doesNotMatch(JSON.stringify(TEXTS[lang]), /vorher|nachher|before|after[^ ]/i);
});

test("means of days, or of courses of years", () => {
  const first = (lang, n, years) => TEXTS[lang].source(n, years).split(".")[0];
  assert.equal(first("en", 3, 0), "A simulation; means of 3 random days");
  assert.equal(first("en", 1, 6), "A simulation; means of 1 random course of 6 years");
  assert.equal(first("de", 3, 6), "Eine Simulation; Mittel aus 3 zufälligen Verläufen über 6 Jahre");
  assert.equal(first("de", 1, 0), "Eine Simulation; Mittel aus 1 zufälligen Tag");
});
