// @ts-check
// Checks the measurements of the stream: sequence numbers, log of trades, meters, and the market that uses them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OffsetEstimator } from "../js/clock.js";
import { Market } from "../js/market.js";
import { MedianMeter, RateMeter } from "../js/meter.js";
import { SequenceChecker } from "../js/sequences.js";
import { TradeLog } from "../js/tradelog.js";
import * as messages from "./messages.js";
import { snapshot } from "./messages.js";

/** @typedef {import("../js/protocol.js").Channel} Channel */
/** @typedef {import("../js/protocol.js").Day} Day */
/** @typedef {import("../js/protocol.js").Message} Message */
/** @typedef {import("../js/protocol.js").Trade} Trade */

/** @param {number} seq @param {Partial<Trade>} [more] */
const trade = (seq, more = {}) => messages.trade(seq, 100 + seq, { ts: 1_772_463_845_100_000, price: 200.01, size: 25, ...more });

/** @param {number} [max_hz] @returns {import("../js/wishes.js").Wishes} */
const wishes = (max_hz) => new Map([["AAPL", { channels: ["trades", "quotes"], max_hz }]]);
/** @type {import("../clients/js/protocol.js").Open} */
const OPEN = { type: "open", transport: "websocket", epoch: "e1", symbols_max: 500 };
const quiet = () => {};
const IGNORE = { onOpen: quiet, onReset: quiet, onFollowed: quiet, onLag: quiet, onUnknown: quiet };

test("consecutive events have no hole", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57 }));
  assert.equal(checker.accept(trade(58)), true);
  assert.equal(checker.accept(trade(59)), true);
  assert.equal(checker.holes, 0);
});

test("every missing event is counted, also the first after the snapshot", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57 }));
  checker.accept(trade(59));
  checker.accept(trade(63));
  assert.equal(checker.holes, 4);
});

test("a duplicate is ignored", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57 }));
  assert.equal(checker.accept(trade(57)), false);
  checker.accept(trade(58));
  assert.equal(checker.accept(trade(58)), false);
  assert.equal(checker.holes, 0);
});

test("each topic has its own seq", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57, quotes: 311 }));
  for (const event of [messages.quote(312, 1), messages.bar(9, 2), messages.bar(11, 3)]) checker.accept(event);
  checker.accept(trade(58));
  assert.equal(checker.holes, 1);
});

test("a later snapshot must agree with the events, on subscribed channels only", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57, "bars.1s": 4 }));
  checker.accept(trade(58));
  checker.snapshot(snapshot({ trades: 58, "bars.1s": 9 }));
  assert.equal(checker.holes, 0);
  checker.snapshot(snapshot({ trades: 60, "bars.1s": 9 }));
  assert.equal(checker.holes, 2);
});

test("a snapshot that newer events have overtaken sets nothing back", () => {
  const checker = new SequenceChecker();
  assert.equal(checker.snapshot(snapshot({ trades: 57, quotes: 311 })), false);
  checker.accept(trade(58));
  checker.accept(trade(59));
  assert.equal(checker.snapshot(snapshot({ trades: 58, quotes: 311 })), true);
  assert.equal(checker.accept(trade(59)), false, "it came already");
  checker.accept(trade(60));
  assert.equal(checker.holes, 0);

  const market = new Market(IGNORE);
  market.want(wishes(4));
  market.take([OPEN, snapshot({ trades: 57, quotes: 311 }), trade(60, { price: 202, size: 5, skipped: 2 })], 0, undefined);
  market.take([snapshot({ trades: 59, quotes: 311 }, { high: 203, low: 196, price: 198, volume: 1_400, ts: 1_772_463_845_050_000 })], 0, undefined);
  const { price, high, low, volume } = /** @type {import("../js/ticker.js").Ticker} */ (market.tickers.get("AAPL"));
  // The volume lacks the newest trade: merged ones and that one cannot be told apart, and the next snapshot includes it.
  assert.deepEqual({ price, high, low, volume }, { price: 202, high: 203, low: 196, volume: 1_400 });
  market.take([snapshot({ trades: 59, quotes: 311 }, { price: 198, volume: 0, ts: 1_772_463_845_050_000 - 86_400_000_000 })], 0, undefined);
  assert.equal(market.tickers.get("AAPL")?.volume, 1_400, "a snapshot of the day before changes nothing");
  market.take([trade(61), trade(62), snapshot({ trades: 62, quotes: 311 }, { volume: 2_000 })], 0, undefined);
  assert.deepEqual([market.tickers.get("AAPL")?.volume, market.sequences.holes], [2_000, 0]);
});

test("events before the first snapshot and after unsubscribing are ignored", () => {
  const checker = new SequenceChecker();
  assert.equal(checker.accept(trade(12)), false);
  checker.snapshot(snapshot({ trades: 57 }));
  checker.forget("AAPL");
  assert.equal(checker.accept(trade(90)), false);
  assert.equal(checker.holes, 0);
});

test("the trade log returns null if trades may be missing", () => {
  const log = new TradeLog(4);
  /** @param {string} symbol @param {number} offset */
  const logged = (symbol, offset) => ({ symbol, seq: offset, offset, ts: 0, price: 1, size: 1, side: 0 });
  log.push(logged("AAPL", 10));
  log.push(logged("MSFT", 11));
  log.push(logged("AAPL", 12));
  assert.deepEqual(log.since("AAPL", 10, 5).map((trade) => trade.offset), [12]);
  assert.deepEqual(log.since("AAPL", 8, 5).map((trade) => trade.offset), [10, 12]);
  assert.equal(log.since("AAPL", 4, 5), null, "older than the subscription");
  log.push(logged("AAPL", 13));
  log.push(logged("AAPL", 14));
  assert.equal(log.since("AAPL", 9, 5), null, "offset 10 was evicted");
  assert.deepEqual(log.since("AAPL", 10, 5).map((trade) => trade.offset), [12, 13, 14]);
  assert.deepEqual(log.newest("AAPL", 2).map((trade) => trade.offset), [14, 13]);
  log.forget("MSFT");
  assert.deepEqual(log.newest("AAPL", 9).map((trade) => trade.offset), [14, 13, 12]);
  log.push(logged("KO", 15));
  log.push(logged("KO", 16));
  assert.equal(log.since("AAPL", 11, 5), null, "offset 12 was evicted");
  log.forget("AAPL");
  assert.deepEqual([log.newest("AAPL", 9), log.newest("KO", 9).length], [[], 2]);
  log.clear();
  assert.deepEqual(log.newest("KO", 2), []);
});

test("the rate is that of the last seconds", () => {
  const meter = new RateMeter();
  assert.equal(meter.rate(0), 0);
  for (let now_ms = 0; now_ms < 10_000; now_ms += 10) meter.add(now_ms < 5_000 ? 1 : 3, now_ms);
  assert.equal(Math.round(meter.rate(10_000)), 300);
  assert.equal(meter.rate(14_000), 0);
});

test("the median is that of the newest values", () => {
  const meter = new MedianMeter();
  assert.equal(meter.median, null);
  for (const value of [9, 1, 5]) meter.add(value);
  assert.equal(meter.median, 5);
  for (let count = 0; count < 600; count += 1) meter.add(1_000);
  assert.equal(meter.median, 1_000);
});

test("the market applies a snapshot and the later events, each once", () => {
  /** @type {string[]} */
  const seen = [];
  const market = new Market({
    onOpen: () => seen.push("open"), onReset: () => seen.push("reset"), onFollowed: (symbol) => seen.push(symbol), onLag: () => seen.push("lag"),
    onUnknown: (symbols) => seen.push(...symbols),
  });
  market.want(wishes());
  const quote = messages.quote(312, 159, { ts: 1_772_463_845_100_000, bid: 200, bid_size: 1, ask: 200.02, ask_size: 2 });
  const novelty = /** @type {Message} */ (/** @type {unknown} */ ({ type: "novelty" }));
  market.take([
    OPEN, { type: "welcome", epoch: "e1", offset: 99, heartbeat_ms: 15_000 }, trade(57),
    snapshot({ trades: 57, quotes: 311 }), trade(58), trade(58), quote, novelty,
  ], 0, undefined);
  const ticker = market.tickers.get("AAPL");
  assert.deepEqual(seen, ["open", "AAPL"]);
  assert.equal(ticker.volume, 1_025);
  assert.equal(ticker.price, 200.01);
  assert.equal(ticker.tick, 1);
  assert.equal(ticker.bid, 200);
  assert.equal(market.sequences.holes, 0);
  assert.equal(market.log.newest("AAPL", 1)[0].side, 1);
  market.take([{ type: "lag", skipped: 7, since_offset: 160 }, trade(66)], 0, undefined);
  assert.equal(market.skipped, 7);
  assert.equal(market.sequences.holes, 7);
  assert.deepEqual(seen, ["open", "AAPL", "lag"]);
  // The trades before the loss and those after it make no whole.
  assert.deepEqual([market.log.newest("AAPL", 9).map(({ seq }) => seq), [...market.followed.keys()]], [[66], []]);
  market.take([snapshot({ trades: 66, quotes: 312 }, { offset: 180 })], 0, undefined);
  assert.equal(market.followed.get("AAPL"), 180);
});

test("a trade that is corrected or cancelled counts as the server counts it, and the tape shows it so", () => {
  const market = new Market(IGNORE);
  market.want(new Map([["AAPL", { channels: ["trades", "corrections", "cancels"] }]]));
  const shown = () => market.log.newest("AAPL", 9).map(({ seq, price, size }) => [seq, price, size]);
  market.take([OPEN, snapshot({ trades: 57, corrections: 4, cancels: 1 }), trade(58), trade(59), messages.correction(5, 160, { price: 202 })], 0, undefined);
  const ticker = market.tickers.get("AAPL");
  assert.deepEqual([ticker.volume, ticker.price, ticker.high], [1_000 + 30 + 25, 200.01, 202], "not the newest trade");
  assert.deepEqual(shown(), [[59, 200.01, 25], [58, 202, 30]]);
  market.take([messages.correction(6, 161, { trade_seq: 59, price: 199.5, size: 25 }), messages.cancel(2, 162, { trade_size: 30 })], 0, undefined);
  assert.deepEqual([ticker.volume, ticker.price], [1_000 + 25, 199.5]);
  assert.deepEqual(shown(), [[59, 199.5, 25]]);
  const before = messages.cancel(3, 163, { trade_seq: 7, trade_ts: ticker.day_us - 1 });
  market.take([before, before, messages.cancel(4, 164, { trade_seq: 7 })], 0, undefined);
  assert.equal(ticker.volume, 1_000, "a trade of the day before, and one from before the page was opened");
  assert.deepEqual(shown(), [[59, 199.5, 25]]);
  assert.equal(market.sequences.holes, 0);
});

test("a trade that was reported late counts in the volume and on the tape, and is neither the last price nor a latency", () => {
  const market = new Market(IGNORE);
  market.want(wishes());
  const [now, before] = [1_772_463_845_100_000, 1_772_463_845_100_000 - 40_000_000];
  market.take([OPEN, snapshot({ trades: 57 }, { price: 200, volume: 1_000, low: 199, ts: now }), trade(58, { ts: now, price: 201 })], now + 1_000, 0);
  const { median } = market.latency;
  market.take([trade(59, { ts: before, price: 198, size: 20 }), trade(60, { ts: before, price: 198, size: 5 })], now + 2_000, 0);
  const { price, volume, low, tick, ts } = /** @type {import("../js/ticker.js").Ticker} */ (market.tickers.get("AAPL"));
  assert.deepEqual([price, volume, low, tick, ts], [201, 1_050, 198, 1, now]);
  assert.deepEqual(market.log.newest("AAPL", 9).map(({ seq, isLate }) => [seq, isLate]), [[60, true], [59, true], [58, false]]);
  assert.equal(market.latency.median, median);
});

test("a connection that resumes interrupts nothing, and lost events begin anew with a snapshot", () => {
  /** @type {(string | null)[]} */
  const lost = [];
  const market = new Market({ ...IGNORE, onReset: (symbols) => lost.push(symbols && [...symbols].join()) });
  market.want(wishes());
  market.take([OPEN, snapshot({ trades: 57 }), trade(58), OPEN, trade(59)], 0, undefined);
  assert.deepEqual([market.followed.has("AAPL"), market.log.newest("AAPL", 9).length], [true, 2]);
  market.take([{ type: "reset", symbols: ["MSFT"], reason: "evicted" }], 0, undefined);
  assert.equal(market.followed.has("AAPL"), true);
  market.take([{ type: "reset", symbols: ["*"], reason: "restarted" }, { ...OPEN, epoch: "e2" }], 0, undefined);
  assert.deepEqual([market.followed.size, market.log.newest("AAPL", 9).length, market.epoch], [0, 0, "e2"]);
  market.take([snapshot({ trades: 3 }), trade(4)], 0, undefined);
  assert.deepEqual([lost, market.sequences.holes], [["MSFT", null], 0]);
});

test("a removed symbol stays removed even if events of it still arrive", () => {
  const market = new Market(IGNORE);
  market.want(wishes());
  market.take([snapshot({ trades: 57 })], 0, undefined);
  market.want(new Map());
  market.forget("AAPL");
  market.take([trade(58), snapshot({ trades: 58 })], 0, undefined);
  assert.equal(market.tickers.size, 0);
  assert.equal(market.log.newest("AAPL", 1).length, 0);
});

test("skipped events are no hole", () => {
  const checker = new SequenceChecker();
  checker.snapshot(snapshot({ trades: 57 }));
  checker.accept(trade(61, { skipped: 3 }));
  assert.equal(checker.holes, 0);
  checker.accept(trade(66, { skipped: 3 }));
  assert.equal(checker.holes, 1);
});

test("a channel unsubscribed for a while has no hole", () => {
  const market = new Market(IGNORE);
  /** @param {number} seq */
  const bar = (seq) => messages.bar(seq, 200 + seq);
  /** @param {Channel[]} channels */
  const following = (...channels) => market.want(new Map([["AAPL", { channels }]]));
  following("trades", "bars.1m");
  market.take([snapshot({ trades: 57, "bars.1m": 1 }), bar(2)], 0, undefined);
  following("trades", "bars.5m");
  market.take([bar(3), snapshot({ trades: 57, "bars.1m": 3, "bars.5m": 0 }), trade(58)], 0, undefined);
  following("trades", "bars.1m");
  market.take([snapshot({ trades: 58, "bars.1m": 7, "bars.5m": 1 }), bar(8)], 0, undefined);
  assert.equal(market.sequences.holes, 0);
  market.take([bar(10)], 0, undefined);
  assert.equal(market.sequences.holes, 1);
});

test("in mode latest the price is updated, but neither the tape nor the candles", () => {
  const market = new Market(IGNORE);
  market.want(wishes());
  market.take([OPEN, snapshot({ trades: 57 }), trade(58)], 0, undefined);
  assert.equal(market.log.newest("AAPL", 9).length, 1);
  market.want(wishes(1));
  assert.equal(market.followed.has("AAPL"), false, "it is asked for anew");
  market.take([trade(60, { skipped: 1 }), snapshot({ trades: 61 }), trade(64, { price: 210, skipped: 2 })], 0, undefined);
  assert.equal(market.tickers.get("AAPL").price, 210);
  assert.equal(market.log.newest("AAPL", 9).length, 0);
  market.want(wishes());
  market.take([trade(70), snapshot({ trades: 71 }), trade(72)], 0, undefined);
  assert.deepEqual(market.log.newest("AAPL", 9).map((logged) => logged.offset), [172]);
  assert.equal(market.sequences.holes, 0);
});

test("a snapshot of a symbol in mode latest is no hole, and its figures of the day include what was merged", () => {
  const market = new Market(IGNORE);
  market.want(wishes(4));
  market.take([OPEN, snapshot({ trades: 57 }), trade(60, { skipped: 2 }), snapshot({ trades: 69 }, { volume: 9_000 })], 0, 5);
  assert.deepEqual([market.sequences.holes, market.merged, market.tickers.get("AAPL").volume], [0, 2, 9_000]);
  market.take([trade(68, { skipped: 7 }), trade(72, { skipped: 3 })], 0, 5);
  assert.deepEqual([market.sequences.holes, market.merged, market.tickers.get("AAPL").volume], [0, 12, 9_025]);
  assert.equal(market.latency.median, null, "a rate holds events back, which is no latency");
});

test("a row that comes and goes takes nothing from the tape and the latency of the charted symbol", () => {
  const market = new Market(IGNORE);
  market.want(wishes());
  market.take([OPEN, snapshot({ trades: 57 }), trade(58)], 0, 5);
  const { median } = market.latency;
  assert.notEqual(median, null);
  for (const more of [[["KO", { channels: ["trades"], max_hz: 4 }]], []]) market.want(new Map([...wishes(), .../** @type {[]} */ (more)]));
  assert.deepEqual([market.log.newest("AAPL", 9).length, market.latency.median, market.followed.has("AAPL")], [1, median, true]);
});

test("a row is old from its snapshot on, until events come, and never while it is not sent", () => {
  const market = new Market(IGNORE);
  const later_ms = performance.now() + 3_600_000;
  market.want(wishes());
  market.take([OPEN, snapshot({ trades: 57 })], 0, undefined);
  assert.ok(market.ages.silence("AAPL", later_ms) > 3_500_000, "no event has ever come");
  market.want(new Map());
  assert.equal(market.ages.silence("AAPL", later_ms), null);
});

test("a day begins with the previous close, and its first trade sets its figures", () => {
  const market = new Market(IGNORE);
  market.want(wishes());
  const midnight = 1_772_496_000_000_000;
  /** @param {number} offset @returns {Day} */
  const day = (offset) => ({ type: "day", symbol: "AAPL", seq: 1, offset, ts: midnight, prev_close: 200.01 });
  const figures = () => {
    const { price, open, high, low, prev_close, volume } = market.tickers.get("AAPL");
    return [price, open, high, low, prev_close, volume];
  };
  market.take([snapshot({ trades: 57 }), day(99), trade(58)], 0, undefined);
  assert.deepEqual(figures(), [200.01, 198, 201, 197, 199, 1_025], "the snapshot is newer than that day");
  market.changed.clear();
  market.take([{ ...day(0), symbol: "MSFT" }, day(170)], 0, undefined);
  assert.deepEqual(figures(), [200.01, 200.01, 200.01, 200.01, 200.01, 0]);
  assert.ok(market.changed.has("AAPL"));
  market.take([trade(75, { ts: midnight - 1, price: 500 })], 0, undefined);
  assert.deepEqual(figures(), [200.01, 200.01, 200.01, 200.01, 200.01, 0], "what a rate has held back is of the old day");
  market.take([trade(76, { ts: midnight + 1, price: 202 }), trade(77, { ts: midnight + 2, price: 201.5 })], 0, undefined);
  assert.deepEqual(figures(), [201.5, 202, 202, 201.5, 200.01, 50]);
});

test("a viewer's clock that is years off changes neither the latencies nor the market's time", () => {
  const server_us = 1_772_463_845_000_000;
  for (const years of [-50, -3, 0, 3, 200]) {
    const viewer = (/** @type {number} */ us) => us + years * 365 * 86_400_000_000;
    const clock = new OffsetEstimator();
    clock.add(viewer(server_us), server_us + 500, viewer(server_us + 1_000));
    const market = new Market(IGNORE);
    market.want(wishes());
    const welcome = /** @type {Message} */ (/** @type {unknown} */ ({ type: "welcome", server_ts: server_us, market_ts: server_us - 7_000_000, speed: 1 }));
    market.take([OPEN, welcome, snapshot({ trades: 57 }, { ts: server_us - 7_000_000 })], viewer(server_us), undefined);
    assert.equal(market.latency.median, null, "unknown without an estimate");
    market.take([trade(58, { ts: server_us - 6_000_000 })], viewer(server_us + 1_003_000), clock.best.offset_us);
    assert.equal(market.latency.median, 3_000, String(years));
    assert.equal(market.timeAt(viewer(server_us) + clock.best.offset_us), server_us - 7_000_000, String(years));
    assert.equal(market.tickers.get("AAPL").price, 200.01);
  }
});
