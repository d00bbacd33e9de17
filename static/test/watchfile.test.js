// @ts-check
// Checks the watchlist as text, its columns, and the shape of a sparkline.
import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, columnsOf, fitting, soundColumns, widthOf } from "../js/columns.js";
import { placeOf } from "../js/order.js";
import { extend, shapeOf } from "../js/spark.js";
import { fromSnapshot } from "../js/ticker.js";
import { csvOf, fieldsOf, tabbed } from "../js/watchfile.js";
import { snapshot } from "./messages.js";

const ticker = fromSnapshot(snapshot({}));
const MINUTES_15 = 900_000_000;

test("rows are text for a spreadsheet, and a name is never a formula", () => {
  const names = new Map([["AAPL", "Apple, \"Inc.\""], ["X", "=1+1\tx"]]);
  const rows = fieldsOf(["AAPL", "X"], (symbol) => names.get(symbol), new Map([["AAPL", ticker]]));
  assert.deepEqual(rows[1], ["AAPL", "Apple, \"Inc.\"", "200", "1.0000", "0.5025", "199.99", "100", "200.01", "200", "198", "201", "197", "199", "1000", "2026-03-02T15:04:05.000Z"]);
  assert.deepEqual([rows[0].length, rows[2].slice(0, 4)], [15, ["X", "=1+1\tx", "", ""]]);
  const lines = csvOf(rows).split("\r\n");
  assert.ok(lines[1].startsWith("AAPL,\"Apple, \"\"Inc.\"\"\",200,"));
  assert.ok(lines[2].startsWith("X,'=1+1\tx,"));
  assert.equal(tabbed(rows).split("\n")[2].split("\t")[1], "=1+1 x");
});

test("the columns fit into the width, the most wanted first", () => {
  assert.deepEqual(fitting(390), ["last", "change", "percent"].slice(0, fitting(390).length));
  assert.deepEqual(fitting(1_000), COLUMNS.map(({ key }) => key));
  for (let width = 320; width < 1_000; width += 20) assert.ok(widthOf(columnsOf(fitting(width))) <= Math.max(width, 250), String(width));
  assert.deepEqual(fitting(100), []);
});

test("a stored choice of columns is taken as far as it is sound", () => {
  for (const stored of [undefined, null, "last", {}, [], ["nothing", 7]]) assert.equal(soundColumns(stored), null);
  assert.deepEqual(soundColumns(["volume", "last", "volume", "nothing"]), ["volume", "last"]);
});

test("the place in the day's range is between its ends, whatever the figures", () => {
  assert.equal(placeOf({ ...ticker, low: 100, high: 300, price: 150 }), 0.25);
  assert.equal(placeOf({ ...ticker, low: 100, high: 100, price: 100 }), 0.5);
  assert.equal(placeOf({ ...ticker, low: 100, high: 200, price: 999 }), 1);
});

test("a sparkline ends at the last price and begins at midnight", () => {
  const day_us = 1_772_409_600_000_000;
  const points = [-1, 0, 1].map((at) => ({ ts: day_us + at * MINUTES_15, price: 100 + at }));
  extend(points, { ...ticker, day_us, ts: day_us + 1.5 * MINUTES_15, price: 104 });
  assert.deepEqual(points.map(({ price }) => price), [100, 104]);
  extend(points, { ...ticker, day_us, ts: day_us + 3 * MINUTES_15, price: 98 });
  assert.deepEqual(points.map(({ price }) => price), [100, 104, 98]);
  assert.deepEqual(shapeOf(points, 101), { line: "M0.0 17.0L25.3 1.0L76.0 25.0", base: "M0 13.0H76" });
  assert.deepEqual(shapeOf([{ ts: 5, price: 7 }, { ts: 6, price: 7 }], 7), { line: "M0.0 25.0L76.0 25.0", base: "M0 25.0H76" }, "a flat line has no height to share");
});
