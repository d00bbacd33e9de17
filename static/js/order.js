// @ts-check
/**
 * The order of the watchlist by one of its columns.
 *
 * Owns: the comparison. Does not own: the rows (`listview.js`) or the table head (`watchhead.js`). Pure.
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {{ key: string | null, direction: "ascending" | "descending" }} Order `key` is null for the viewer's own order */

import { changeOf, placeOf } from "./ticker.js";

/**
 * Returns the order after a click on the head of a column. The first click sorts figures descending and symbols ascending, the second
 * click reverses that, and the third one restores the viewer's own order.
 * @param {Order} order
 * @param {string} key
 * @returns {Order}
 */
export function nextOrder(order, key) {
  const first = key === "symbol" ? "ascending" : "descending";
  const second = key === "symbol" ? "descending" : "ascending";
  if (order.key !== key) return { key, direction: first };
  return order.direction === first ? { key, direction: second } : { key: null, direction: "descending" };
}

/**
 * Returns the symbols sorted. Symbols without figures come last in both directions.
 * @param {readonly string[]} symbols
 * @param {ReadonlyMap<string, Ticker>} tickers
 * @param {Order} order
 */
export function sorted(symbols, tickers, { key, direction }) {
  const sign = direction === "ascending" ? 1 : -1;
  return [...symbols].sort((left, right) => {
    if (key === "symbol") return left < right ? -sign : sign;
    const leftTicker = tickers.get(left);
    const rightTicker = tickers.get(right);
    if (!leftTicker || !rightTicker) return Number(Boolean(rightTicker)) - Number(Boolean(leftTicker));
    return sign * (figure(leftTicker, key) - figure(rightTicker, key));
  });
}

/** @param {Ticker} ticker @param {string | null} key */
function figure(ticker, key) {
  switch (key) {
    case "change": return changeOf(ticker).change;
    case "percent": return changeOf(ticker).percent;
    case "bid": return ticker.bid;
    case "ask": return ticker.ask;
    case "range": return placeOf(ticker);
    case "time": return ticker.ts;
    case "volume": return ticker.volume;
    default: return ticker.price;
  }
}
