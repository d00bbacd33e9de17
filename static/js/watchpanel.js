// @ts-check
/**
 * The panel of the watchlist: what the viewer does goes to the lists, to storage and to the table.
 *
 * Owns: the order, the filter, the columns and the rows in sight. Does not own: the lists (`watch.js`), the charted symbol and the
 * subscriptions (`app.js`), the figures (`market.js`), the rows (`watchlist.js`), the menus (`watchtools.js`).
 */

/** @typedef {import("./market.js").Market} Market */
/** @typedef {import("./order.js").Order} Order */

import { address } from "./address.js";
import { columnsOf, fitting, soundColumns } from "./columns.js";
import { byId } from "./element.js";
import { mark, t } from "./i18n.js";
import { KeptLists } from "./keptlists.js";
import { Listings } from "./listings.js";
import { itemsOf } from "./listview.js";
import { nextOrder, orderOf, orderText, OWN } from "./order.js";
import { say } from "./say.js";
import { nameIn, rankerOf, Search } from "./search.js";
import { settings } from "./settings.js";
import { forgetSparks, wantSparks } from "./spark.js";
import { onOtherTab } from "./storage.js";
import { firstTen, LISTS_MAX, WATCH_MAX } from "./watch.js";
import { Watchlist } from "./watchlist.js";
import { WatchNote } from "./watchnote.js";
import { nameOf as listName, WatchTools } from "./watchtools.js";

/** How often a sorted list is sorted anew. */
const SORT_MS = 1_000;
/** The refused symbols that are named; of more only the number is. */
const NAMED_MAX = 3;
/** Columns whose figures never change: sorted by them, rows out of sight need no updates. */
const FIXED = [null, "symbol"];

const columnSetting = settings.define("columns", soundColumns);
/** As in the address. */
const orderSetting = settings.define("sort", (stored) => (orderOf(stored) ? String(stored) : ""));
const sectionSetting = settings.define("sections", (stored) => stored === true);

/**
 * @typedef {object} PanelHandlers
 * @property {(symbol: string | null) => void} onChart the viewer or a change of the list charts a symbol
 * @property {() => string | null} charted
 * @property {() => void} onSight other rows are in sight
 * @property {(symbol: string) => boolean} hasAlert
 * @property {() => string} link the address of what the page shows
 */

export class WatchPanel {
  listings = new Listings();
  note = new WatchNote(() => this.#undo());
  #lists = new KeptLists();
  #watch = this.#lists.watch;
  #market;
  #handlers;
  #table;
  #tools;
  #search;
  #order = keptOrder();
  #filter = "";
  /** @type {import("./listview.js").Item[]} */
  #items = [];
  /** @type {{ seen: string[], near: string[] }} */
  #sight = { seen: [], near: [] };
  #sorted_ms = 0;
  #hasSparks = false;
  #scroller = /** @type {HTMLElement} */ (byId("watchlist").parentElement);

  /** @param {Market} market @param {PanelHandlers} handlers */
  constructor(market, handlers) {
    this.#market = market;
    this.#handlers = handlers;
    this.#table = new Watchlist(byId("watchlist"), market.tickers, {
      onChart: handlers.onChart,
      onRemove: (symbol) => this.#remove(symbol),
      onSort: (key) => this.#sort(nextOrder(this.#order, key)),
      onDrag: () => this.#mayMove(),
      onMove: (symbol, target, isAfter) => this.#move(symbol, target, isAfter),
      onUndo: () => this.#undo(),
      onSight: (seen, near) => this.#onSight(seen, near),
    });
    this.#tools = new WatchTools({
      lists: () => ({ lists: this.#watch.lists, active: this.#watch.list.id }),
      columns: () => this.#columnKeys(),
      state: () => ({ hasSections: sectionSetting.get(), isSorted: this.#order.key !== null, canUndo: this.#watch.canUndo }),
      onList: (id) => this.#chooseList(id),
      onFilter: (filter) => {
        this.#filter = filter;
        this.arrange();
      },
      onColumns: (keys) => columnSetting.set(keys),
      onRename: (name) => this.#change(() => this.#watch.rename(name)),
      onAction: (action) => void this.#act(action),
    });
    this.#search = new Search(/** @type {HTMLInputElement} */ (byId("search")), byId("search-list"), {
      listings: () => this.listings.all,
      isListed: (symbol) => this.#watch.own.includes(symbol),
      onChoose: (symbol) => this.#choose(symbol),
    });
    byId("restore").addEventListener("click", () => this.#add(firstTen(this.listings.all.map((listing) => listing.symbol))));
    onOtherTab(() => {
      this.#lists.adopt();
      this.arrange();
    });
    address.onBack(({ symbols }) => {
      this.#lists.show(symbols);
      this.#order = keptOrder();
      this.arrange();
    });
    columnSetting.subscribe(() => this.#setColumns());
    sectionSetting.subscribe(() => this.arrange());
    new ResizeObserver(() => this.#setColumns()).observe(this.#scroller);
  }

  /** Shows the list of the address, or of the last visit. Returns the symbol to chart. */
  start() {
    const charted = this.#lists.start();
    this.#setColumns();
    return charted;
  }

  /** The symbols of the shown list, in the viewer's own order. */
  get own() {
    return this.#watch.own;
  }

  /** Those of them that the server trades. */
  get traded() {
    return this.#watch.own.filter((symbol) => !this.listings.isUnknown(symbol));
  }

  /** The rows in sight, and those out of sight whose figures are needed all the same. Symbols that the server does not trade are left out. */
  get sight() {
    const listed = new Set(this.#watch.own.filter((symbol) => !this.listings.isUnknown(symbol)));
    const seen = this.#sight.seen.filter((symbol) => listed.has(symbol));
    const rest = FIXED.includes(this.#order.key) ? this.#sight.near : this.#watch.own;
    const isSeen = new Set(seen);
    return { seen, unseen: rest.filter((symbol) => listed.has(symbol) && !isSeen.has(symbol)) };
  }

  /** @param {string} symbol */
  nameOf(symbol) {
    return nameIn(symbol, this.listings.bySymbol.get(symbol)?.name ?? "");
  }

  /** Loads the symbols that a run of the server trades. @param {string | null} epoch */
  async load(epoch) {
    if (await this.listings.load(epoch)) this.#relist();
  }

  /** Loads those that the server has added meanwhile. */
  async refresh() {
    if (await this.listings.refresh()) this.#relist();
  }

  #relist() {
    this.#search.refresh();
    const { all, bySymbol } = this.listings;
    if (this.#lists.replaceFirst(all.map((listing) => listing.symbol))) {
      if (!bySymbol.has(this.#handlers.charted() ?? "")) this.#handlers.onChart(this.#watch.own[0] ?? null);
    }
    this.arrange();
    this.#handlers.onSight();
  }

  /** Marks symbols that this server does not trade. They stay listed, because its next run may trade them. @param {string[]} symbols */
  addUnknown(symbols) {
    this.listings.refuse(symbols);
    this.arrange();
    this.#handlers.onSight();
  }

  /** Shows the rows as the list has them. */
  arrange() {
    const { own } = this.#watch;
    const rank = rankerOf(this.#filter, t);
    const isKept = this.#filter.trim() === "" ? null : (/** @type {import("./protocol.js").Listing} */ listing) => rank(listing) >= 0;
    const view = { own, order: this.#order, hasSections: sectionSetting.get(), isKept, listings: this.listings.bySymbol, tickers: this.#market.tickers };
    this.#items = itemsOf(view);
    this.#sorted_ms = performance.now();
    const noteOf = (/** @type {string} */ symbol) =>
      ({ name: this.nameOf(symbol), isUnknown: this.listings.isUnknown(symbol), hasAlert: this.#handlers.hasAlert(symbol) });
    this.#table.mark(this.#handlers.charted());
    this.#table.arrange(this.#items, noteOf, this.#order);
    this.#tools.refresh();
    const { barren } = this.listings;
    byId("watchlist-empty").hidden = own.length > 0 || barren !== "";
    this.note.setBarren(barren);
    byId("watchlist-none").hidden = own.length === 0 || this.#items.length > 0;
    byId("watchlist-count").textContent = own.length > 0 ? t("{count} symbols", { count: own.length }) : "";
    this.#lists.tell();
  }

  /** Marks the charted row. */
  mark() {
    this.#table.mark(this.#handlers.charted());
  }

  /** Returns whether the next frame must follow, because tints fade. @param {Iterable<string>} symbols that have new figures @param {number} now_ms */
  paint(symbols, now_ms) {
    for (const symbol of symbols) this.#table.paint(symbol, now_ms);
    return this.#table.fade(now_ms);
  }

  /**
   * Sorts a sorted list anew, and marks rows that are older than they should be. Call it a few times a second.
   * @param {number} now_ms @param {boolean} isLost whether there is no connection
   */
  tick(now_ms, isLost) {
    if (!FIXED.includes(this.#order.key) && now_ms - this.#sorted_ms >= SORT_MS && !this.#table.isHeld) this.arrange();
    this.#table.markAges((symbol) => (this.listings.isUnknown(symbol) ? null : this.#market.ages.silence(symbol, now_ms, isLost)));
  }

  /** Fetches the sparklines of the rows in sight from now on: the chart has what it needs. */
  startSparks() {
    if (this.#hasSparks) return;
    this.#hasSparks = true;
    this.#wantSparks();
  }

  #wantSparks() {
    if (this.#hasSparks && this.#columnKeys().includes("spark")) wantSparks(this.sight.seen);
  }

  /** Fetches the sparklines anew: the page has not seen every event. */
  renewSparks() {
    forgetSparks();
    this.#wantSparks();
  }

  /** Rewrites the texts after the language was switched. */
  relabel() {
    this.note.relabel();
    this.#tools.relabel();
    this.#table.relabel();
    this.arrange();
  }

  /** @param {string[]} seen @param {string[]} near */
  #onSight(seen, near) {
    this.#sight = { seen, near };
    this.#wantSparks();
    this.#handlers.onSight();
  }

  /** @returns {string[]} */
  #columnKeys() {
    return columnSetting.get() ?? fitting(this.#scroller.clientWidth);
  }

  #setColumns() {
    this.#table.setColumns(columnsOf(this.#columnKeys()));
    this.#wantSparks();
  }

  /** Edits the lists and saves them. @param {() => void} edit */
  #change(edit) {
    this.#lists.change(edit);
    this.arrange();
    this.#handlers.onSight();
  }

  /** @param {string} id */
  #chooseList(id) {
    this.#lists.choose(id);
    this.#scroller.scrollTop = 0;
    this.arrange();
  }

  /** @param {string[]} symbols */
  #add(symbols) {
    this.#change(() => {
      const { refused } = this.#watch.add(symbols);
      if (refused.length === 0) return say(t("{symbol} added, {count} symbols", { symbol: symbols.slice(0, NAMED_MAX).join(", "), count: this.#watch.own.length }));
      const named = refused.slice(0, NAMED_MAX).join(", ") + (refused.length > NAMED_MAX ? ", …" : "");
      this.note.show(mark("The list is full: {symbols} is not added, {count} symbols is the most."), { symbols: named, count: WATCH_MAX });
    });
    if (!this.#handlers.charted() && this.#watch.own.length > 0) this.#handlers.onChart(this.#watch.own[0]);
  }

  /** @param {string} symbol */
  #remove(symbol) {
    const shown = this.#shown();
    const at = shown.indexOf(symbol);
    this.#change(() => this.#watch.remove(symbol));
    this.note.show(mark("{symbol} is removed."), { symbol }, true);
    if (this.#handlers.charted() === symbol) this.#handlers.onChart(shown[at + 1] ?? shown[at - 1] ?? null);
  }

  #shown() {
    return this.#items.flatMap((item) => (item.kind === "row" ? [item.symbol] : []));
  }

  /** Whether rows can be moved. A sorted list says why not. */
  #mayMove() {
    if (this.#order.key !== null) this.note.show(mark("The list is sorted. Go back to your own order to move rows."));
    return this.#order.key === null;
  }

  /** @param {string} symbol @param {string} target @param {boolean} isAfter */
  #move(symbol, target, isAfter) {
    let isMoved = false;
    this.#change(() => {
      isMoved = this.#watch.move(symbol, target, isAfter);
    });
    const place = this.#watch.own.indexOf(symbol) + 1;
    if (isMoved) this.note.show(mark("{symbol} is now number {place} of {count}."), { symbol, place, count: this.#watch.own.length }, true);
  }

  /** Undoes the last change. */
  #undo() {
    const before = new Set(this.#watch.own);
    let isDone = false;
    this.#change(() => {
      isDone = this.#watch.undo();
    });
    this.note.show(isDone ? mark("The last change is undone.") : "", {}, this.#watch.canUndo);
    const back = this.#watch.own.find((symbol) => !before.has(symbol));
    if (back === undefined) return;
    if (!this.#handlers.charted()) this.#handlers.onChart(back);
    this.#table.focus(back);
  }

  /** Adds a symbol to the list; charts it if it is listed already. @param {string} symbol */
  #choose(symbol) {
    if (this.#watch.own.includes(symbol)) this.#handlers.onChart(symbol);
    else this.#add([symbol]);
    this.#table.reveal(symbol);
  }

  /** @param {Order} order */
  #sort(order) {
    this.#order = order;
    orderSetting.set(orderText(order));
    address.follow({ sort: orderText(order) });
    this.#scroller.scrollTop = 0;
    this.arrange();
    this.#handlers.onSight();
    const { key, direction } = order;
    if (key === null) return say(t("in your own order"));
    const column = t(key === "symbol" ? "Symbol" : (columnsOf([key])[0]?.label ?? ""));
    say(direction === "descending" ? t("sorted by {column}, highest first", { column }) : t("sorted by {column}, lowest first", { column }));
  }

  /** The order of the rows in the address. */
  get sort() {
    return orderText(this.#order);
  }

  /** @param {import("./watchtools.js").Action} action */
  async #act(action) {
    switch (action) {
      case "new": return this.#create();
      case "delete": {
        const name = listName(this.#watch.list);
        this.#change(() => this.#watch.drop());
        return this.note.show(mark("The list {name} is deleted."), { name }, true);
      }
      case "sections": return sectionSetting.set(!sectionSetting.get());
      case "own": return this.#sort({ key: null, direction: "descending" });
      case "undo": return this.#undo();
      default: return this.#export(action);
    }
  }

  /** Copies a link to what the page shows. */
  share() {
    return this.#export("link");
  }

  /** @param {"copy" | "csv" | "link"} action */
  async #export(action) {
    const { copy, freshFields, saveCsv, tabbed } = await import("./watchfile.js");
    const note = (/** @type {boolean} */ isDone, /** @type {string} */ phrase) =>
      this.note.show(isDone ? phrase : mark("The browser permits no access to the clipboard."));
    if (action === "link") return note(await copy(this.#handlers.link()), mark("The link is on the clipboard."));
    const shown = this.#shown();
    const traded = shown.filter((symbol) => !this.listings.isUnknown(symbol));
    const fields = await freshFields(shown, traded, (symbol) => this.nameOf(symbol), this.#market.tickers);
    if (action === "csv") saveCsv(fields);
    else note(await copy(tabbed(fields)), mark("The rows are on the clipboard."));
  }

  #create() {
    if (this.#watch.lists.length >= LISTS_MAX) return this.note.show(mark("{count} lists is the most."), { count: LISTS_MAX });
    this.#change(() => this.#watch.create(crypto.randomUUID?.() ?? String(Date.now()), t("List {number}", { number: this.#watch.lists.length + 1 })));
  }
}

/** Returns the order of the address, or of the last visit. */
function keptOrder() {
  return orderOf(address.get().sort) ?? orderOf(orderSetting.get()) ?? OWN;
}
