// @ts-check
/**
 * The ticker of one symbol: its snapshot with the later events applied.
 *
 * Owns: those rules. Does not own: the look of a ticker (`watchlist.js`, `heading.js`). Pure.
 */

/** @typedef {import("./protocol.js").Cancel} Cancel */
/** @typedef {import("./protocol.js").Correction} Correction */
/** @typedef {import("./protocol.js").Day} Day */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").Trade} Trade */
/** @typedef {import("./protocol.js").Quote} Quote */

/**
 * @typedef {object} Ticker
 * @property {string} symbol
 * @property {number} offset of the snapshot
 * @property {number} trade_seq of the last trade
 * @property {number} tick the last change of the price: 1 up, -1 down, 0 unknown
 * @property {number} [price] of the last trade. Absent, as every other figure, until there is one: a replay may begin without a past, files of
 *   trades have no quotes, and a key may lack a channel
 * @property {number} [bid]
 * @property {number} [bid_size]
 * @property {number} [ask]
 * @property {number} [ask_size]
 * @property {number} [open]
 * @property {number} [high]
 * @property {number} [low]
 * @property {number} [prev_close]
 * @property {number} [volume] 0 until the first trade of the day, which sets `open`, `high` and `low`
 * @property {number} [ts] of the newest trade or quote, in microseconds
 * @property {number} [day_us] beginning of the day of UTC of these figures
 */

import { addShares } from "./candles.js";
import { INTERVAL_US } from "./protocol.js";

/**
 * @param {Snapshot} snapshot
 * @returns {Ticker}
 */
export function fromSnapshot(snapshot) {
  const { symbol, offset, ts, price, bid, bid_size, ask, ask_size, open, high, low, prev_close, volume, seq } = snapshot;
  const day_us = ts === undefined ? undefined : dayOf(ts);
  return { symbol, offset, trade_seq: seq.trades, price, tick: 0, bid, bid_size, ask, ask_size, open, high, low, prev_close, volume, ts, day_us };
}

/**
 * Returns a ticker with those figures of the day that only a snapshot knows, as it includes merged trades. The snapshot is older than
 * the newest event, so that all other figures stay.
 * @param {Ticker} ticker
 * @param {Ticker} older
 * @returns {Ticker}
 */
export function withDayOf(ticker, { day_us, open, high, low, volume }) {
  if (day_us !== ticker.day_us || !volume) return ticker;
  return { ...ticker, open, high: greater(ticker.high, high), low: less(ticker.low, low), volume: greater(ticker.volume, volume) };
}

/**
 * Begins a day. Until its first trade, all prices are the previous close.
 * @param {Ticker} ticker
 * @param {Day} day
 */
export function applyDay(ticker, { ts, prev_close }) {
  ticker.day_us = ts;
  ticker.price = ticker.open = ticker.high = ticker.low = ticker.prev_close = prev_close;
  ticker.volume = 0;
}

/**
 * Applies a trade. A trade of an earlier day, which `max_hz` has delayed, changes nothing; one that was reported late is not the last
 * price, unless it is the first. Returns whether it is the newest trade.
 * @param {Ticker} ticker
 * @param {Trade} trade
 */
export function applyTrade(ticker, { ts, seq, price, size }) {
  ticker.trade_seq = seq;
  if (isBefore(ts, ticker.day_us)) return false;
  const before = ticker.price;
  const isNewest = before === undefined || !isBefore(ts, ticker.ts);
  if (!ticker.volume) ticker.open = ticker.high = ticker.low = price;
  if (isNewest && before !== undefined && price !== before) ticker.tick = Math.sign(price - before);
  if (isNewest) ticker.price = price;
  if (isNewest) reach(ticker, ts);
  ticker.volume = addShares(ticker.volume ?? 0, size);
  ticker.high = greater(ticker.high, price);
  ticker.low = less(ticker.low, price);
  return isNewest;
}

/**
 * Applies the correction or the cancellation of a trade as the server does to its snapshots: the extremes of the day keep a wrong price.
 * @param {Ticker} ticker
 * @param {Correction | Cancel} amendment
 */
export function applyAmendment(ticker, amendment) {
  if (isBefore(amendment.trade_ts, ticker.day_us)) return;
  ticker.volume = Math.max(0, addShares(ticker.volume ?? 0, -amendment.trade_size));
  if (amendment.type === "cancel") return;
  const { trade_seq, price, size } = amendment;
  ticker.volume = addShares(ticker.volume, size);
  if (ticker.open !== undefined) {
    ticker.high = greater(ticker.high, price);
    ticker.low = less(ticker.low, price);
  }
  if (trade_seq === ticker.trade_seq) ticker.price = price;
}

/**
 * Applies a quote.
 * @param {Ticker} ticker
 * @param {Quote} quote
 */
export function applyQuote(ticker, { ts, bid, bid_size, ask, ask_size }) {
  reach(ticker, ts);
  ticker.bid = bid;
  ticker.bid_size = bid_size;
  ticker.ask = ask;
  ticker.ask_size = ask_size;
}

/**
 * Returns 1 for a trade at the ask, -1 for one at the bid, 0 for one between them; null if there is no quote.
 * @param {{ bid?: number, ask?: number }} quote before the trade
 * @param {number} price
 */
export function sideOf({ bid, ask }, price) {
  if (bid === undefined || ask === undefined) return null;
  if (price >= ask) return 1;
  return price <= bid ? -1 : 0;
}

/**
 * Returns the change since the previous close, in dollars and in percent; empty without one of both.
 * @param {Ticker} ticker
 * @returns {{ change?: number, percent?: number }}
 */
export function changeOf({ price, prev_close }) {
  if (price === undefined || prev_close === undefined) return {};
  const change = price - prev_close;
  return { change, percent: prev_close > 0 ? (change / prev_close) * 100 : 0 };
}

/** Moves the time of a ticker on. Its day begins with its first event. @param {Ticker} ticker @param {number} ts */
function reach(ticker, ts) {
  ticker.ts = Math.max(ticker.ts ?? ts, ts);
  ticker.day_us ??= dayOf(ts);
}

/** @param {number} ts */
function dayOf(ts) {
  return ts - (ts % INTERVAL_US["1d"]);
}

/** @param {number} ts @param {number | undefined} other */
function isBefore(ts, other) {
  return other !== undefined && ts < other;
}

/** Returns the greater of two figures, or the only one. @param {number | undefined} left @param {number | undefined} right */
function greater(left, right) {
  return left === undefined || (right !== undefined && right > left) ? right : left;
}

/** Returns the lesser of two figures, or the only one. @param {number | undefined} left @param {number | undefined} right */
function less(left, right) {
  return left === undefined || (right !== undefined && right < left) ? right : left;
}
