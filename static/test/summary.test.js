// @ts-check
// Checks the sentences of the summary against the figures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf } from "../js/compare/figures.js";
import { summarize } from "../js/compare/summary.js";
import { TRANSPORTS } from "../js/compare/transports.js";
import { cost, tallyOf } from "./comparison.js";
import { trade } from "./messages.js";

/** A run of two events over each transport, with 200, 300, 1,000 and so many bytes. @param {number} shortWire */
function outcome(shortWire, more = {}, short = {}) {
  /** @param {number} wire */
  const of = (wire) => figuresOf(tallyOf(trade(5, 11), trade(6, 13)), cost(2, wire), 20_000);
  const figures = { websocket: of(200), sse: of(300), long_poll: of(1_000), short_poll: { ...of(shortWire), ...short } };
  const common = { count: 2, absent: [0, 0, 0, 0], isCutShort: false };
  return { figures, common, failures: {}, voids: {}, isLatest: false, interval_ms: 1_000, seconds: 30, error_us: 80, ...more };
}
/** @param {Parameters<typeof outcome>} rest */
const say = (...rest) => summarize(outcome(...rest)).join("\n");
const broken = { kind: "closed", detail: "1006", second: 12.4 };

test("the sentences contain the figures", () => {
  const text = say(400);
  assert.match(text, /All four have delivered the same 2 events/);
  assert.match(text, /WebSocket 100 B, server-sent events 150 B \(1\.5×\), long poll 500 B \(5\.0×\), short poll 200 B \(2\.0×\)/);
  assert.match(text, /within: WebSocket 0\.50 ms/);
  assert.match(text, /Polling every 1\.00 s cost 2\.0× the bytes of WebSocket here/);
  assert.doesNotMatch(text, /\{\w+\}|NaN|undefined|null|reconnected/);
});

test("a failed transport is named and left out of every comparison", () => {
  const common = { count: 2, absent: [0, 0, 0], isCutShort: false };
  const sentences = summarize(outcome(400, { failures: { websocket: broken }, common }));
  assert.equal(sentences[0], "Failed, and left out of the comparison below: WebSocket at 12 s (the connection was lost (1006)).");
  const rest = sentences.slice(1).join("\n");
  assert.doesNotMatch(rest, /WebSocket|All four|×/);
  assert.match(rest, /These have delivered the same 2 events, of which none is missing: server-sent events, long poll, short poll\./);
  const nobody = summarize(outcome(400, { failures: Object.fromEntries(TRANSPORTS.map((name) => [name, broken])), common }));
  assert.equal(nobody.length, 2);
  assert.match(nobody[0], /WebSocket at 12 s .*server-sent events at 12 s .*long poll at 12 s .*short poll at 12 s/);
  assert.equal(nobody[1], "Nothing is left to compare.");
});

test("without events the summary claims nothing", () => {
  const run = outcome(400, { common: { count: 0, absent: [0, 0, 0, 0], isCutShort: false } });
  for (const each of Object.values(run.figures)) each.events = 0;
  assert.deepEqual(summarize(run), ["No event has come: there is nothing to compare."]);
  run.figures.websocket.events = 3;
  assert.match(summarize(run).join(), /There is no event that all of them have reached/);
  assert.doesNotMatch(summarize(run).join(), /delivered/);
});

test("a loss is counted once, although it is a hole as well", () => {
  const text = say(400, { common: { count: 2, absent: [0, 0, 0, 1], isCutShort: false } }, { missed: 1, repeated: 2 });
  assert.match(text, /Of 2 events, this many are missing: short poll 1\./);
  assert.match(text, /came twice: short poll 2\./);
  assert.doesNotMatch(text, /holes|delivered/);
});

test("events after the last common one are mentioned if there are any", () => {
  const said = /after the last common one are counted in the table only/;
  /** @param {number} count */
  const common = (count, absent = [0, 0, 0, 0]) => ({ common: { count, absent, isCutShort: false } });
  assert.match(say(400, common(2), { events: 3 }), said);
  assert.match(say(400, common(1)), said);
  assert.doesNotMatch(say(400, common(2)), said, "all have reached all");
  assert.doesNotMatch(say(400, common(2, [0, 0, 0, 1]), { events: 3 }), said, "what is missing is said instead");
  assert.doesNotMatch(say(400, common(0)), said, "no event is common");
  assert.doesNotMatch(say(400, { ...common(1), isLatest: true }), said, "newest values are not counted so");
});

test("reconnects and void cursors are named", () => {
  const text = say(400, { voids: { sse: 7.2 }, common: { count: 2, absent: [0, 0, 0, 0], isCutShort: true } }, { reconnected: 2 });
  assert.match(text, /the number of lost events is unknown: server-sent events at 7 s\./);
  assert.match(text, /Reconnects after a break: short poll 2\./);
  assert.match(text, /Up to the first break these have delivered the same 2 events/);
});

test("the newest values are compared by all of their bytes", () => {
  const short = { bytes_per_event: 9_000, up: 10, down: 20, merged: 7 };
  const text = say(400, { isLatest: true }, short);
  assert.match(text, /merged into newer ones: WebSocket 0, .*short poll 7\./);
  assert.match(text, /cost fewer bytes than WebSocket here \(0\.1×\), because it brought fewer values/);
  assert.doesNotMatch(text, /lost without an announcement/);
  assert.match(say(400, { isLatest: true }, { missed: 3 }), /lost without an announcement: short poll 3/);
});

test("the verdict on short polls follows the figures, in both directions", () => {
  /** @param {number} staleness */
  const aged = (staleness) => say(200, {}, { staleness }).split("\n").at(-1);
  const push = outcome(200).figures.websocket.staleness;
  assert.match(aged(push), /as many bytes as WebSocket here\. The shown prices were as old\.$/);
  assert.match(aged(push * 1.04), /were as old\.$/, "within five percent");
  assert.match(aged(push - 79), /were as old\.$/, "within the error of the clocks");
  assert.match(aged(push + 500_000), /were 500 ms older\.$/);
  assert.match(aged(push - 1_000), /were 1\.00 ms newer\.$/);
  assert.match(say(100), /fewer bytes than WebSocket here \(0\.5×\), because one answer carries many/);
});

test("two polls give no verdict", () => {
  assert.match(say(400, { seconds: 3 }), /Polling every/);
  assert.doesNotMatch(say(400, { seconds: 2.9 }), /Polling every/);
  assert.doesNotMatch(say(400, { failures: { short_poll: broken } }), /Polling every/);
});

test("a figure that is not known is left out", () => {
  const text = say(400, {}, { p50: null, staleness: null, cpu: null, bytes_per_event: null });
  assert.doesNotMatch(text, /–|null|NaN|short poll (<|0\.)/);
});
