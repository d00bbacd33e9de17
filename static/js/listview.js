// @ts-check
/**
 * The rows that the watchlist shows: those that pass the filter, sorted, in sections.
 *
 * Owns: this rule. Does not own: the viewer's own order (`watch.js`), the comparison (`order.js`), the table (`watchlist.js`). Pure.
 */

/** @typedef {import("./order.js").Order} Order */
/** @typedef {import("./protocol.js").Listing} Listing */
/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {{ kind: "row", symbol: string } | { kind: "section", sector: string, count: number }} Item */

/**
 * @typedef {object} View
 * @property {readonly string[]} own in the viewer's own order
 * @property {Order} order
 * @property {boolean} hasSections
 * @property {((listing: Listing) => boolean) | null} isKept the filter
 * @property {ReadonlyMap<string, Listing>} listings by symbol
 * @property {ReadonlyMap<string, Ticker>} tickers
 */

import { sorted } from "./order.js";

/** @param {View} view @returns {Item[]} */
export function itemsOf({ own, order, hasSections, isKept, listings, tickers }) {
  const kept = isKept === null ? own : own.filter((symbol) => isKept(listings.get(symbol) ?? { symbol, name: "", sector: "" }));
  const shown = order.key === null ? kept : sorted(kept, tickers, order);
  if (!hasSections) return shown.map((symbol) => ({ kind: "row", symbol }));
  /** Sections in the order of their first row, those of unlisted symbols last. @type {Map<string, string[]>} */
  const sections = new Map();
  for (const symbol of shown) {
    const sector = listings.get(symbol)?.sector ?? "";
    const section = sections.get(sector);
    if (section) section.push(symbol);
    else sections.set(sector, [symbol]);
  }
  const ordered = [...sections].sort(([left], [right]) => Number(left === "") - Number(right === ""));
  return ordered.flatMap(([sector, symbols]) => [
    { kind: /** @type {const} */ ("section"), sector, count: symbols.length },
    ...symbols.map((symbol) => ({ kind: /** @type {const} */ ("row"), symbol })),
  ]);
}

/**
 * Returns the items whose rows are in sight: from the first to before the last index, for a list that begins at 0.
 * @param {readonly number[]} tops of the items in pixels, and the bottom of the last one
 * @param {number} from the visible part, in pixels
 * @param {number} to
 */
export function sliceOf(tops, from, to) {
  const count = tops.length - 1;
  let first = 0;
  // The list is sorted: halve the range that contains the first item whose bottom is below `from`.
  for (let end = count; first < end;) {
    const middle = (first + end) >> 1;
    if (tops[middle + 1] > from) end = middle;
    else first = middle + 1;
  }
  let last = first;
  while (last < count && tops[last] < to) last += 1;
  return { first, last };
}
