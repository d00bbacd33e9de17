// @ts-check
// Checks the line of the embedded ticker, and that its texts are in Korean. Without a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { BARS, lineOf, withTrade } from "../js/embed/line.js";
import { korean } from "../js/korean/embed.js";

const QUARTER = 900_000_000;
const START = 20_000 * 86_400_000_000;
/** @param {number} index @param {number} close */
const bar = (index, close) => ({ ts: START + index * QUARTER, open: close, high: close, low: close, close, volume: 1, trades: 1, vwap: close, final: true });

test("the line has the width of its bars and the height of its prices, with the previous close in it", () => {
  const { parts, close_y, low, high } = lineOf([bar(0, 100), bar(1, 110), bar(2, 105)], 90);
  assert.deepEqual(parts, ["0.0,150.0 500.0,12.0 1000.0,81.0"]);
  assert.deepEqual([close_y, low, high], [288, 90, 110]);
  assert.deepEqual(lineOf([bar(0, 100)], 100).parts, ["0.0,288.0"], "one price");
});

test("the line is broken where trades are missing", () => {
  assert.equal(lineOf([bar(0, 1), bar(1, 2), bar(9, 3), bar(10, 4)], 1).parts.length, 2);
});

test("a trade moves the end of the line, or begins a bar; there are never more bars than those of a day", () => {
  const bars = [bar(0, 100), bar(1, 110)];
  assert.equal(withTrade(bars, { ts: START + QUARTER + 1, price: 120, size: 5 }).at(-1)?.close, 120);
  assert.deepEqual(withTrade(bars, { ts: START + 2 * QUARTER + 1, price: 120, size: 5 }).map(({ close }) => close), [100, 110, 120]);
  assert.deepEqual(withTrade(bars, { ts: START + 1, price: 120, size: 5 }).map(({ close }) => close), [100, 110], "a late trade");
  const full = Array.from({ length: BARS }, (_, index) => bar(index, 1));
  assert.equal(withTrade(full, { ts: START + BARS * QUARTER, price: 2, size: 1 }).length, BARS);
});

test("every phrase of the embedded ticker is in Korean, and none is unused", () => {
  const read = (/** @type {string} */ path) => readFileSync(new URL(path, import.meta.url), "utf8");
  const script = [...read("../js/embed/page.js").matchAll(/\b(?:t|mark)\("([^"]+)"/g)].map((match) => match[1]);
  const page = [...read("../embed.html").matchAll(/data-i18n>([^<]+)</g)].map((match) => match[1]);
  assert.deepEqual([...new Set([...script, ...page, "Prices"])].sort(), Object.keys(korean).sort());
});
