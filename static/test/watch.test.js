// @ts-check
// Checks the watchlist: sorting keeps the viewer's own order, removals can be undone, tabs agree.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromSnapshot } from "../js/ticker.js";
import { WATCH_MAX, Watch } from "../js/watch.js";
import { snapshot } from "./messages.js";

const tickers = new Map(["A", "B", "C"].map((symbol, index) => [symbol, fromSnapshot(snapshot({}, { symbol, price: (index * 2) % 5, volume: index }))]));

/** @param {string[]} symbols */
function listOf(...symbols) {
  const watch = new Watch();
  watch.add(symbols);
  return watch;
}

test("a third click on a column restores the viewer's own order", () => {
  const watch = listOf("C", "A", "B");
  watch.sort("last", tickers);
  assert.deepEqual([watch.shown, watch.own], [["C", "B", "A"], ["C", "A", "B"]]);
  watch.sort("last", tickers);
  assert.deepEqual(watch.shown, ["A", "B", "C"]);
  watch.sort("last", tickers);
  assert.deepEqual([watch.shown, watch.order.key], [["C", "A", "B"], null]);
  watch.sort("symbol", tickers);
  watch.sort("symbol", tickers);
  assert.deepEqual(watch.shown, ["C", "B", "A"]);
  watch.sort("symbol", tickers);
  assert.deepEqual(watch.shown, ["C", "A", "B"]);
});

test("symbols over the limit are named", () => {
  const watch = listOf(...Array.from({ length: WATCH_MAX - 1 }, (_, index) => `S${index}`));
  assert.deepEqual(watch.add(["S0", "X", "X", "Y"]), { added: ["X"], refused: ["Y"] });
  assert.deepEqual(watch.add(["Z"]), { added: [], refused: ["Z"] });
  assert.equal(watch.own.length, WATCH_MAX);
});

test("a removal is undone once, in both orders", () => {
  const watch = listOf("C", "A", "B");
  watch.sort("symbol", tickers);
  assert.equal(watch.remove("A"), "B", "the one in its place");
  assert.deepEqual([watch.own, watch.shown], [["C", "B"], ["B", "C"]]);
  assert.equal(watch.undo(), "A");
  assert.deepEqual([watch.own, watch.shown], [["C", "A", "B"], ["A", "B", "C"]]);
  assert.equal(watch.undo(), null);
  assert.equal(watch.remove("B"), "C");
  assert.equal(watch.remove("C"), "A");
  assert.equal(watch.remove("A"), null);
});

test("a removal is not undone if the symbol is listed again", () => {
  const watch = listOf("A", "B");
  watch.remove("A");
  watch.add(["A"]);
  assert.equal(watch.undo(), null);
  assert.deepEqual(watch.own, ["B", "A"]);
});

test("a change of another tab is taken over in the shown order", () => {
  const watch = listOf("C", "A", "B");
  watch.adopt(["C", "B", "D"]);
  assert.deepEqual([watch.own, watch.shown], [["C", "B", "D"], ["C", "B", "D"]]);
  watch.sort("symbol", tickers);
  watch.adopt(["D", "A", "B"]);
  assert.deepEqual([watch.own, watch.shown], [["D", "A", "B"], ["B", "D", "A"]]);
});
