// @ts-check
// Checks the join of the history with pushed trades, and the candles.
import assert from "node:assert/strict";
import { test } from "node:test";
import { barStart, CandleSeries } from "../js/candles.js";
import * as messages from "./messages.js";

const MINUTE = 60_000_000;
const START = 1_772_463_840_000_000;

/** @typedef {import("../js/protocol.js").Bar} Bar */
/** @typedef {import("../js/protocol.js").BarsAnswer} BarsAnswer */

/** @param {number} ts @param {number} close @param {Partial<Bar>} [more] @returns {Bar} */
const bar = (ts, close, more = {}) => ({
  ts, open: 100, high: Math.max(100, close), low: Math.min(100, close), close, volume: 10, trades: 1, vwap: close, final: true, ...more,
});
/** @param {Bar[]} bars @param {Partial<BarsAnswer>} [more] @returns {BarsAnswer} */
const answer = (bars, more = {}) => ({ symbol: "AAPL", interval: "1m", epoch: "e1", offset: 50, bars, ...more });
/** @param {Bar[]} bars @param {Partial<BarsAnswer>} [more] @param {number} [bars_max] */
const seriesOf = (bars, more, bars_max) => new CandleSeries(answer(bars, more), bars_max);
/** @param {number} offset @param {number} ts @param {number} price */
const trade = (offset, ts, price, size = 5) => ({ offset, ts, price, size });

test("a bar starts at a whole multiple of its interval", () => {
  assert.equal(barStart(START + 59_999_999, "1m"), START);
  assert.equal(barStart(START + MINUTE, "1m"), START + MINUTE);
  assert.equal(barStart(START, "1d") % 86_400_000_000, 0);
});

test("a trade that the history contains is not counted again", () => {
  const series = seriesOf([bar(START, 101, { final: false })], { offset: 50 });
  assert.equal(series.applyTrade(trade(49, START + 1, 90)), false);
  assert.equal(series.applyTrade(trade(50, START + 2, 90)), false);
  assert.deepEqual(series.bars, [bar(START, 101, { final: false })]);
});

test("a later trade updates the open bar", () => {
  const series = seriesOf([bar(START, 101, { final: false })]);
  assert.equal(series.applyTrade(trade(51, START + 5, 99.5, 30)), true);
  assert.deepEqual(series.newest, {
    ts: START, open: 100, high: 101, low: 99.5, close: 99.5, volume: 40, trades: 2, vwap: (101 * 10 + 99.5 * 30) / 40, final: false,
  });
  assert.equal(series.revision, 0);
});

test("the same trade pushed twice counts once", () => {
  const series = seriesOf([bar(START, 101)]);
  series.applyTrade(trade(51, START + 5, 102));
  series.applyTrade(trade(51, START + 5, 102));
  assert.equal(series.newest.volume, 15);
  assert.equal(series.newest.trades, 2);
});

test("a trade in the next interval opens a bar", () => {
  const series = seriesOf([bar(START, 101)]);
  series.applyTrade(trade(51, START + MINUTE + 7, 103, 4));
  assert.equal(series.bars.length, 2);
  assert.deepEqual(series.newest, {
    ts: START + MINUTE, open: 103, high: 103, low: 103, close: 103, volume: 4, trades: 1, vwap: 103, final: false,
  });
});

test("a trade that was reported late counts in its own bar and is not its last price", () => {
  const series = seriesOf([bar(START, 101), bar(START + MINUTE, 102, { final: false })]);
  series.applyTrade(trade(51, START + MINUTE + 30, 103));
  const { revision } = series;
  assert.equal(series.applyTrade(trade(52, START + MINUTE + 20, 90, 7)), true);
  assert.deepEqual([series.newest.close, series.newest.low, series.newest.volume, series.revision], [103, 90, 22, revision]);
  assert.equal(series.applyTrade(trade(53, START + 20, 105, 8)), true);
  const [before] = series.bars;
  assert.deepEqual([before.close, before.high, before.volume, before.final], [101, 105, 18, true]);
  assert.equal(series.revision, revision + 1, "a bar that is not the newest one is drawn again");
  // The server's own bar of that minute, which it sends after its end, replaces it.
  assert.equal(series.applyBar({ ...messages.bar(1, 60, bar(START, 104)), interval: "1m.updated" }), true);
  assert.equal(series.bars[0].close, 104);
  const seconds = seriesOf([bar(START, 101), bar(START + 1_000_000, 102)], { interval: "1s" });
  assert.equal(seconds.applyTrade(trade(51, START + 20, 90)), false, "the server does not change a bar of a second after its end");
});

test("an empty history starts with the first trade", () => {
  const series = seriesOf([]);
  series.applyTrade(trade(51, START + 7, 103));
  assert.equal(series.newest.ts, START);
});

test("an equal bar of the server only marks the bar final", () => {
  const series = seriesOf([bar(START, 101, { final: false })]);
  const changed = series.applyBar(messages.bar(1, 51, bar(START, 101)));
  assert.equal(changed, false);
  assert.equal(series.newest.final, true);
  assert.equal(series.newest.volume, 10);
});

test("a differing bar of the server replaces an older one and requests a redraw of the chart", () => {
  const series = seriesOf([bar(START, 101), bar(START + MINUTE, 102)]);
  const message = messages.bar(1, 51, bar(START, 105, { volume: 70 }));
  assert.equal(series.applyBar(message), true);
  assert.equal(series.bars[0].close, 105);
  assert.equal(series.bars.length, 2);
  assert.equal(series.revision, 1);
});

test("a pushed bar of another interval or from before the history is ignored", () => {
  const series = seriesOf([bar(START, 101)]);
  const message = messages.bar(1, 51, bar(START, 90));
  assert.equal(series.applyBar({ ...message, interval: "5m" }), false);
  assert.equal(series.applyBar({ ...message, offset: 50 }), false);
  assert.equal(series.newest.close, 101);
});

test("older bars are prepended once, without duplicates", () => {
  const series = seriesOf([bar(START, 101)]);
  assert.equal(series.prepend([bar(START - MINUTE, 99), bar(START, 55)]), 1);
  assert.deepEqual(series.bars.map((held) => held.close), [99, 101]);
  assert.equal(series.prepend([bar(START - MINUTE, 99)]), 0);
});

test("the number of bars stays bounded at both ends", () => {
  const series = seriesOf([], {}, 20);
  for (let index = 0; index < 500; index += 1) {
    series.applyTrade(trade(51 + index, START + index * MINUTE, 100 + index));
    assert.ok(series.bars.length <= 20);
  }
  assert.equal(series.newest.close, 599);
  assert.ok(series.revision > 0);
  const room = 20 - series.bars.length;
  const older = Array.from({ length: 50 }, (_, index) => bar(START - (50 - index) * MINUTE, 1));
  assert.equal(series.prepend(older), room);
});

test("history joined at any offset gives the same bars as trades alone", () => {
  const trades = Array.from({ length: 300 }, (_, index) =>
    trade(index + 1, START + index * 1_700_000, 100 + ((index * 37) % 23) / 10, 1 + (index % 7)));
  const whole = seriesOf([], { offset: 0 });
  for (const each of trades) whole.applyTrade(each);
  for (const cut of [1, 35, 36, 150, 299, 300]) {
    const before = seriesOf([], { offset: 0 });
    for (const each of trades.slice(0, cut)) before.applyTrade(each);
    const joined = seriesOf(before.bars, { offset: cut });
    for (const each of trades.slice(Math.max(0, cut - 40))) joined.applyTrade(each);
    assert.deepEqual(joined.bars, whole.bars);
  }
});

test("a newer answer that adjoins the held bars keeps the older ones", () => {
  const series = seriesOf([bar(START, 101), bar(START + MINUTE, 102), bar(START + 2 * MINUTE, 103, { final: false })]);
  series.applyTrade(trade(60, START + 2 * MINUTE + 5, 400));
  const { changes, revision } = series;
  const newer = [bar(START + 2 * MINUTE, 104), bar(START + 3 * MINUTE, 105, { final: false })];
  assert.equal(series.renew(answer(newer, { offset: 70 })), true);
  assert.deepEqual(series.bars.map((held) => held.close), [101, 102, 104, 105]);
  assert.equal(series.applyTrade(trade(70, START + 3 * MINUTE, 1)), false);
  assert.equal(series.applyTrade(trade(71, START + 3 * MINUTE, 106)), true);
  assert.ok(series.changes > changes && series.revision > revision);
});

test("bars that do not adjoin, or of another epoch, replace those held", () => {
  const far = [bar(START + 9 * MINUTE, 109)];
  const apart = seriesOf([bar(START, 101)]);
  assert.equal(apart.renew(answer(far, { offset: 70 })), false);
  assert.deepEqual(apart.bars, far);
  const other = seriesOf([bar(START - MINUTE, 100), bar(START, 101)], { offset: 900 });
  assert.equal(other.renew(answer([bar(START, 55)], { epoch: "e2", offset: 7 })), false);
  assert.deepEqual([other.epoch, other.bars.map((held) => held.close)], ["e2", [55]]);
  assert.equal(other.applyTrade(trade(8, START + 5, 56)), true);
});

test("fractions of shares add up without rounding errors", () => {
  const series = seriesOf([bar(START, 101, { volume: 0.1 })]);
  for (let offset = 51; offset <= 60; offset += 1) series.applyTrade(trade(offset, START + offset, 101, 0.1));
  assert.equal(series.newest.volume, 1.1);
});
