// @ts-check
// Checks the walk through the bars of a chart by keyboard, and its words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spokenBar, targetOf } from "../js/chart/walk.js";

const bars = [1, 2, 3].map((minute) => ({ ts: minute * 60e6, open: 10, high: 12.5, low: 9, close: 11, volume: 12_345, trades: 3, vwap: 10, final: true }));

test("arrows go from bar to bar and stop at both ends", () => {
  /** @param {string} key @param {number | null} at */
  const from = (key, at) => targetOf(key, bars, at === null ? null : at * 60e6)?.ts;
  assert.equal(from("ArrowLeft", null), 180e6, "the first step reads the newest bar");
  assert.equal(from("ArrowRight", null), 180e6);
  assert.deepEqual([3, 2, 1].map((at) => from("ArrowLeft", at)), [120e6, 60e6, 60e6]);
  assert.deepEqual([1, 2, 3].map((at) => from("ArrowRight", at)), [120e6, 180e6, 180e6]);
  assert.deepEqual([from("Home", 3), from("End", 1)], [60e6, 180e6]);
  assert.equal(from("ArrowLeft", 0.5), 60e6, "the bar before which it was is forgotten");
  assert.equal(targetOf("Escape", bars, 60e6), null);
  assert.equal(targetOf("Escape", bars, null), undefined, "Escape keeps its other meaning");
  const many = Array.from({ length: 120 }, (_, index) => ({ ...bars[0], ts: index * 60e6 }));
  const paged = [["PageUp", null], ["PageUp", 60], ["PageUp", 3], ["PageDown", 60], ["PageDown", 100]].map(([key, at]) => targetOf(String(key), many, at === null ? null : Number(at) * 60e6)?.ts);
  assert.deepEqual(paged, [69, 10, 0, 110, 119].map((at) => at * 60e6), "a page of bars");
  assert.equal(targetOf("a", bars, 60e6), undefined);
});

test("a bar is spoken with its time and all its figures", () => {
  assert.match(spokenBar(bars[0], "1m"), /: open 10\.00, high 12\.50, low 9\.00, close 11\.00, change \+10\.00%, volume 12,345$/);
  assert.equal(spokenBar({ ...bars[0], ts: 86_400e6, open: 0 }, "1d"), "2 Jan: open 0.00, high 12.50, low 9.00, close 11.00, change 0.00%, volume 12,345");
});
