// @ts-check
// Checks that latency is measured by the server's clock, at any speed of the market.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "../js/compare/statistics.js";
import { Timing } from "../js/compare/timing.js";
import { MarketTime } from "../js/markettime.js";

test("a time of the market is converted to the server's clock", () => {
  const time = new MarketTime();
  assert.equal(time.toServer(5), 5, "the same where nothing is known");
  time.take({ server_ts: 1_000, market_ts: 50_000, speed: 10 });
  assert.equal(time.toServer(50_000), 1_000);
  assert.equal(time.toServer(50_100), 1_010);
  time.take({ server_ts: 2_000, market_ts: 60_000 });
  assert.equal(time.toServer(59_900), 1_990, "a pong keeps the speed");
  time.take({ server_ts: 3_000 });
  assert.equal(time.toServer(60_000), 2_000, "an older server says nothing of it");
});

test("after a leap there is no time until the server has told it", () => {
  const time = new MarketTime();
  time.take({ server_ts: 1_000, market_ts: 50_000, speed: 10 });
  time.leap(2_000);
  assert.ok(Number.isNaN(time.toServer(50_100)));
  time.take({ server_ts: 1_990, market_ts: 59_900 });
  assert.ok(Number.isNaN(time.toServer(50_100)), "a pong from before");
  time.take({ server_ts: 2_010, market_ts: 80_000 });
  assert.equal(time.toServer(80_000), 2_010);
});

test("events of a replay are timed by its present pace, and those from before a change are not", () => {
  const time = new MarketTime();
  time.take({ server_ts: 1_000, market_ts: 50_000, speed: 10 });
  const timing = new Timing(time);
  const state = (/** @type {object} */ more) => /** @type {const} */ ({ type: "status", feed: "running", epoch: "e", offset: 5, file_ts: 1, from: 0, to: 9, speed: 1, ...more });
  assert.equal(timing.toServer({ ts: 50_100, offset: 5 }), 1_010);
  assert.deepEqual([timing.take(state({}), 3_000), timing.take(state({}), 3_100)], [true, false], "the second transport tells the same");
  time.take({ server_ts: 3_010, market_ts: 70_000 });
  assert.equal(timing.toServer({ ts: 70_005, offset: 6 }), 3_015);
  assert.ok(Number.isNaN(timing.toServer({ ts: 69_990, offset: 5 })), "a slow transport brings an event from before");
  timing.take(state({ feed: "paused", offset: 8 }), 4_000);
  time.take({ server_ts: 4_010, market_ts: 71_000 });
  assert.ok(Number.isNaN(timing.toServer({ ts: 71_000, offset: 9 })), "a step of a paused replay");
  assert.equal(timing.take(state({ offset: 5, file_ts: 2 }), 4_100), false, "older than what is known");
  timing.take(state({ feed: "gap", offset: 9 }), 5_000);
  time.take({ server_ts: 5_010, market_ts: 99_000 });
  assert.deepEqual([timing.toServer({ ts: 99_001, offset: 10 }), timing.hasChanged], [5_011, true]);
  timing.move(12, 6_000);
  assert.ok(Number.isNaN(timing.toServer({ ts: 99_900, offset: 12 })), "an event of the time before");
  time.take({ server_ts: 5_900, market_ts: 99_890 });
  time.take({ server_ts: 6_010, market_ts: 20_000 });
  timing.move(12, 7_000);
  time.take({ server_ts: 6_900, market_ts: 20_890 });
  assert.equal(timing.toServer({ ts: 20_001, offset: 13 }), 6_011, "the second transport tells the same");
  timing.restart();
  assert.equal(timing.toServer({ ts: 20_001, offset: 1 }), 6_011);
});

test("latency and age do not depend on the speed of the market", () => {
  for (const speed of [0.5, 1, 10]) {
    const time = new MarketTime();
    time.take({ server_ts: 1_000_000, market_ts: 7_000_000, speed });
    const tally = new Tally();
    tally.toServer = ({ ts }) => time.toServer(ts);
    tally.open(1_000_000);
    const ts = 7_000_000 + 200_000 * speed;
    tally.take([{ type: "trade", symbol: "A", seq: 1, offset: 1, ts, price: 1, size: 1 }], 1_250_000);
    assert.equal(tally.records[0].latency_us, 50_000, `${speed}`);
    assert.equal(Math.round(tally.staleness.meanAt(1_350_000)), 100_000, `${speed}`);
  }
});
