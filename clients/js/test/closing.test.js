// @ts-check
// Checks the advice of the close codes against the table of docs/PROTOCOL.md, and the delays between attempts to connect.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Backoff } from "../backoff.js";
import { adviceOf, codeOf } from "../closing.js";
import { EventParser } from "../http.js";

const text = readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8");
const rows = [...text.matchAll(/^\| (\d{4}|the client's) \| `(\w+)` \| .+ \| ([^|]+) \| ?(keep|drop|) ?\|$/gm)];

test("the advice for each close code is that of the documentation", () => {
  const table = text.slice(text.indexOf("| code | reason |")).split("\n\n")[0];
  assert.equal(rows.length, table.split("\n").length - 2, "every row has the form of a close reason");
  for (const [, code, reason, after, cursor] of rows) {
    const { reconnects, delay_ms, keepsCursor } = adviceOf(code === "the client's" ? 1000 : Number(code));
    // The delay of a restart is in the `goodbye`.
    const seconds = /^[\d.]+ s$/.test(after) ? Number.parseFloat(after) : 0;
    assert.deepEqual([reconnects, delay_ms, keepsCursor], [after !== "never", seconds * 1_000, cursor === "keep"], reason);
  }
});

test("a goodbye of a stream has the close code of its reason", () => {
  for (const [, code, reason] of rows.filter(([, , reason]) => ["shutdown", "lagging", "hub_overrun", "unread_replies", "key_changed", "ended_by_operator", "token_expired", "key_revoked", "replaced"].includes(reason))) {
    assert.equal(codeOf(reason), Number(code), reason);
  }
  assert.equal(codeOf("full"), 1006);
});

test("codes that the table does not list are final from 4500 on", () => {
  assert.deepEqual([1005, 1008, 1011, 3000, 4005, 4499].map((code) => adviceOf(code).reconnects), Array(6).fill(true));
  assert.deepEqual([4500, 4999].map((code) => adviceOf(code).reconnects), [false, false]);
  assert.equal(adviceOf(4005).delay_ms, 500);
});

test("delays double up to their bound and start again after a reset", () => {
  const backoff = new Backoff(() => 1);
  assert.deepEqual(Array.from({ length: 7 }, () => backoff.next()), [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  backoff.reset();
  assert.equal(backoff.next(), 500);
});

test("no delay is below the least that a close code allows", () => {
  assert.deepEqual([0, 0.5].map((random) => new Backoff(() => random).next(5_000)), [5_000, 7_500]);
  const backoff = new Backoff(() => 0);
  for (let attempt = 0; attempt < 8; attempt += 1) backoff.next(500);
  assert.equal(backoff.next(500), 7_500, "and they still grow");
});

test("jitter shortens a delay by up to half", () => {
  assert.equal(new Backoff(() => 0).next(), 250);
  assert.equal(new Backoff(() => 0.5).next(), 375);
});

test("a delay demanded by the server is used once", () => {
  const backoff = new Backoff(() => 1);
  backoff.tell(840);
  assert.equal(backoff.next(), 840 + 250, "with jitter, as other clients were told the same");
  assert.equal(backoff.next(), 1_000, "an attempt that was told counts");
  backoff.tell(Number.NaN);
  backoff.tell(-5);
  assert.equal(backoff.next(), 2_000);
  backoff.tell(60_000);
  assert.equal(backoff.next(), 60_000 + 2_000);
  backoff.tell(9e9);
  assert.equal(backoff.next(), 300_000 + 4_000);
  backoff.tell(0);
  assert.equal(backoff.next(), 15_000, "never sooner than without");
});

/** @param {string[]} pieces */
function parsed(...pieces) {
  /** @type {import("../http.js").StreamEvent[]} */
  const events = [];
  const parser = new EventParser((event) => events.push(event));
  for (const piece of pieces) parser.push(piece);
  return events;
}

test("a stream of events is split at its blank lines, wherever its pieces end", () => {
  const whole = "data: [1]\nid: a:1\nretry: 2\n\n: heartbeat\nid: a:2\n\ndata: [2]\nid\n\ndata: cut";
  const events = [{ data: "[1]", id: "a:1" }, { data: null, id: "a:2" }, { data: "[2]", id: "" }];
  assert.deepEqual(parsed(whole), events);
  assert.deepEqual(parsed(...whole), events);
  assert.deepEqual(parsed(...whole.replaceAll("\n", "\r\n")), events);
});
