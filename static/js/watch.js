// @ts-check
/**
 * The viewer's list of symbols: in the viewer's own order, and as it is shown.
 *
 * Owns: both lists and the last removal, which can be undone. Does not own: where the list is kept (`storage.js`), rows
 * (`watchlist.js`), or which of its symbols the server sends (`app.js`). Pure.
 */

/** @typedef {import("./order.js").Order} Order */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { nextOrder, sorted } from "./order.js";

/** What a first visit lists. */
export const FIRST_TEN = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "V", "XOM"];
/** The most symbols of the list. */
export const WATCH_MAX = 100;

/** Returns the first ten, and in the place of those that are not among `known` others of these. @param {readonly string[]} known */
export function firstTen(known) {
  const first = FIRST_TEN.filter((symbol) => known.includes(symbol));
  return [...first, ...known.filter((symbol) => !first.includes(symbol))].slice(0, FIRST_TEN.length);
}

export class Watch {
  /** In the viewer's own order, which sorting does not change. @type {string[]} */
  own = [];
  /** As it is shown. @type {string[]} */
  shown = [];
  /** @type {Order} */
  order = { key: null, direction: "descending" };
  /** @type {{ symbol: string, own: number, shown: number } | null} */
  #removed = null;

  /**
   * Appends what is not listed yet, as much of it as there is room for.
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
   * Removes a symbol. Returns the one that is shown in its place, or null.
   * @param {string} symbol
   */
  remove(symbol) {
    this.#removed = { symbol, own: this.own.indexOf(symbol), shown: this.shown.indexOf(symbol) };
    this.own = this.own.filter((listed) => listed !== symbol);
    this.shown = this.shown.filter((listed) => listed !== symbol);
    return this.shown[Math.min(this.#removed.shown, this.shown.length - 1)] ?? null;
  }

  /** Puts the symbol that was removed last back in its places. Returns it; null when there is none, or no room. */
  undo() {
    const removed = this.#removed;
    this.#removed = null;
    if (!removed || removed.own < 0 || this.own.includes(removed.symbol) || this.own.length >= WATCH_MAX) return null;
    this.own = this.own.toSpliced(removed.own, 0, removed.symbol);
    this.shown = this.shown.toSpliced(removed.shown, 0, removed.symbol);
    return removed.symbol;
  }

  /**
   * Sorts what is shown by a column: one way, the other way, and then the viewer's own order again. Rows then stay while
   * prices move, so that none runs from the pointer.
   * @param {string} key
   * @param {Map<string, Ticker>} tickers
   */
  sort(key, tickers) {
    this.order = nextOrder(this.order, key);
    this.shown = this.order.key === null ? [...this.own] : sorted(this.own, tickers, this.order);
  }

  /** Takes over the list as another tab has changed it. @param {readonly string[]} own */
  adopt(own) {
    this.own = own.slice(0, WATCH_MAX);
    const kept = this.order.key === null ? [] : this.shown.filter((symbol) => this.own.includes(symbol));
    this.shown = [...kept, ...this.own.filter((symbol) => !kept.includes(symbol))];
  }
}
