// @ts-check
// The table of the operators' page: orders and formats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, formatAge, formatMs, formatRate, sorted, turned } from "../js/admin/columns.js";

/** @returns {import("../js/admin/columns.js").Session} */
const row = (/** @type {string} */ session, /** @type {number} */ queue, /** @type {number | null} */ latency_ms, /** @type {string | null} */ name) => ({
  session, name, transport: "websocket", dialect: "native", address: null, age_s: 0, events: 0, rate: 0, bytes: 0, waiting_ms: 0, lag: 0, queue, latency_ms,
});
const ROWS = [row("a", 5, null, "x"), row("b", 7, 3, null), row("c", 7, 1, "w")];
const names = (/** @type {ReturnType<typeof sorted>} */ rows) => rows.map(({ session }) => session).join("");
/** @param {string} id */
const column = (id) => /** @type {import("../js/admin/columns.js").Column} */ (COLUMNS.find((each) => each.id === id));

test("sessions are sorted by a column, those without a value last and equals as the server has them", () => {
  assert.equal(names(sorted(ROWS, null)), "abc");
  assert.equal(names(sorted(ROWS, { id: "queue", isDown: true })), "bca");
  assert.equal(names(sorted(ROWS, { id: "queue", isDown: false })), "abc");
  assert.equal(names(sorted(ROWS, { id: "latency_ms", isDown: true })), "bca");
  assert.equal(names(sorted(ROWS, { id: "latency_ms", isDown: false })), "cba");
  assert.equal(names(sorted(ROWS, { id: "name", isDown: false })), "cab");
});

test("the third click on a column returns to the order of the server", () => {
  let order = turned(null, column("queue"));
  assert.deepEqual(order, { id: "queue", isDown: true });
  order = turned(order, column("queue"));
  assert.deepEqual(order, { id: "queue", isDown: false });
  assert.equal(turned(order, column("queue")), null);
  assert.deepEqual(turned(order, column("name")), { id: "name", isDown: false });
});

test("times and rates are short", () => {
  assert.deepEqual([0, 59, 60, 3_599, 3_600, 90_061].map(formatAge), ["0 s", "59 s", "1 m 0 s", "59 m 59 s", "1 h 0 m", "1 d 1 h"]);
  assert.deepEqual([0, 0.25, 99.94, 100, 1_234, 12_345].map(formatMs), ["0 ms", "0.3 ms", "99.9 ms", "100 ms", "1,234 ms", "12.3 s"]);
  assert.deepEqual([0, 0.5, 12.34, 1_234].map(formatRate), ["0", "0.5", "12.3", "1,234"]);
});
