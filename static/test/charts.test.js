// @ts-check
// Checks what the charts draw: gaps, lines over the bars, the time left, the viewer's choices. Without a page.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { CandleSeries } from "../js/candles.js";
import { clockOf, secondsLeft } from "../js/chart/countdown.js";
import { fetchSeed } from "../js/chart/dayseed.js";
import { gapsOf, slotsBetween } from "../js/chart/gaps.js";
import { indicatorOf } from "../js/chart/indicators.js";
import { INDICATORS, optionsOf } from "../js/chart/options.js";
import { ComparedLine } from "../js/chart/overlay.js";
import { bySector, heatOf } from "../js/heatmap.js";
import { MarketTime } from "../js/markettime.js";
import { failureOf } from "../js/history.js";
import { fetchBars } from "../js/rest.js";

const MINUTE = 60_000_000;
const DAY = 86_400_000_000;
const START = 20_000 * DAY;
const realFetch = globalThis.fetch;
afterEach(() => { globalThis.fetch = realFetch; });

/** @param {number} ts @param {number} close @param {number} [volume] */
const bar = (ts, close, volume = 10) => ({ ts, open: close, high: close, low: close, close, volume, trades: 1, vwap: close, final: true });
/** @param {number[]} closes @param {number} [from] */
const minutes = (closes, from = START) => closes.map((close, index) => bar(from + index * MINUTE, close));

test("a gap is three intervals and fifteen seconds without a trade, and takes ten places at most", () => {
  assert.deepEqual(slotsBetween(START, START + MINUTE, "1m"), []);
  assert.deepEqual(slotsBetween(START, START + 3 * MINUTE, "1m"), [], "two minutes without a trade");
  assert.deepEqual(slotsBetween(START, START + 4 * MINUTE, "1m"), [1, 2, 3].map((count) => START + count * MINUTE));
  assert.deepEqual(slotsBetween(START, START + 10_000_000, "1s"), [], "ten seconds");
  assert.equal(slotsBetween(START, START + 30_000_000, "1s").length, 10);
  assert.equal(slotsBetween(START, START + 900 * MINUTE, "1m").length, 10);
  const times = [0, 1, 2, 9, 10].map((count) => ({ ts: START + count * MINUTE }));
  assert.deepEqual(gapsOf(times, "1m"), [{ from: START + 2 * MINUTE, to: START + 9 * MINUTE }]);
  assert.deepEqual(gapsOf([], "1m"), []);
});

test("the time left is that of the market, by the viewer's seconds", () => {
  assert.equal(secondsLeft(START + 18_000_000, "1m", 1), 42);
  assert.equal(secondsLeft(START + 18_000_000, "1m", 60), 0.7);
  assert.equal(secondsLeft(START, "1d", 1), 86_400);
  assert.deepEqual([42, 41.2, 0.01, -3, 250, 17_553].map(clockOf), ["00:42", "00:42", "00:01", "00:00", "04:10", "04:52:33"]);
});

test("the market's time runs at its own speed, and is unknown before the first message", () => {
  const time = new MarketTime();
  assert.equal(time.toMarket(5), null);
  time.take({ server_ts: 1_000, market_ts: 50_000, speed: 60 });
  assert.equal(time.toMarket(1_010), 50_600);
  assert.equal(time.speed, 60);
});

test("moving averages and bands are those of the closes, and follow the open bar", () => {
  const closes = Array.from({ length: 25 }, (_, index) => 100 + index);
  const bars = minutes(closes);
  const [sma, ema, bands] = ["sma20", "ema20", "bands"].map((id) => indicatorOf(id));
  for (const each of [sma, ema, bands]) assert.equal(each.update(bars, 0), 0);
  assert.equal(sma.values[0][18], null);
  assert.equal(sma.values[0][19], 109.5);
  assert.equal(sma.values[0][24], 114.5);
  // EMA: the weight of a new close is 2 / 21.
  let expected = 100;
  for (const close of closes.slice(1)) expected += (close - expected) * (2 / 21);
  assert.ok(Math.abs(ema.values[0][24] - expected) < 1e-9);
  assert.equal(ema.values[0][18], null);
  // The standard deviation of 20 consecutive numbers is sqrt((400 - 1) / 12).
  assert.ok(Math.abs(bands.values[1][24] - bands.values[0][24] - 2 * Math.sqrt(399 / 12)) < 1e-9);

  bars[24] = bar(bars[24].ts, 144);
  bars.push(bar(bars[24].ts + MINUTE, 125));
  for (const each of [sma, ema, bands]) {
    assert.equal(each.update(bars, 24), 24);
    const anew = indicatorOf(each.id);
    anew.update(bars, 0);
    assert.deepEqual(each.values, anew.values, each.id);
  }
  assert.equal(sma.update(bars, bars.length), bars.length, "nothing has changed");
});

test("RSI and MACD have panes of their own, and are those of the closes", () => {
  const closes = Array.from({ length: 60 }, (_, index) => 100 + 8 * Math.sin(index / 3) + index / 10);
  const bars = minutes(closes);
  const [rsi, macd] = ["rsi14", "macd"].map((id) => indicatorOf(id));
  for (const each of [rsi, macd]) assert.deepEqual([each.update(bars, 0), each.isApart], [0, true]);
  // Wilder: the first averages are plain, then a new change has the weight 1 / 14.
  const changes = closes.slice(1).map((close, index) => close - closes[index]);
  const [gain, loss] = [1, -1].map((sign) => {
    const parts = changes.map((change) => Math.max(0, sign * change));
    return parts.slice(14).reduce((average, part) => average + (part - average) / 14, parts.slice(0, 14).reduce((sum, part) => sum + part, 0) / 14);
  });
  assert.ok(Math.abs(rsi.values[0][59] - (100 - 100 / (1 + gain / loss))) < 1e-9);
  assert.deepEqual([rsi.values[0][13], rsi.values[0][14] !== null], [null, true]);
  const average = (/** @type {number[]} */ values, /** @type {number} */ length) => {
    let value = values[0];
    return values.map((next) => (value += (next - value) * (2 / (length + 1))));
  };
  const [short, long] = [average(closes, 12), average(closes, 26)];
  const distance = short.map((value, index) => value - long[index]);
  const signal = average(distance.slice(25), 9);
  const [columns, line, smooth] = macd.values.map((values) => values[59]);
  assert.ok(Math.abs(line - distance[59]) < 1e-9 && Math.abs(smooth - signal[34]) < 1e-9 && Math.abs(columns - line + smooth) < 1e-9);
  assert.deepEqual([macd.values[0][32], macd.values[0][33] !== null], [null, true]);

  bars[59] = bar(bars[59].ts, 90);
  for (const each of [rsi, macd]) {
    assert.equal(each.update(bars, 59), 59);
    const anew = indicatorOf(each.id);
    anew.update(bars, 0);
    for (const [index, values] of each.values.entries()) assert.ok(Math.abs(values[59] - anew.values[index][59]) < 1e-9, each.id);
  }
});

test("bars that are prepended or replaced change every value", () => {
  const bars = minutes(Array.from({ length: 30 }, (_, index) => 100 + index));
  const sma = indicatorOf("sma20");
  sma.update(bars.slice(5), 0);
  assert.equal(sma.update(bars, 0), 0);
  assert.equal(sma.values[0][19], 109.5);
  assert.equal(sma.update(bars.slice(0, 25), 24), 0, "fewer bars than before");
  assert.equal(sma.values[0].length, 25);
  bars[10] = bar(bars[10].ts, 900);
  assert.equal(sma.update(bars.slice(0, 25), 10), 0, "an earlier bar");
  assert.equal(sma.values[0][19], 109.5 + (900 - 110) / 20);
});

test("the average price of a day begins with the day, weighted by volume", () => {
  const bars = [bar(START - MINUTE, 500), bar(START, 100, 10), bar(START + MINUTE, 200, 30), bar(START + 2 * MINUTE, 175, 0)];
  const vwap = indicatorOf("vwap");
  vwap.update(bars, 0);
  assert.deepEqual(vwap.values[0], [null, 100, 175, 175]);
  assert.equal(vwap.seedBefore(bars), START - MINUTE, "the first day is not there from its beginning");
  assert.equal(vwap.seedBefore(bars.slice(1)), null);
});

test("what was traded before the first bar of a day is added to its average", async () => {
  const before = START + 3 * MINUTE;
  /** @type {string[]} */
  const urls = [];
  globalThis.fetch = async (url) => {
    urls.push(String(url));
    const bars = [bar(START - MINUTE, 900, 900), bar(START, 100, 10), bar(START + 2 * MINUTE, 200, 20)];
    return Response.json({ symbol: "AAPL", interval: "1m", epoch: "e1", offset: 1, bars });
  };
  const seed = await fetchSeed("AAPL", before);
  assert.deepEqual(urls, [`api/v1/bars?symbol=AAPL&interval=1m&limit=3&before=${before}`]);
  assert.deepEqual(seed, { before_us: before, volume: 30, price: 5_000 / 30 });
  const vwap = indicatorOf("vwap");
  const bars = [bar(before, 400, 30)];
  vwap.update(bars, 0);
  assert.deepEqual(vwap.values[0], [null]);
  vwap.seed(seed);
  assert.equal(vwap.update(bars, bars.length), 0);
  assert.ok(Math.abs(vwap.values[0][0] - (5_000 + 12_000) / 60) < 1e-9);
  assert.equal(vwap.seedBefore(bars), null);
});

test("a compared symbol has a value where both have a bar, and follows its own trades", () => {
  const bars = minutes([100, 101, 102]);
  const other = new CandleSeries({ symbol: "KO", interval: "1m", epoch: "e1", offset: 5, bars: [bar(START, 60), bar(START + 2 * MINUTE, 62)] });
  const line = new ComparedLine("KO");
  assert.equal(line.update(bars, 0), 0);
  assert.deepEqual(line.values, [[null, null, null]]);
  line.take(other);
  assert.equal(line.update(bars, bars.length), 0);
  assert.deepEqual(line.values, [[60, null, 62]]);
  other.applyTrade({ offset: 6, ts: START + 2 * MINUTE + 1, price: 65, size: 1 });
  assert.equal(line.update(bars, bars.length), 1);
  assert.deepEqual(line.values, [[60, null, 65]]);
  assert.equal(line.update(bars, bars.length), bars.length);
  assert.deepEqual([line.at(2, 0), line.at(1, 0), line.at(2, 1)], [{ close: 65, percent: (5 / 60) * 100 }, null, { close: 65, percent: 0 }], "in percent of its first close in sight, as the axis");
});

test("stored choices of any form are made valid", () => {
  /** @type {ReturnType<typeof optionsOf>} */
  const usual = { kind: "candles", isLog: false, indicators: [], compared: null, panes: [] };
  /** @type {unknown[]} */
  const strange = [undefined, null, 7, "x", [], { kind: "pie", isLog: "yes", indicators: "sma20", compared: "<b>", panes: 3 }];
  for (const stored of strange) {
    assert.deepEqual(optionsOf(stored), usual);
  }
  const panes = Array.from({ length: 9 }, () => ({ symbol: "KO", interval: "7m" }));
  assert.deepEqual(optionsOf({ kind: "area", isLog: true, indicators: ["vwap", "nothing", "sma20"], compared: "MSFT", panes }), {
    kind: "area", isLog: true, indicators: ["sma20", "vwap"], compared: "MSFT", panes: [1, 2, 3].map(() => ({ symbol: "KO", interval: "1m" })),
  });
  for (const name of INDICATORS) assert.ok(indicatorOf(name), name);
  assert.equal(indicatorOf("constructor"), null);
});

test("a history of another symbol, of another interval, or of no bars is refused, and the viewer is told", async () => {
  const right = { symbol: "AAPL", interval: "1m", epoch: "e1", offset: 1, bars: minutes([1, 2]) };
  /** @type {unknown[]} */
  const wrong = [{ ...right, symbol: "MSFT" }, { ...right, interval: "5m" }, { ...right, bars: undefined }, { ...right, bars: [{ ts: "now" }] },
    { ...right, bars: minutes([1, 2]).reverse() }, null, []];
  for (const body of wrong) {
    globalThis.fetch = async () => Response.json(body);
    const err = await fetchBars("AAPL", "1m").catch((reason) => reason);
    assert.match(failureOf(err).phrase, /something else/, JSON.stringify(body));
  }
  globalThis.fetch = async () => new Response("<html>");
  assert.match(failureOf(await fetchBars("AAPL", "1m").catch((reason) => reason)).phrase, /something else/);
  globalThis.fetch = async () => Response.json(right);
  assert.equal((await fetchBars("AAPL", "1m")).bars.length, 2);
});

test("a history that does not come in time is given up, and the viewer is told", async () => {
  globalThis.fetch = (_, options) => new Promise((_resolve, reject) => {
    options?.signal?.addEventListener("abort", () => reject(options.signal?.reason));
  });
  const plain = AbortSignal.timeout;
  try {
    AbortSignal.timeout = () => plain.call(AbortSignal, 1);
    const err = await fetchBars("AAPL", "1m", { signal: new AbortController().signal }).catch((reason) => reason);
    assert.match(failureOf(err).phrase, /takes too long/);
  } finally {
    AbortSignal.timeout = plain;
  }
});

test("the map of the market has the first symbols by sector, in a colour that is full from three percent on", () => {
  const listing = (/** @type {string} */ symbol, /** @type {string} */ sector) => ({ symbol, name: symbol, sector });
  const listings = [listing("XOM", "Energy"), listing("AAPL", "IT"), listing("MSFT", "IT"), listing("KO", "Staples")];
  assert.deepEqual(bySector(listings, 3), [["IT", ["AAPL", "MSFT"]], ["Energy", ["XOM"]]]);
  assert.deepEqual([0, -1.5, 3, -40].map(heatOf), [0, 0.5, 1, 1]);
});
