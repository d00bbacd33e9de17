// @ts-check
// Checks that every close code of docs/PROTOCOL.md has words.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { phraseOf, reasonOf } from "../js/reconnect.js";

test("every close code of the documentation has a phrase of its own", () => {
  const text = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
  const codes = [...text.matchAll(/^\| (\d{4}) \| `(\w+)` \| /gm)].map(([, code]) => Number(code));
  assert.ok(codes.length > 10);
  // 1000 is the end of a replay for one client, which the page never opens.
  assert.deepEqual(codes.filter((code) => code !== 1000 && phraseOf(code) === phraseOf(1000)), []);
});

test("an attempt that reached no server changes no reason", () => {
  assert.deepEqual([reasonOf(null), reasonOf({ cause: "unreachable", code: 1006 }), reasonOf({ cause: "refused", status: 503 })], [null, null, null]);
  assert.equal(reasonOf({ cause: "closed", code: 4004 }), "this page could not keep up with the prices");
  assert.equal(reasonOf({ cause: "silent" }), "the connection was lost");
  assert.equal(reasonOf({ cause: "silent", isMute: true }), "the connection was open, but brought no prices");
});
