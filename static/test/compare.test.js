// Checks the arithmetic of the comparison: percentiles, the age of prices, holes, what is common, sentences, CSV.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OffsetEstimator } from "../js/clock.js";
import { figuresOf, writeBytes, writeCount, writeRatio, writeSpan } from "../js/compare/figures.js";
import { csvOf } from "../js/compare/raw.js";
import { inCommon, percentile, Staleness, Tally } from "../js/compare/statistics.js";
import { summarize } from "../js/compare/summary.js";

const trade = (seq, offset, more = {}) => ({ type: "trade", symbol: "AAPL", seq, offset, ts: offset * 1_000, price: 100 + seq, size: 1, ...more });
const snapshot = { type: "snapshot", symbol: "AAPL", offset: 10, ts: 8_000, price: 99, seq: { trades: 4, quotes: 0 } };

function tallyOf(...messages) {
  const tally = new Tally();
  tally.begin([snapshot], 10_000);
  tally.opened = 0;
  for (const message of messages) tally.take([message], message.ts + 500);
  return tally;
}

test("percentiles are of the nearest rank, by size and not by text", () => {
  const values = [100, 9, 30, 20, 1];
  assert.equal(percentile(values, 0.5), 20);
  assert.equal(percentile(values, 0.99), 100);
  assert.equal(percentile(values, 0.2), 1);
  assert.equal(percentile([], 0.5), null);
  assert.deepEqual(values, [100, 9, 30, 20, 1], "the values are left alone");
});

test("the clock's offset is that of the shortest exchange, wrong by half of it at most", () => {
  const estimator = new OffsetEstimator();
  const ahead = 5_000;
  for (const [up, down] of [[900, 100], [20, 40], [300, 700]]) estimator.add(0, up + ahead, up + down);
  assert.equal(estimator.best.error_us, 30);
  assert.ok(Math.abs(estimator.best.offset_us - ahead) <= estimator.best.error_us);
});

test("the age of the shown price is its mean over time", () => {
  const staleness = new Staleness();
  assert.equal(staleness.meanAt(5), null);
  staleness.show("AAPL", 0, 100);
  assert.equal(staleness.meanAt(300), 200, "it goes from 100 to 300");
  staleness.show("AAPL", 290, 300);
  assert.equal(staleness.meanAt(500), (200 * 200 + 110 * 200) / 400);
  assert.equal(staleness.meanAt(500), staleness.meanAt(500), "looking changes nothing");
});

test("each symbol weighs by the time that it is shown", () => {
  const staleness = new Staleness();
  staleness.show("AAPL", 0, 0);
  staleness.show("MSFT", 0, 900);
  assert.equal(staleness.meanAt(1_000), (500 * 1_000 + 950 * 100) / 1_100);
});

test("of events that come together only the newest is ever shown", () => {
  const [one, many] = [new Staleness(), new Staleness()];
  for (const each of [one, many]) each.show("AAPL", 0, 0);
  for (const ts of [20, 50, 90]) many.show("AAPL", ts, 100);
  one.show("AAPL", 90, 100);
  assert.equal(one.meanAt(200), many.meanAt(200));
});

test("a hole is missed, what is announced is merged, and what comes twice is counted once", () => {
  const tally = tallyOf(trade(5, 11), trade(6, 13), trade(6, 13), trade(10, 20, { skipped: 2 }));
  const { events, missed, merged, repeated, offset } = tally;
  assert.deepEqual({ events, missed, merged, repeated, offset }, { events: 3, missed: 1, merged: 2, repeated: 1, offset: 20 });
  assert.equal(tally.prices.get("AAPL"), 110);
});

test("the latency is of events made since the transport was opened", () => {
  const tally = new Tally();
  tally.begin([snapshot], 10_000);
  tally.take([trade(5, 11)], 11_700);
  tally.opened = 12_000;
  tally.take([trade(6, 11)], 12_100);
  tally.take([trade(7, 13)], 13_900);
  assert.deepEqual(tally.latencies, [900]);
  assert.equal(tally.records.length, 3);
});

test("what is common ends where the slowest is, and says who lacks what", () => {
  const complete = tallyOf(trade(5, 11), trade(6, 13), trade(7, 15));
  const lacking = tallyOf(trade(5, 11), trade(7, 15), trade(8, 16));
  assert.deepEqual(inCommon([complete, lacking]), { to: 15, count: 3, absent: [0, 1] });
  const ahead = tallyOf(trade(5, 11), trade(6, 13));
  assert.deepEqual(inCommon([complete, ahead]), { to: 13, count: 2, absent: [0, 0] });
});

const bytes = (wire) => ({ wire, payload: wire / 2, framing: wire / 4, headers: wire / 4, tls: 0 });
const cost = (events, wire) => ({ requests: 3, connections: 1, events, bytes_up: bytes(wire / 5), bytes_down: bytes(wire * 4 / 5), cpu_us: 5_000 });

function figures(shortWire) {
  const of = (wire) => figuresOf(tallyOf(trade(5, 11), trade(6, 13)), cost(2, wire), 20_000);
  return { websocket: of(200), sse: of(300), long_poll: of(1_000), short_poll: of(shortWire) };
}

test("figures add both directions up, for each event that the server has sent", () => {
  const { websocket } = figures(400);
  assert.deepEqual([websocket.up, websocket.down, websocket.payload, websocket.headers], [40, 160, 100, 50]);
  assert.deepEqual([websocket.bytes_per_event, websocket.cpu, websocket.p50], [100, 2_500_000, 500]);
  const unknown = figuresOf(new Tally(), undefined, 0);
  assert.deepEqual([unknown.up, unknown.cpu, unknown.p50, unknown.staleness], [null, null, null, null]);
});

test("the sentences say what the figures say", () => {
  const run = { isLatest: false, interval_ms: 1_000, error_us: 80 };
  const text = summarize(figures(400), { count: 2, absent: [0, 0, 0, 0] }, run).join("\n");
  assert.match(text, /All four have delivered the same 2 events/);
  assert.match(text, /100 B on the wire over WebSocket, headers and all; 1\.5× of that over server-sent events, 5\.0× by long poll, 2\.0×/);
  assert.match(text, /within 0\.50 ms over WebSocket/);
  assert.match(text, /costs more bytes/);
  assert.match(summarize(figures(180), { count: 2, absent: [0, 0, 0, 0] }, run).join(), /costs no more bytes/);
  assert.match(summarize(figures(400), { count: 2, absent: [0, 1, 0, 0] }, run).join(), /Of 2 events, 1 are missing somewhere/);
  assert.match(summarize(figures(400), { count: 2, absent: [0, 0, 0, 0] }, { ...run, isLatest: true }).join(), /0 events were merged/);
  assert.doesNotMatch(text, /\{\w+\}|NaN|undefined/);
});

test("figures are written with a unit that fits", () => {
  assert.deepEqual([0, 9_999, 12_345, 12_345_678, null].map(writeBytes), ["0 B", "9,999 B", "12.3 kB", "12.3 MB", "–"]);
  assert.deepEqual([20, 950, 9_990, 12_340, 123_400, 1_500_000, -30, null].map(writeSpan),
    ["0.020 ms", "0.95 ms", "9.99 ms", "12.3 ms", "123 ms", "1.50 s", "<0.1 ms", "–"]);
  assert.equal(writeCount(1_234), "1,234");
  assert.deepEqual([1.04, 12.4].map(writeRatio), ["1.0×", "12×"]);
});

test("a CSV has one line for each event, and quotes what needs it", () => {
  const lines = csvOf({ websocket: tallyOf(trade(5, 11, { symbol: "A,\"B" })), sse: tallyOf(trade(5, 11)) }).split("\r\n");
  assert.deepEqual(lines, [
    "transport,symbol,channel,seq,offset,ts,received,latency_us",
    "websocket,\"A,\"\"B\",trades,5,11,11000,11500,500",
    "sse,AAPL,trades,5,11,11000,11500,500",
    "",
  ]);
});
