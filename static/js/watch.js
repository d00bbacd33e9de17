// @ts-check
/**
 * The watchlist, in the viewer's own order and in the shown order.
 *
 * Owns: both lists and the last removal, which can be undone. Does not own: storage (`storage.js`), rows (`watchlist.js`),
 * subscriptions (`app.js`). Pure.
 */

/** @typedef {import("./order.js").Order} Order */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { nextOrder, sorted } from "./order.js";

/** The watchlist of a first visit. */
export const FIRST_TEN = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "V", "XOM"];
/** The most symbols of a watchlist. */
export const WATCH_MAX = 100;

/** Returns the watchlist of a first visit, with other symbols of `known` in place of those that are not in it. @param {readonly string[]} known */
export function firstTen(known) {
  const first = FIRST_TEN.filter((symbol) => known.includes(symbol));
  return [...first, ...known.filter((symbol) => !first.includes(symbol))].slice(0, FIRST_TEN.length);
}

export class Watch {
  /** The viewer's own order, which sorting does not change. @type {string[]} */
  own = [];
  /** The shown order. @type {string[]} */
  shown = [];
  /** @type {Order} */
  order = { key: null, direction: "descending" };
  /** @type {{ symbol: string, own: number, shown: number } | null} */
  #removed = null;

  /**
   * Appends symbols that are not listed yet, up to the most symbols of a watchlist.
   * @param {readonly string[]} symbols
   * @returns {{ added: string[], refused: string[] }}
   */
  add(symbols) {
    const fresh = [...new Set(symbols)].filter((symbol) => !this.own.includes(symbol));
    const added = fresh.slice(0, Math.max(WATCH_MAX - this.own.length, 0));
    this.own = [...this.own, ...added];
    this.shown = [...this.shown, ...added];
    return { added, refused: fresh.slice(added.length) };
  }

  /**
   * Removes a symbol. Returns the symbol that takes its place in the shown order, or null.
   * @param {string} symbol
   */
  remove(symbol) {
    this.#removed = { symbol, own: this.own.indexOf(symbol), shown: this.shown.indexOf(symbol) };
    this.own = this.own.filter((listed) => listed !== symbol);
    this.shown = this.shown.filter((listed) => listed !== symbol);
    return this.shown[Math.min(this.#removed.shown, this.shown.length - 1)] ?? null;
  }

  /** Undoes the last removal. Returns the symbol, or null if there is none, or no room. */
  undo() {
    const removed = this.#removed;
    this.#removed = null;
    if (!removed || removed.own < 0 || this.own.includes(removed.symbol) || this.own.length >= WATCH_MAX) return null;
    this.own = this.own.toSpliced(removed.own, 0, removed.symbol);
    this.shown = this.shown.toSpliced(removed.shown, 0, removed.symbol);
    return removed.symbol;
  }

  /**
   * Sorts the shown order by a column: one way, the other way, then the viewer's own order again. Rows stay in place while prices
   * move, so that none moves away from the pointer.
   * @param {string} key
   * @param {Map<string, Ticker>} tickers
   */
  sort(key, tickers) {
    this.order = nextOrder(this.order, key);
    this.shown = this.order.key === null ? [...this.own] : sorted(this.own, tickers, this.order);
  }

  /** Takes over a change of another tab. @param {readonly string[]} own */
  adopt(own) {
    this.own = own.slice(0, WATCH_MAX);
    const kept = this.order.key === null ? [] : this.shown.filter((symbol) => this.own.includes(symbol));
    this.shown = [...kept, ...this.own.filter((symbol) => !kept.includes(symbol))];
  }
}
