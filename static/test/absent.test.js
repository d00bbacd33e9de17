// @ts-check
// Checks that a figure that does not exist yet is a dash wherever it is shown, is never taken for 0, and appears with the first event
// that brings it: a replay begins without a past, and files of trades have no quotes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { readFrame } from "../clients/js/protocol.js";
import { armed, dueAt, figureOf, levelOf } from "../js/alerts.js";
import { quoteOf } from "../js/board.js";
import { COLUMNS } from "../js/columns.js";
import { Tally } from "../js/compare/statistics.js";
import { lineOf } from "../js/embed/line.js";
import { arrowOf, directionOf, formatPercent, formatPrice, formatShares, formatSigned, formatVolume } from "../js/format.js";
import { moveOf, statOf, titleOf } from "../js/heading.js";
import { tileOf } from "../js/heatmap.js";
import { Market } from "../js/market.js";
import { placeOf, sorted } from "../js/order.js";
import { PastTrades } from "../js/pasttrades.js";
import { extend, shapeOf } from "../js/spark.js";
import { lookOf } from "../js/tape.js";
import { applyAmendment, applyDay, applyQuote, applyTrade, changeOf, fromSnapshot, sideOf, withDayOf } from "../js/ticker.js";
import { TradeLog } from "../js/tradelog.js";
import { fieldsOf } from "../js/watchfile.js";
import { correction, quote, snapshot, trade } from "./messages.js";

const DAY_US = 86_400_000_000;
const TS = 18_610 * DAY_US + 3_600_000_000;
/** @returns {import("../js/protocol.js").Snapshot} of a symbol of which nothing is known */
const nothing = () => ({ type: "snapshot", symbol: "SPY", offset: 0, volume: 0, seq: { trades: 0, quotes: 0 } });
const empty = () => fromSnapshot(nothing());
/** A ticker after the first trade, of a market without quotes. */
function traded() {
  const ticker = empty();
  applyTrade(ticker, trade(1, 1, { ts: TS, price: 366, size: 10 }));
  return ticker;
}

const NATIVE = { HTMLElement: globalThis.HTMLElement, document: globalThis.document, fetch: globalThis.fetch };
/** An element that keeps what is written into it. */
class FakeElement {
  textContent = "";
  /** @type {Record<string, string>} */
  dataset = {};
  /** @type {FakeElement[]} */
  children = [];
  /** @type {Map<string, string>} */
  attributes = new Map();
  hidden = false;
  style = { getPropertyValue: () => "", setProperty: () => {} };
  /** @param {string} name */
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  /** @param {string} name @param {string} value */
  setAttribute(name, value) { this.attributes.set(name, value); }
  querySelectorAll() { return this.children; }
}
beforeEach(() => { Object.assign(globalThis, { HTMLElement: FakeElement }); });
afterEach(() => { Object.assign(globalThis, NATIVE); });

/** Returns what the cells of a row say. @param {import("../js/ticker.js").Ticker} ticker */
function cellsOf(ticker) {
  return Object.fromEntries(COLUMNS.map((column) => {
    const cell = new FakeElement();
    cell.children = [new FakeElement(), new FakeElement(), new FakeElement()];
    cell.children[0].children = [new FakeElement()];
    column.paint(/** @type {HTMLElement} */ (/** @type {unknown} */ (cell)), ticker);
    return [column.key, [cell, ...cell.children].map(({ textContent }) => textContent).filter(Boolean).join(" ")];
  }));
}

test("a snapshot without values is no garbage, and one with a wrong value is", () => {
  assert.deepEqual(readFrame(JSON.stringify([nothing()])), [nothing()]);
  for (const wrong of [{ prev_close: /** @type {unknown} */ (null) }, { ts: "1" }, { bid: "2" }, { symbol: 7 }, { symbol: undefined }]) {
    assert.throws(() => readFrame(JSON.stringify([{ ...nothing(), ...wrong }])), SyntaxError, JSON.stringify(wrong));
  }
});

test("the formats write a dash for what does not exist", () => {
  for (const format of [formatPrice, formatSigned, formatPercent, formatShares, formatVolume]) assert.deepEqual([format(undefined), format(Number.NaN)], ["–", "–"], format.name);
  assert.deepEqual([directionOf(undefined), arrowOf(undefined)], ["flat", ""]);
});

test("every cell of a row is a dash before the first event, and the first trade brings its figures", () => {
  const dashes = { last: "–", change: "–", percent: "–", spark: "", bid: "–", ask: "–", range: "– –", volume: "0", time: "–" };
  assert.deepEqual(cellsOf(empty()), dashes);
  const { time, ...after } = cellsOf(traded());
  assert.deepEqual(after, { last: "366.00", change: "–", percent: "–", spark: "", bid: "–", ask: "–", range: "366.00 366.00", volume: "10" });
  assert.match(time, /^\d\d:00:00$/);
});

test("the heading and the title of the document have dashes, too", () => {
  const stats = (/** @type {import("../js/ticker.js").Ticker} */ ticker) => ["bid", "ask", "range", "open", "prev_close", "volume"].map((stat) => statOf(stat, ticker));
  assert.deepEqual(stats(empty()), ["–", "–", "–", "–", "–", "0"]);
  assert.deepEqual(stats(traded()), ["–", "–", "366.00 – 366.00", "366.00", "–", "10"]);
  assert.deepEqual([moveOf(undefined), moveOf(empty()), moveOf(traded()), moveOf({ ...traded(), prev_close: 365 })], ["", "", "–", "▲ +1.00 (+0.27%)"]);
  assert.equal(titleOf("SPY", empty(), false).trim().replace(/ +/g, " "), "SPY – tickcast");
  assert.equal(titleOf("SPY", empty(), true), "⚠ stale · SPY –");
});

test("the first trade begins the day, and a day or a quote brings what it has", () => {
  const ticker = traded();
  assert.deepEqual([ticker.price, ticker.open, ticker.high, ticker.low, ticker.volume, ticker.ts, ticker.day_us], [366, 366, 366, 366, 10, TS, TS - (TS % DAY_US)]);
  assert.equal(ticker.tick, 0, "there is no price before it to compare with");
  assert.deepEqual(changeOf(ticker), {});
  applyTrade(ticker, trade(2, 2, { ts: TS + 1, price: 367, size: 1 }));
  assert.deepEqual([ticker.tick, ticker.high, ticker.volume], [1, 367, 11]);
  applyQuote(ticker, quote(1, 3, { ts: TS + 2 }));
  assert.deepEqual([ticker.bid, ticker.ask, ticker.ts], [99.99, 100.01, TS + 2]);
  applyDay(ticker, { type: "day", symbol: "SPY", seq: 1, offset: 4, ts: TS - (TS % DAY_US) + DAY_US, prev_close: 367 });
  assert.deepEqual([changeOf(ticker), ticker.volume], [{ change: 0, percent: 0 }, 0]);
  const late = empty();
  applyQuote(late, quote(1, 1, { ts: TS }));
  assert.equal(applyTrade(late, trade(1, 2, { ts: TS - 5, price: 366 })), true, "the only trade is the last one, although a quote is newer");
  assert.deepEqual([late.price, late.ts], [366, TS]);
});

test("a correction of a trade from before the snapshot sets no extremes that are not known", () => {
  const ticker = empty();
  applyAmendment(ticker, correction(1, 1));
  assert.deepEqual([ticker.high, ticker.low, ticker.volume], [undefined, undefined, 30]);
  assert.equal(withDayOf(traded(), empty()).volume, 10, "a snapshot without a day adds nothing");
  const { high, low, volume } = withDayOf(traded(), fromSnapshot({ ...nothing(), ts: TS, open: 1, high: 400, low: 2, volume: 50 }));
  assert.deepEqual([high, low, volume], [400, 2, 50]);
});

test("symbols without the figure come last in both directions", () => {
  const tickers = new Map([["A", empty()], ["B", traded()], ["C", { ...traded(), price: 1, prev_close: 2, bid: 5 }], ["D", empty()]]);
  const order = (/** @type {string} */ key, /** @type {"ascending" | "descending"} */ direction) => sorted(["A", "B", "C", "D", "X"], tickers, { key, direction }).join("");
  assert.deepEqual([order("last", "descending"), order("last", "ascending")], ["BCADX", "CBADX"]);
  for (const key of ["percent", "change", "bid"]) assert.deepEqual([order(key, "descending"), order(key, "ascending")], ["CABDX", "CABDX"], key);
  for (const key of ["range", "time"]) assert.deepEqual([order(key, "descending").slice(2), order(key, "ascending").slice(2)], ["ADX", "ADX"], key);
  assert.equal(placeOf(empty()), undefined);
});

test("a tile of the map has no colour without a change", () => {
  assert.deepEqual(tileOf(empty()), { text: "–", direction: "flat", heat: "0.00" });
  assert.deepEqual(tileOf(traded()), { text: "–", direction: "flat", heat: "0.00" });
  assert.deepEqual(tileOf({ ...traded(), prev_close: 366 / 1.03 }), { text: "▲ +3.00%", direction: "up", heat: "1.00" });
});

test("a sparkline has no base without a previous close, and no point without a price", () => {
  /** @type {import("../js/spark.js").Point[]} */
  const points = [];
  extend(points, empty());
  assert.deepEqual([points, shapeOf(points, undefined)], [[], { line: "", base: "" }]);
  extend(points, traded());
  extend(points, { ...traded(), ts: TS + 900_000_000, price: 376 });
  assert.deepEqual(shapeOf(points, undefined), { line: "M0.0 25.0L76.0 1.0", base: "" });
});

test("the line of the embedded ticker is drawn without a previous close", () => {
  const bar = { ts: TS, open: 1, high: 1, low: 1, close: 5, volume: 1, trades: 1, vwap: 1, final: true };
  const { close_y, low, high, parts } = lineOf([bar, { ...bar, ts: TS + 900_000_000, close: 7 }], undefined);
  assert.deepEqual([close_y, low, high, parts.join().includes("NaN")], [null, 5, 7, false]);
});

test("no alert is due without its figure, and a price is crossed from the side of the first one", () => {
  /** @type {import("../js/alerts.js").Alert} */
  const alert = { id: "a", symbol: "SPY", kind: "price", level: 300, isAbove: null, fired: null };
  assert.equal(armed(alert, empty()).isAbove, null, "no price is not below the level");
  assert.equal(armed(alert, traded()).isAbove, false);
  for (const kind of /** @type {const} */ (["price", "move", "spread"])) {
    assert.equal(figureOf(kind, empty()), undefined, kind);
    for (const isAbove of [true, false]) assert.equal(dueAt({ ...alert, kind, isAbove }, empty(), empty()), null, kind);
  }
  assert.equal(figureOf("spread", traded()), undefined);
  assert.equal(dueAt({ ...alert, isAbove: true }, { ...empty(), day_us: 1, high: 400 }, { ...empty(), day_us: 1 }), null, "no extreme was known before");
  assert.equal(levelOf("price", empty()), "");
});

test("the board has no quote until both sides are quoted", () => {
  const whole = { ...traded(), bid: 1, bid_size: 2, ask: 3, ask_size: 4 };
  assert.deepEqual([quoteOf(undefined), quoteOf(traded()), quoteOf({ ...whole, ask: undefined })], [null, null, null]);
  assert.deepEqual(quoteOf(whole), { bid: 1, bid_size: 2, ask: 3, ask_size: 4 });
});

test("figures that do not exist are empty in a file", () => {
  const [, row, later] = fieldsOf(["SPY", "QQQ"], () => "", new Map([["SPY", empty()], ["QQQ", traded()]]));
  assert.deepEqual(row.slice(2), ["", "", "", "", "", "", "", "", "", "", "", "0", ""]);
  assert.deepEqual(later.slice(2, 5), ["366", "", ""]);
});

test("without quotes a trade has no side, on the tape as in the past", async () => {
  assert.equal(sideOf({}, 5), null);
  assert.deepEqual(lookOf({ ...trade(1, 1), side: null }), { direction: "flat", label: "–" });
  const market = new Market({ onOpen() {}, onReset() {}, onFollowed() {}, onLag() {}, onUnknown() {} });
  market.want(new Map([["SPY", { channels: ["trades", "quotes"] }]]));
  market.take([nothing(), trade(1, 1, { symbol: "SPY", ts: TS })], 0, undefined);
  assert.deepEqual([market.now_us, market.log.newest("SPY", 9).map(({ side }) => side), market.tickers.get("SPY").price], [TS, [null], 101]);
  const messages = [trade(1, 1, { symbol: "SPY" }), trade(2, 2, { symbol: "SPY" })];
  globalThis.fetch = async () => Response.json({ epoch: "e", offset: 2, cursor: "e:2", recovered: true, messages });
  const log = new TradeLog();
  await new PastTrades(log, () => ({ epoch: "e", followed_offset: 2 }), () => {}).load("SPY", 9);
  assert.deepEqual(log.newest("SPY", 9).map(({ seq, side }) => [seq, side]), [[2, null], [1, null]]);
});

test("the comparison shows no price before there is one, also after going back to a time without one", () => {
  const tally = new Tally();
  tally.begin([nothing()], 0);
  assert.equal(tally.prices.has("SPY"), false);
  tally.take([snapshot({}, { symbol: "SPY" })], 0);
  tally.take([nothing()], 0);
  assert.equal(tally.prices.has("SPY"), false);
});
