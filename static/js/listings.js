// @ts-check
/**
 * The symbols that the server trades, and those of the viewer's that it does not.
 *
 * Owns: both. Does not own: the search (`search.js`) or the lists (`watch.js`).
 */

/** @typedef {import("./protocol.js").Listing} Listing */

import { fetchListings } from "./rest.js";

export class Listings {
  /** @type {Listing[]} */
  all = [];
  /** @type {ReadonlyMap<string, Listing>} */
  bySymbol = new Map();
  /** Symbols that the server has refused, although it lists them or the list has not come. @type {Set<string>} */
  #refused = new Set();
  /** The run of the server whose symbols are known. @type {string | null} */
  #epoch = null;
  #isLoading = false;
  /** Whether the list has come. */
  isLoaded = false;

  /** Loads the symbols that a run of the server trades, unless they are known. Returns whether that was done. @param {string | null} epoch */
  async load(epoch) {
    if (this.#isLoading || (epoch !== null && epoch === this.#epoch)) return false;
    this.#isLoading = true;
    try {
      this.all = await fetchListings();
      this.bySymbol = new Map(this.all.map((listing) => [listing.symbol, listing]));
      this.isLoaded = true;
      this.#epoch = epoch;
      this.#refused.clear();
      return true;
    } catch {
      return false; // The next connection tries again.
    } finally {
      this.#isLoading = false;
    }
  }

  /** Notes symbols that the server does not trade. @param {readonly string[]} symbols */
  refuse(symbols) {
    for (const symbol of symbols) this.#refused.add(symbol);
  }

  /** Whether the server is known not to trade a symbol; its next run may. @param {string} symbol */
  isUnknown(symbol) {
    return this.#refused.has(symbol) || (this.all.length > 0 && !this.bySymbol.has(symbol));
  }
}
