// @ts-check
// Checks the watchlists: changes keep the viewer's own order and can be undone, tabs agree, storage of any form is taken.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ages } from "../js/ages.js";
import { itemsOf, sliceOf } from "../js/listview.js";
import { nextOrder } from "../js/order.js";
import { rankerOf } from "../js/search.js";
import { fromSnapshot } from "../js/ticker.js";
import { LISTS_MAX, NAME_CHARS_MAX, singleList, soundLists, WATCH_MAX, Watch } from "../js/watch.js";
import { snapshot } from "./messages.js";

const tickers = new Map(["A", "B", "C"].map((symbol, index) => [symbol, fromSnapshot(snapshot({}, { symbol, price: (index * 2) % 5, volume: index }))]));
const listings = new Map([["A", "Energy"], ["B", "Energy"], ["C", "Utilities"]].map(([symbol, sector]) => [symbol, { symbol, name: `${symbol} Company`, sector }]));

/** @param {string[]} symbols */
function listOf(...symbols) {
  const watch = new Watch();
  watch.add(symbols);
  return watch;
}

/** @param {Partial<import("../js/listview.js").View>} view */
function shown(view) {
  /** @type {import("../js/listview.js").View} */
  const all = { own: ["C", "A", "X", "B"], order: { key: null, direction: "descending" }, hasSections: false, isKept: null, listings, tickers, ...view };
  return itemsOf(all).map((item) => (item.kind === "row" ? item.symbol : `${item.sector} ${item.count}`));
}

test("a third click on a column restores the viewer's own order", () => {
  let order = nextOrder({ key: null, direction: "descending" }, "last");
  assert.deepEqual(shown({ order }), ["C", "B", "A", "X"]);
  order = nextOrder(order, "last");
  assert.deepEqual(shown({ order }), ["A", "B", "C", "X"]);
  order = nextOrder(order, "last");
  assert.deepEqual(shown({ order }), ["C", "A", "X", "B"]);
});

test("sections keep the order within them, and those without a sector come last", () => {
  assert.deepEqual(shown({ hasSections: true }), ["Utilities 1", "C", "Energy 2", "A", "B", " 1", "X"]);
  assert.deepEqual(shown({ hasSections: true, own: ["X", "A"] }), ["Energy 1", "A", " 1", "X"]);
});

test("a filter finds symbols, names and sectors as the search does, and symbols that are not listed", () => {
  /** @param {string} filter */
  const filtered = (filter) => {
    const rank = rankerOf(filter, (sector) => sector);
    return shown({ isKept: (listing) => rank(listing) >= 0 });
  };
  assert.deepEqual(filtered(" energy"), ["A", "B"]);
  assert.deepEqual(filtered("ｘ"), ["X"]);
  assert.deepEqual(filtered("c company"), ["C"]);
  assert.deepEqual(filtered("zzz"), []);
});

test("only items that overlap the visible part are in sight", () => {
  const tops = [0, 26, 62, 98, 134];
  assert.deepEqual(sliceOf(tops, 0, 200), { first: 0, last: 4 });
  assert.deepEqual(sliceOf(tops, 26, 62), { first: 1, last: 2 });
  assert.deepEqual(sliceOf(tops, 61, 99), { first: 1, last: 4 });
  assert.deepEqual(sliceOf(tops, -500, -100), { first: 0, last: 0 }, "below the visible part");
  assert.deepEqual(sliceOf(tops, 900, 1_000), { first: 4, last: 4 }, "above it");
  assert.deepEqual(sliceOf([0], 0, 100), { first: 0, last: 0 });
});

test("symbols over the limit are named", () => {
  const watch = listOf(...Array.from({ length: WATCH_MAX - 1 }, (_, index) => `S${index}`));
  assert.deepEqual(watch.add(["S0", "X", "X", "Y"]), { added: ["X"], refused: ["Y"] });
  assert.deepEqual(watch.add(["Z"]), { added: [], refused: ["Z"] });
  assert.equal(watch.own.length, WATCH_MAX);
});

test("a row is moved next to another one", () => {
  const watch = listOf("A", "B", "C", "D");
  assert.equal(watch.move("A", "C", true), true);
  assert.deepEqual(watch.own, ["B", "C", "A", "D"]);
  assert.equal(watch.move("D", "B", false), true);
  assert.deepEqual(watch.own, ["D", "B", "C", "A"]);
  assert.equal(watch.move("B", "C", false), false, "it is there already");
  assert.equal(watch.move("B", "D", true), false);
  assert.equal(watch.move("B", "Z", true), false);
  watch.undo();
  assert.deepEqual(watch.own, ["B", "C", "A", "D"]);
});

test("changes are undone one after the other, those of a deleted list too", () => {
  const watch = listOf("C", "A", "B");
  watch.remove("A");
  watch.create("second", "  Chips  ");
  watch.add(["X"]);
  watch.rename("n".repeat(99));
  assert.equal(watch.list.name.length, NAME_CHARS_MAX);
  assert.equal(watch.drop(), true);
  assert.deepEqual([watch.own, watch.drop()], [["C", "B"], false], "the only list stays");
  assert.equal(watch.undo(), true);
  assert.deepEqual([watch.list.id, watch.own], ["second", ["X"]]);
  watch.undo();
  assert.equal(watch.list.name, "Chips");
  watch.undo();
  watch.undo();
  assert.deepEqual([watch.lists.length, watch.own], [1, ["C", "B"]]);
  watch.undo();
  assert.deepEqual(watch.own, ["C", "A", "B"]);
  watch.undo();
  assert.deepEqual([watch.own, watch.undo(), watch.canUndo], [[], false, false]);
});

test("undoing a removal keeps what another tab has changed since", () => {
  const watch = listOf("A", "B", "C");
  watch.remove("A");
  watch.adopt([{ ...watch.list, symbols: ["B", "D", "C"] }]);
  watch.undo();
  assert.deepEqual(watch.own, ["A", "B", "D", "C"]);
  watch.remove("B");
  watch.add(["B"]);
  watch.undo();
  watch.undo();
  assert.deepEqual(watch.own, ["A", "B", "D", "C"]);
});

test("a list that another tab has deleted is shown no more", () => {
  const watch = listOf("A");
  const first = watch.lists;
  watch.create("second", "");
  watch.adopt(first);
  assert.equal(watch.list.id, first[0].id);
});

test("no more lists are made than are kept", () => {
  const watch = new Watch();
  for (let count = 1; count < LISTS_MAX; count += 1) assert.equal(watch.create(`l${count}`, ""), true);
  assert.equal(watch.create("more", ""), false);
  assert.equal(soundLists(watch.lists).length, LISTS_MAX);
});

test("stored lists of any form are taken as far as they are sound", () => {
  for (const stored of [undefined, null, 7, "x", {}, [], [null, 7, { id: 3, symbols: [] }, { id: "a", symbols: "AAPL" }]]) assert.equal(soundLists(stored), null);
  const many = Array.from({ length: 10_000 }, (_, index) => `S${index}`);
  assert.deepEqual(soundLists([{ id: "a", symbols: ["A", 7, null, "A", "", "x".repeat(99), "B"] }, { id: "a", name: "twice", symbols: [] }]),
    [{ id: "a", name: "", symbols: ["A", "B"] }]);
  assert.equal(soundLists([{ id: "a", name: {}, symbols: many }])[0].symbols.length, WATCH_MAX);
  assert.deepEqual(singleList(["A", "A"])[0].symbols, ["A"], "the form before there were several");
});

test("a symbol is old after a silence that is long for it", () => {
  const ages = new Ages();
  assert.equal(ages.silence("A", 1e9), null, "nothing is known of it");
  ages.begin("A", 0);
  ages.begin("B", 0);
  for (let now_ms = 0; now_ms <= 60_000; now_ms += 100) ages.hear("A", now_ms);
  for (let now_ms = 0; now_ms <= 600_000; now_ms += 10_000) ages.hear("B", now_ms);
  assert.equal(ages.silence("A", 69_000), null);
  assert.equal(ages.silence("A", 71_000), 11_000);
  assert.equal(ages.silence("B", 690_000), null, "it is slow by nature");
  assert.equal(ages.silence("B", 730_000), 130_000);
  ages.begin("A", 200_000);
  assert.equal(ages.silence("A", 205_000), null, "it was not sent before");
  ages.end("A");
  assert.equal(ages.silence("A", 900_000), null, "it is not sent any more");
});
