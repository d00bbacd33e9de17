// @ts-check
/**
 * The order of the watchlist by one of its columns.
 *
 * Owns: the comparison, and the place of a price in the day's range. Does not own: the rows (`listview.js`) or the table head (`watchhead.js`). Pure.
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {{ key: string | null, direction: "ascending" | "descending" }} Order `key` is null for the viewer's own order */

import { changeOf } from "./ticker.js";

const KEYS = ["symbol", "last", "change", "percent", "bid", "ask", "range", "volume", "time"];
/** @type {Order} */
export const OWN = { key: null, direction: "descending" };

/** Returns the order that a text stands for; null if it is none. @param {unknown} text such as `percent-down`; empty for the own order @returns {Order | null} */
export function orderOf(text) {
  if (text === "") return OWN;
  const [key, way] = typeof text === "string" ? text.split("-") : [];
  if (!KEYS.includes(key) || (way !== "up" && way !== "down")) return null;
  return { key, direction: way === "up" ? "ascending" : "descending" };
}

/** Returns the text that stands for an order. @param {Order} order */
export function orderText({ key, direction }) {
  return key === null ? "" : `${key}-${direction === "ascending" ? "up" : "down"}`;
}

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
 * Returns the symbols sorted. Symbols without the figure come last in both directions.
 * @param {readonly string[]} symbols
 * @param {ReadonlyMap<string, Ticker>} tickers
 * @param {Order} order
 */
export function sorted(symbols, tickers, { key, direction }) {
  const sign = direction === "ascending" ? 1 : -1;
  return [...symbols].sort((left, right) => {
    if (key === "symbol") return left < right ? -sign : sign;
    const leftFigure = figure(tickers.get(left), key);
    const rightFigure = figure(tickers.get(right), key);
    if (leftFigure === undefined || rightFigure === undefined) return Number(leftFigure === undefined) - Number(rightFigure === undefined);
    return sign * (leftFigure - rightFigure);
  });
}

/** Returns where the price is between the low of the day (0) and its high (1); undefined without a price. @param {Ticker} ticker @returns {number | undefined} */
export function placeOf({ price, low, high }) {
  if (price === undefined || low === undefined || high === undefined) return undefined;
  return high > low ? Math.min(Math.max((price - low) / (high - low), 0), 1) : 0.5;
}

/** @param {Ticker | undefined} ticker @param {string | null} key @returns {number | undefined} */
function figure(ticker, key) {
  if (!ticker) return undefined;
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
