// @ts-check
/**
 * The symbols that the server trades, and those of the viewer's that it does not.
 *
 * Owns: both. Does not own: the search (`search.js`) or the lists (`watch.js`).
 */

/** @typedef {import("./protocol.js").Listing} Listing */

import { mark } from "./i18n.js";
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
  /** Whether the server may add symbols. */
  #grows = false;
  /** Whether the list has come. */
  isLoaded = false;

  /** Loads the symbols that a run of the server trades, unless they are known. Returns whether that was done. @param {string | null} epoch */
  async load(epoch) {
    if (epoch !== null && epoch === this.#epoch) return false;
    const symbols = await this.#fetch();
    if (!symbols) return false; // The next connection tries again.
    this.#take(symbols);
    this.#epoch = epoch;
    return true;
  }

  /** Loads the symbols that the server has added, if it may. Returns whether there are any. */
  async refresh() {
    const added = this.#grows ? await this.#fetch(this.all.length) : null;
    if (!added || added.length === 0) return false;
    // The places have changed with the rights of the key.
    const haveMoved = added.some(({ symbol }) => this.bySymbol.has(symbol));
    const symbols = haveMoved ? await this.#fetch() : [...this.all, ...added];
    if (!symbols) return false;
    this.#take(symbols);
    return true;
  }

  /** @param {Listing[]} symbols */
  #take(symbols) {
    this.all = symbols;
    this.bySymbol = new Map(symbols.map((listing) => [listing.symbol, listing]));
    this.isLoaded = true;
    this.#refused.clear();
  }

  /** @param {number} [from] */
  async #fetch(from) {
    if (this.#isLoading) return null;
    this.#isLoading = true;
    try {
      const { symbols, grows = false } = await fetchListings(from);
      this.#grows = grows;
      return symbols;
    } catch {
      return null;
    } finally {
      this.#isLoading = false;
    }
  }

  /** Why there is no symbol; "" if there are some or the list has not come. */
  get barren() {
    if (!this.isLoaded || this.all.length > 0) return "";
    return this.#grows ? mark("The server has no symbol yet.") : mark("The key permits no symbol.");
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
