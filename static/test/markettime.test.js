// @ts-check
// Checks that latency is measured by the server's clock, at any speed of the market.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "../js/compare/statistics.js";
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

test("latency and age do not depend on the speed of the market", () => {
  for (const speed of [0.5, 1, 10]) {
    const time = new MarketTime();
    time.take({ server_ts: 1_000_000, market_ts: 7_000_000, speed });
    const tally = new Tally();
    tally.toServer = (ts) => time.toServer(ts);
    tally.open(1_000_000);
    const ts = 7_000_000 + 200_000 * speed;
    tally.take([{ type: "trade", symbol: "A", seq: 1, offset: 1, ts, price: 1, size: 1 }], 1_250_000);
    assert.equal(tally.records[0].latency_us, 50_000, `${speed}`);
    assert.equal(Math.round(tally.staleness.meanAt(1_350_000)), 100_000, `${speed}`);
  }
});
