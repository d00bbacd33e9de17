// @ts-check
// Checks the advice of the close codes against the table of docs/PROTOCOL.md.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { adviceOf } from "../js/reconnect.js";

test("the advice for each close code is that of the documentation", () => {
  const text = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| (\d{4}|the client's) \| `(\w+)` \| .+ \| ([^|]+) \| ?(keep|drop|) ?\|$/gm)];
  const table = text.slice(text.indexOf("| code | reason |")).split("\n\n")[0];
  assert.equal(rows.length, table.split("\n").length - 2, "every row has the form of a close reason");
  for (const [, code, reason, after, cursor] of rows) {
    const { reconnects, delay_ms, keepsCursor, phrase } = adviceOf(code === "the client's" ? 1000 : Number(code));
    // The delay of a restart is in the `goodbye`.
    const seconds = /^[\d.]+ s$/.test(after) ? Number.parseFloat(after) : 0;
    assert.deepEqual([reconnects, delay_ms, keepsCursor], [after !== "never", seconds * 1_000, cursor === "keep"], reason);
    assert.notEqual(phrase, "", reason);
  }
});

test("codes that the table does not list are final from 4500 on", () => {
  assert.deepEqual([1005, 1008, 1011, 3000, 4005, 4499].map((code) => adviceOf(code).reconnects), Array(6).fill(true));
  assert.deepEqual([4500, 4999].map((code) => adviceOf(code).reconnects), [false, false]);
  assert.equal(adviceOf(4005).delay_ms, 500);
});
