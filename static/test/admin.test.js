// @ts-check
// The table of the operators' page: orders and formats. And when the page asks for what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Looks } from "../js/admin/looks.js";
import { COLUMNS, formatAge, formatMs, formatRate, isSlow, sorted, turned } from "../js/admin/columns.js";

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

test("a session is slow if its data wait, and not for what waits for the end of a coalescing window", () => {
  const waiting = (/** @type {number} */ waiting_ms) => isSlow({ ...row("a", 15, null, null), lag: 15, waiting_ms });
  assert.deepEqual([0, 20, 99, 100, 5_000].map(waiting), [false, false, false, true, true]);
});

test("times and rates are short", () => {
  assert.deepEqual([0, 59, 60, 3_599, 3_600, 90_061].map(formatAge), ["0 s", "59 s", "1 m 0 s", "59 m 59 s", "1 h 0 m", "1 d 1 h"]);
  assert.deepEqual([0, 0.25, 99.94, 100, 1_234, 12_345].map(formatMs), ["0 ms", "0.3 ms", "99.9 ms", "100 ms", "1,234 ms", "12.3 s"]);
  assert.deepEqual([0, 0.5, 12.34, 1_234].map(formatRate), ["0", "0.5", "12.3", "1,234"]);
});

/** A server that answers when the test says so. */
class Server {
  /** @type {{ path: string, answer: (value: unknown) => void, refuse: () => void }[]} */
  asked = [];
  send = (/** @type {string} */ _, /** @type {string} */ path) => new Promise((answer, reject) => {
    this.asked.push({ path, answer, refuse: () => reject(new Error(path)) });
  });
}

test("no two looks run at once, and a look that was asked for meanwhile follows", async () => {
  const looks = new Looks(new Server().send, 1_000);
  /** @type {(() => void)[]} */
  const running = [];
  let [most, present] = [0, 0];
  const look = async () => {
    present += 1;
    most = Math.max(most, present);
    await new Promise((resolve) => running.push(() => resolve(undefined)));
    present -= 1;
  };
  const first = looks.run(look);
  assert.deepEqual([await looks.run(look), await looks.run(look), running.length], [false, false, 1]);
  running[0]();
  while (running.length < 2) await Promise.resolve();
  running[1]();
  assert.deepEqual([await first, running.length, most], [true, 2, 1], "both orders are in the second look");
  const failing = looks.run(() => Promise.reject(new Error("no")));
  await assert.rejects(failing);
  const later = looks.run(look);
  running[2]();
  assert.equal(await later, true);
});

test("the filter of the log is asked for until it has come, and again for another operator", async () => {
  const server = new Server();
  const looks = new Looks(server.send, 1_000);
  const failed = looks.filter();
  server.asked[0].refuse();
  await assert.rejects(failed);
  const found = looks.filter();
  server.asked[1].answer({ filter: "info" });
  assert.equal(await found, "info");
  assert.deepEqual([await looks.filter(), server.asked.length], [null, 2]);
  looks.restart();
  void looks.filter();
  assert.equal(server.asked.length, 3);
});

test("the points are asked for when there may be a new one", async () => {
  const server = new Server();
  const looks = new Looks(server.send, 1_000);
  const failed = looks.past(0);
  server.asked[0].refuse();
  await assert.rejects(failed);
  const points = looks.past(1);
  server.asked[1].answer({ points: [], point_ms: 10_000 });
  assert.deepEqual(await points, []);
  assert.deepEqual([await looks.past(9_000), server.asked.length], [null, 2]);
  void looks.past(10_001);
  assert.equal(server.asked.length, 3);
});
