// @ts-check
// Checks the arithmetic of the comparison: percentiles, age of prices, holes, breaks, common events, costs, figures, CSV.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inCommon } from "../js/compare/agreement.js";
import { Account } from "../js/compare/costs.js";
import { figuresOf, writeBytes, writeCount, writeRatio, writeSpan } from "../js/compare/figures.js";
import { ERROR_MAX, Histogram } from "../js/compare/histogram.js";
import { runsOf, smoothed } from "../js/compare/plot.js";
import { ANSWER_EVENTS_MAX } from "../js/compare/poll.js";
import { csvOf } from "../js/compare/raw.js";
import { nextSecond } from "../js/compare/run.js";
import { RECORDS_MAX, Staleness, Tally } from "../js/compare/statistics.js";
import { forEach } from "../js/compare/transports.js";
import { BEGIN, cost, tallyOf } from "./comparison.js";
import { quote, trade } from "./messages.js";

test("the error of a percentile is at most one percent", () => {
  // Latencies from microseconds to minutes, of which the low bits come from a multiplicative generator (Park and Miller).
  let state = 7;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const histogram = new Histogram();
  const values = Array.from({ length: 5_000 }, () => 10 ** (next() * 8));
  for (const value of values) histogram.add(value);
  values.sort((a, b) => a - b);
  for (const share of [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1];
    assert.ok(Math.abs(histogram.percentile(share) - exact) <= ERROR_MAX * exact * 1.000_001, `${share}: ${histogram.percentile(share)} and ${exact}`);
  }
});

test("percentiles use the nearest rank, and values out of range are clamped", () => {
  const histogram = new Histogram();
  assert.equal(histogram.percentile(0.5), null);
  for (const value of [-500, 0, 0, 1e12]) histogram.add(value);
  assert.deepEqual([0.25, 0.75].map((share) => histogram.percentile(share)), [0, 0]);
  assert.ok(histogram.percentile(0.76) > 9e9);
  histogram.clear();
  assert.equal(histogram.percentile(1), null);
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

test("each symbol counts by the time that it is shown, without interruptions", () => {
  const staleness = new Staleness();
  staleness.show("AAPL", 0, 0);
  staleness.show("MSFT", 0, 900);
  const mean = (500 * 1_000 + 950 * 100) / 1_100;
  assert.equal(staleness.meanAt(1_000), mean);
  staleness.interrupt(1_000);
  assert.equal(staleness.meanAt(9_000), mean);
});

test("of events that come together only the newest is shown", () => {
  const [one, many] = [new Staleness(), new Staleness()];
  for (const each of [one, many]) each.show("AAPL", 0, 0);
  for (const ts of [20, 50, 90]) many.show("AAPL", ts, 100);
  one.show("AAPL", 90, 100);
  assert.equal(one.meanAt(200), many.meanAt(200));
});

test("the age of a price begins with the first trade, as a snapshot's time may be a quote's", () => {
  const tally = tallyOf(quote(1, 11));
  assert.equal(tally.staleness.meanAt(50_000), null);
  assert.equal(tally.prices.get("AAPL"), 99);
  tally.take([trade(5, 20)], 20_500);
  assert.equal(tally.staleness.meanAt(21_500), 1_000);
});

test("a hole is counted as missed, skipped events as merged, and a duplicate once", () => {
  const tally = tallyOf(trade(5, 11), trade(6, 13), trade(6, 13), trade(10, 20, { skipped: 2 }));
  const { events, missed, merged, repeated, offset } = tally;
  assert.deepEqual({ events, missed, merged, repeated, offset }, { events: 3, missed: 1, merged: 2, repeated: 1, offset: 20 });
  assert.equal(tally.prices.get("AAPL"), 110);
});

test("holes announced by lag are counted as merged", () => {
  const tally = tallyOf(trade(5, 11), { type: "lag", skipped: 4, since_offset: 12, ts: 0 }, trade(8, 20), quote(3, 21), trade(10, 23));
  assert.deepEqual([tally.merged, tally.missed], [4, 1], "two, two, and one that nothing has announced");
});

test("latency counts events made after the transport was opened", () => {
  const tally = new Tally();
  tally.begin([BEGIN], 10);
  tally.take([trade(5, 11)], 11_700);
  tally.open(12_000);
  tally.take([trade(6, 11)], 12_100);
  tally.take([trade(7, 13)], 13_900);
  assert.equal(tally.latencies.count, 1);
  assert.deepEqual(tally.records.map((record) => record.counted), [false, false, true]);
});

test("after a void cursor no hole is counted and seq starts again", () => {
  const tally = tallyOf(trade(5, 11), trade(6, 13));
  const age = tally.staleness.meanAt(14_000);
  tally.restart("b", 14_000);
  assert.equal(tally.staleness.meanAt(90_000), age, "no age is counted until there is a price of which it is known");
  tally.take([{ ...BEGIN, offset: 2, seq: { trades: 900, quotes: 3 } }, trade(901, 3)], 15_000);
  assert.deepEqual([tally.events, tally.missed, tally.repeated, tally.offset], [3, 0, 0, 3]);
  assert.deepEqual(tally.voids, [{ at_us: 14_000, offset: 13, records: 2, epoch: "b" }]);
});

test("after a move to another time of a replay no hole is counted, and what came before it is", () => {
  const tally = tallyOf(trade(5, 11));
  /** @type {import("../js/protocol.js").Message} */
  const moved = { type: "epoch", epoch: "b", offset: 15, moved: true };
  tally.take([trade(7, 13), moved, { ...BEGIN, offset: 15, seq: { trades: 20, quotes: 3 } }, trade(21, 16)], 15_000);
  assert.deepEqual([tally.events, tally.missed, tally.repeated, tally.offset], [3, 1, 0, 16]);
  assert.deepEqual(tally.voids, [{ at_us: 15_000, offset: 13, records: 2, epoch: "b" }]);
});

test("figures count beyond the limit of records", () => {
  const tally = tallyOf();
  const all = Array.from({ length: RECORDS_MAX + 3 }, (_, index) => trade(5 + index, 11 + index));
  tally.take(all, 20_000_000_000);
  assert.deepEqual([tally.records.length, tally.unrecorded, tally.events, tally.latencies.count], [RECORDS_MAX, 3, RECORDS_MAX + 3, RECORDS_MAX + 3]);
  assert.equal(inCommon([tally, tally]).to, tally.records.at(-1).offset);
});

test("the limits equal those of the page and of the server", () => {
  /** @param {string} name */
  const read = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  assert.ok(read("static/compare.html").includes(`More than ${RECORDS_MAX.toLocaleString("en-US")} events`));
  assert.ok(read("src/transport/poll.rs").includes(`const EVENTS_MAX: usize = ${ANSWER_EVENTS_MAX};`));
});

test("the comparison ends at the slowest transport and names missing events", () => {
  const complete = tallyOf(trade(5, 11), trade(6, 13), trade(7, 15));
  const lacking = tallyOf(trade(5, 11), trade(7, 15), trade(8, 16));
  assert.deepEqual(inCommon([complete, lacking]), { to: 15, count: 3, absent: [0, 1], isCutShort: false });
  const behind = tallyOf(trade(5, 11), trade(6, 13));
  assert.deepEqual(inCommon([complete, behind]), { to: 13, count: 2, absent: [0, 0], isCutShort: false });
});

test("an event that no transport delivered is missing, and a void cursor ends the comparison", () => {
  const [one, other] = [tallyOf(trade(5, 11), trade(7, 15)), tallyOf(trade(5, 11), trade(7, 15))];
  assert.deepEqual(inCommon([one, other]), { to: 15, count: 3, absent: [1, 1], isCutShort: false });
  const complete = tallyOf(trade(5, 11), trade(6, 13), trade(7, 15));
  const restarted = tallyOf(trade(5, 11), trade(6, 13));
  restarted.restart("b", 14_000);
  restarted.take([{ ...BEGIN, offset: 2 }, trade(5, 3)], 16_000);
  assert.deepEqual(inCommon([complete, restarted]), { to: 13, count: 2, absent: [0, 0], isCutShort: true });
});

test("figures add both directions, per event that the server has sent", () => {
  const of = figuresOf(tallyOf(trade(5, 11), trade(6, 13)), cost(2, 200), 20_000);
  assert.deepEqual([of.up, of.down, of.payload, of.headers, of.bytes_per_event, of.cpu], [40, 160, 100, 50, 100, 2_500_000]);
  assert.ok(Math.abs(of.p50 - 500) <= 5);
  const unknown = figuresOf(new Tally(), undefined, 0);
  assert.deepEqual([unknown.up, unknown.cpu, unknown.p50, unknown.staleness], [null, null, null, null]);
});

test("costs are added across restarts of the server", () => {
  const account = new Account("desk-1");
  /** @param {number} requests */
  const costs = (requests) => ({ ...forEach(() => ({ ...cost(0, 0), requests: 1 })), websocket: { ...cost(0, 0), requests } });
  for (const requests of [2, 5, 1, 3]) account.take(costs(requests));
  assert.deepEqual([account.total.websocket.requests, account.total.sse.requests], [8, 2]);
  account.take(costs(0));
  assert.deepEqual([account.total.websocket.requests, account.total.sse.requests], [8, 3]);
});

test("figures are written with a unit that fits", () => {
  assert.deepEqual([0, 9_999, 12_345, 999_949, 1_036_000, 12_345_678, null].map(writeBytes), ["0 B", "9,999 B", "12.3 kB", "999.9 kB", "1.04 MB", "12.3 MB", "–"]);
  assert.deepEqual([20, 950, 9_990, 12_340, 123_400, 1_500_000, null].map((us) => writeSpan(us)),
    ["0.020 ms", "0.95 ms", "9.99 ms", "12.3 ms", "123 ms", "1.50 s", "–"]);
  assert.equal(writeCount(1_234), "1,234");
  assert.deepEqual([1.04, 12.4].map(writeRatio), ["1.0×", "12×"]);
});

test("a span below its error is written as less than it", () => {
  assert.deepEqual([-700, 0, 249, 250, 1_234, null].map((us) => writeSpan(us, 250)), ["<0.25 ms", "<0.25 ms", "<0.25 ms", "0.25 ms", "1.23 ms", "–"]);
});

test("a line of the plot has gaps without values, but not at zero", () => {
  const points = [[1, 5], [2, null], [3, 0], [4.1, 7], [8, 2]].map(([x, y]) => ({ x, y }));
  assert.deepEqual(runsOf(points, 0), [[{ x: 1, y: 5 }], [{ x: 3, y: 0 }, { x: 4.1, y: 7 }], [{ x: 8, y: 2 }]]);
  assert.deepEqual(runsOf(points, 3).map((run) => run.length), [4], "polls every three seconds follow each other");
});

test("bytes that come every five seconds are averaged", () => {
  const points = Array.from({ length: 20 }, (_, index) => ({ x: index + 1 + (index % 3) / 100, y: index % 5 === 0 ? 500 : 0 }));
  assert.deepEqual(smoothed(points, 5).map((point) => point.y), [...Array(4).fill(null), ...Array(16).fill(100)]);
  assert.deepEqual(smoothed(points, 1), points, "nothing changes by a window of one second");
  const broken = [...points.slice(0, 8), { x: 9, y: null }, ...points.slice(9)];
  assert.deepEqual(smoothed(broken, 5).slice(8, 14).map((point) => point.y), [null, null, null, null, null, 100], "what is not known is no zero");
});

test("after a freeze sampling continues with the next whole second", () => {
  assert.deepEqual([[3, 3_004], [3, 3_999], [3, 4_200], [3, 9_500]].map(([second, elapsed_ms]) => nextSecond(second, elapsed_ms)), [4, 4, 5, 10]);
});

test("a CSV has one line for each event, with special characters quoted", () => {
  const lines = csvOf({ websocket: tallyOf(trade(5, 11, { symbol: "A,\"B" })), sse: tallyOf(trade(8, 11, { skipped: 3 })) }).split("\r\n");
  assert.deepEqual(lines, [
    "transport,symbol,channel,seq,offset,ts_us,received_us,latency_us,skipped,counted",
    "websocket,\"A,\"\"B\",trades,5,11,11000,11500,500,0,1",
    "sse,AAPL,trades,8,11,11000,11500,500,3,1",
    "",
  ]);
});
