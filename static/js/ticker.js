// @ts-check
/**
 * What is known of one symbol at this moment: folds a snapshot and the events after it into one record.
 *
 * Owns: those rules. Does not own: how a record looks (`watchlist.js`, `heading.js`). Pure.
 */

/** @typedef {import("./protocol.js").Day} Day */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").Trade} Trade */
/** @typedef {import("./protocol.js").Quote} Quote */

/**
 * @typedef {object} Ticker
 * @property {string} symbol
 * @property {number} offset of the snapshot that this began with
 * @property {number} price of the last trade
 * @property {number} tick 1 when the last change of price was up, -1 down, 0 unknown
 * @property {number} bid
 * @property {number} bid_size
 * @property {number} ask
 * @property {number} ask_size
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} prev_close
 * @property {number} volume 0 until there is a trade on this day, which sets `open`, `high` and `low`
 * @property {number} day_us when the day of UTC began that the figures belong to
 */

import { INTERVAL_US } from "./protocol.js";

/**
 * @param {Snapshot} snapshot
 * @returns {Ticker}
 */
export function fromSnapshot(snapshot) {
  const { symbol, offset, ts, price, bid, bid_size, ask, ask_size, open, high, low, prev_close, volume } = snapshot;
  return { symbol, offset, price, tick: 0, bid, bid_size, ask, ask_size, open, high, low, prev_close, volume, day_us: ts - (ts % INTERVAL_US["1d"]) };
}

/**
 * Begins a day: until there is a trade, its figures are the previous close.
 * @param {Ticker} ticker
 * @param {Day} day
 */
export function applyDay(ticker, { ts, prev_close }) {
  ticker.day_us = ts;
  ticker.price = ticker.open = ticker.high = ticker.low = ticker.prev_close = prev_close;
  ticker.volume = 0;
}

/**
 * Folds a trade into the record. One of a day before, which a rate has held back, changes nothing.
 * @param {Ticker} ticker
 * @param {Trade} trade
 */
export function applyTrade(ticker, { ts, price, size }) {
  if (ts < ticker.day_us) return;
  if (ticker.volume === 0) ticker.open = ticker.high = ticker.low = price;
  if (price !== ticker.price) ticker.tick = Math.sign(price - ticker.price);
  ticker.price = price;
  ticker.volume += size;
  ticker.high = Math.max(ticker.high, price);
  ticker.low = Math.min(ticker.low, price);
}

/**
 * Folds a quote into the record.
 * @param {Ticker} ticker
 * @param {Quote} quote
 */
export function applyQuote(ticker, { bid, bid_size, ask, ask_size }) {
  ticker.bid = bid;
  ticker.bid_size = bid_size;
  ticker.ask = ask;
  ticker.ask_size = ask_size;
}

/**
 * Returns 1 when a trade took the ask, -1 when it hit the bid, 0 when it lay between.
 * @param {Ticker} ticker as it was before the trade
 * @param {number} price
 */
export function sideOf(ticker, price) {
  if (price >= ticker.ask) return 1;
  return price <= ticker.bid ? -1 : 0;
}

/** Returns the change since the previous close, in dollars and in percent. @param {Ticker} ticker */
export function changeOf({ price, prev_close }) {
  const change = price - prev_close;
  return { change, percent: prev_close > 0 ? (change / prev_close) * 100 : 0 };
}
