// @ts-check
/**
 * The panel of the watchlist: the viewer's changes go to the list, to storage and to the table.
 *
 * Owns: the list, the symbols that the server trades, the search for them. Does not own: the charted symbol and the subscriptions
 * (`app.js`), the figures (`market.js`), the rows (`watchlist.js`).
 */

/** @typedef {import("./protocol.js").Listing} Listing */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { byId } from "./element.js";
import { mark } from "./i18n.js";
import { fetchListings } from "./rest.js";
import { nameIn, Search } from "./search.js";
import { loadChoices, onOtherTab, saveChoice } from "./storage.js";
import { FIRST_TEN, firstTen, Watch, WATCH_MAX } from "./watch.js";
import { Watchlist } from "./watchlist.js";
import { WatchNote } from "./watchnote.js";

/**
 * @typedef {object} PanelHandlers
 * @property {(symbol: string | null) => void} onChart the viewer or a change of the list charts a symbol
 * @property {() => string | null} charted
 * @property {() => void} onRows other rows are shown, or in another order
 * @property {(symbol: string) => void} onRemoved
 */

export class WatchPanel {
  /** @type {Listing[]} */
  listings = [];
  note = new WatchNote(() => this.#undo());
  /** Listed symbols that this run of the server does not trade. @type {Set<string>} */
  #unknown = new Set();
  #watch = new Watch();
  #tickers;
  #handlers;
  #table;
  #search;
  #isFirstVisit = false;
  /** The run of the server whose symbols are known. @type {string | null} */
  #listed_epoch = null;
  #isListing = false;

  /** @param {Map<string, Ticker>} tickers @param {PanelHandlers} handlers */
  constructor(tickers, handlers) {
    this.#tickers = tickers;
    this.#handlers = handlers;
    this.#table = new Watchlist(byId("watchlist"), {
      onChart: handlers.onChart,
      onRemove: (symbol) => this.#remove(symbol),
      onSort: (key) => this.#sort(key),
    });
    this.#search = new Search(/** @type {HTMLInputElement} */ (byId("search")), byId("search-list"), {
      listings: () => this.listings,
      isListed: (symbol) => this.#watch.own.includes(symbol),
      onChoose: (symbol) => this.#choose(symbol),
    });
    byId("restore").addEventListener("click", () => this.#add(firstTen(this.listings.map((listing) => listing.symbol))));
    onOtherTab((choices) => {
      this.#watch.adopt(choices.watch ?? this.#watch.own);
      this.arrange();
    });
  }

  /** Shows the list of the last visit. Returns the symbol to chart. */
  start() {
    const { watch, charted } = loadChoices();
    this.#isFirstVisit = watch === null;
    this.#watch.adopt(watch ?? FIRST_TEN);
    return this.#watch.own.find((symbol) => symbol === charted) ?? this.#watch.own[0] ?? null;
  }

  /** The rows, without symbols that the server does not trade. */
  get traded() {
    return this.#watch.shown.filter((symbol) => !this.#unknown.has(symbol));
  }

  /** @param {string} symbol */
  nameOf(symbol) {
    return nameIn(symbol, this.listings.find((listing) => listing.symbol === symbol)?.name ?? "");
  }

  /** Loads the symbols that a run of the server trades, unless they are known. @param {string | null} epoch */
  async load(epoch) {
    if (this.#isListing || (epoch !== null && epoch === this.#listed_epoch)) return;
    this.#isListing = true;
    try {
      this.listings = await fetchListings();
      this.#listed_epoch = epoch;
      this.#search.refresh();
    } catch {
      return; // The next connection tries again.
    } finally {
      this.#isListing = false;
    }
    const known = new Set(this.listings.map((listing) => listing.symbol));
    if (this.#isFirstVisit) {
      this.#watch.adopt(firstTen([...known]));
      if (!known.has(this.#handlers.charted() ?? "")) this.#handlers.onChart(this.#watch.own[0] ?? null);
    }
    this.#setUnknown(this.#watch.own.filter((symbol) => !known.has(symbol)));
  }

  /** Marks more symbols that this server does not trade. They stay listed, because its next run may trade them. @param {string[]} symbols */
  addUnknown(symbols) {
    this.#setUnknown([...this.#unknown, ...symbols]);
  }

  /** @param {string[]} symbols */
  #setUnknown(symbols) {
    this.#unknown = new Set(symbols);
    this.arrange();
  }

  /** Shows the rows as the list has them. */
  arrange() {
    const { shown, order } = this.#watch;
    this.#table.arrange(shown, (symbol) => this.nameOf(symbol), this.#unknown);
    this.#table.mark(this.#handlers.charted());
    this.#table.markOrder(order);
    byId("watchlist-empty").hidden = shown.length > 0;
    this.#handlers.onRows();
  }

  /** Marks the charted row. */
  mark() {
    this.#table.mark(this.#handlers.charted());
  }

  /** @param {Iterable<string>} symbols that have new figures */
  paint(symbols) {
    for (const symbol of symbols) {
      const ticker = this.#tickers.get(symbol);
      if (ticker) this.#table.paint(ticker);
    }
  }

  /** Rewrites the texts after the language was switched. */
  relabel() {
    this.note.relabel();
    this.#table.relabel();
  }

  /** Loads the list, which another tab may have changed, edits it and saves it. @param {() => void} edit */
  #change(edit) {
    this.#watch.adopt(loadChoices().watch ?? this.#watch.own);
    this.#isFirstVisit = false;
    edit();
    saveChoice({ watch: this.#watch.own });
    this.arrange();
  }

  /** @param {string[]} symbols */
  #add(symbols) {
    this.#change(() => {
      const { refused } = this.#watch.add(symbols);
      if (refused.length > 0) this.note.show(mark("The list is full: {symbols} is not added, {count} symbols is the most."), { symbols: refused.join(", "), count: WATCH_MAX });
    });
    if (!this.#handlers.charted() && this.#watch.shown.length > 0) this.#handlers.onChart(this.#watch.shown[0]);
  }

  /** @param {string} symbol */
  #remove(symbol) {
    if (!this.#watch.own.includes(symbol)) return;
    /** @type {string | null} */
    let next = null;
    this.#change(() => {
      next = this.#watch.remove(symbol);
      this.#handlers.onRemoved(symbol);
    });
    this.note.show(mark("{symbol} is removed."), { symbol }, true);
    if (this.#handlers.charted() === symbol) this.#handlers.onChart(next);
  }

  /** Undoes the last removal. */
  #undo() {
    /** @type {string | null} */
    let symbol = null;
    this.#change(() => {
      symbol = this.#watch.undo();
    });
    this.note.show("");
    if (symbol === null) return;
    if (!this.#handlers.charted()) this.#handlers.onChart(symbol);
    this.#table.focus(symbol);
  }

  /** Adds a symbol to the list; charts it if it is listed already. @param {string} symbol */
  #choose(symbol) {
    if (this.#watch.own.includes(symbol)) this.#handlers.onChart(symbol);
    else this.#add([symbol]);
    this.#table.reveal(symbol);
  }

  /** @param {string} key */
  #sort(key) {
    this.#watch.sort(key, this.#tickers);
    this.arrange();
  }
}
