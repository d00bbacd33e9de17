// @ts-check
/**
 * The table of the watchlist, operated by keyboard and pointer. Only the rows near the visible part are in the document, so that
 * thousands cost no more than a screenful.
 *
 * Owns: which rows are in the document, and the focus. Does not own: the list (`watch.js`), the figures (`market.js`), the inside of a
 * row (`watchrow.js`).
 */

/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./listview.js").Item} Item */
/** @typedef {import("./order.js").Order} Order */
/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {import("./watchrow.js").Note} Note */

import { element } from "./element.js";
import { t } from "./i18n.js";
import { sliceOf } from "./listview.js";
import { RowDrag } from "./rowdrag.js";
import { WatchHead } from "./watchhead.js";
import { WatchRow } from "./watchrow.js";

/** How many rows beyond the visible ones are in the document. */
const BEYOND = 24;
/** The rows in sight are told once they have not changed for so long: a subscription for each step of a scroll would be waste. */
const SETTLE_MS = 150;
/** How long the order stays after the pointer has moved over the rows. */
const POINTED_MS = 1_500;
/** Heights in pixels where no row was measured yet. */
const HEIGHTS = { row: 36, section: 26 };

/**
 * @typedef {object} TableHandlers
 * @property {(symbol: string) => void} onChart
 * @property {(symbol: string) => void} onRemove
 * @property {(key: string) => void} onSort
 * @property {(symbol: string) => boolean} onDrag returns whether the row can be moved
 * @property {(symbol: string, target: string, isAfter: boolean) => void} onMove
 * @property {() => void} onUndo
 * @property {(seen: string[], near: string[]) => void} onSight
 */

export class Watchlist {
  #table;
  #body;
  #scroller;
  #handlers;
  #tickers;
  #head;
  #drag;
  /** @type {readonly Item[]} */
  #items = [];
  /** @type {(symbol: string) => Note} */
  #noteOf = () => ({ name: "", isUnknown: false, hasAlert: false });
  /** The tops of the items in pixels, and the bottom of the last one. @type {number[]} */
  #tops = [0];
  #heights = HEIGHTS;
  /** The rows in the document. @type {Map<string, WatchRow>} */
  #rows = new Map();
  /** The rows whose price has just changed. @type {Set<WatchRow>} */
  #tinted = new Set();
  /** @type {readonly Column[]} */
  #columns = [];
  /** @type {string | null} */
  #charted = null;
  /** The row that has, or last had, the focus. @type {string | null} */
  #focused = null;
  #before = element("tr", { class: "beyond", "aria-hidden": "true" });
  #after = element("tr", { class: "beyond", "aria-hidden": "true" });
  #isPlacing = false;
  #pointed_ms = -Infinity;
  #sight = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #sight_timer;

  /** @param {HTMLTableElement} table @param {Map<string, Ticker>} tickers @param {TableHandlers} handlers */
  constructor(table, tickers, handlers) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#scroller = /** @type {HTMLElement} */ (table.parentElement);
    this.#tickers = tickers;
    this.#handlers = handlers;
    this.#head = new WatchHead(table, handlers.onSort);
    this.#drag = new RowDrag(this.#body, this.#scroller, { onStart: handlers.onDrag, onDrop: handlers.onMove });
    this.#body.addEventListener("click", (event) => this.#onClick(event));
    this.#scroller.addEventListener("keydown", (event) => this.#onKey(event));
    this.#body.addEventListener("pointermove", () => {
      this.#pointed_ms = performance.now();
    });
    this.#body.addEventListener("focusin", ({ target }) => {
      this.#focused = symbolAt(/** @type {Element} */ (target)) ?? this.#focused;
    });
    // Scrolls do not bubble: this is for the rows' own and for that of the page.
    for (const name of ["scroll", "resize"]) addEventListener(name, () => this.#placeSoon(), { capture: true, passive: true });
    new ResizeObserver(() => this.#placeSoon()).observe(this.#scroller);
  }

  /** Whether the order must stay: a row is being moved, or the pointer is on its way to one. */
  get isHeld() {
    return this.#drag.isMoving || performance.now() - this.#pointed_ms < POINTED_MS;
  }

  /** @param {readonly Column[]} columns */
  setColumns(columns) {
    this.#columns = columns;
    this.#head.setColumns(columns);
    this.#table.ariaColCount = String(columns.length + 2);
    for (const row of this.#rows.values()) row.setColumns(columns);
    this.repaint();
  }

  /** Shows these items. @param {readonly Item[]} items @param {(symbol: string) => Note} noteOf @param {Order} order */
  arrange(items, noteOf, order) {
    this.#items = items;
    this.#noteOf = noteOf;
    this.#head.markOrder(order);
    this.#table.ariaRowCount = String(items.length + 1);
    this.#measure();
    this.#place();
    for (const row of this.#rows.values()) row.describe(noteOf(row.symbol));
  }

  /** Marks the charted row. @param {string | null} charted */
  mark(charted) {
    this.#charted = charted;
    const reached = this.#rows.has(charted ?? "") ? charted : this.#rows.keys().next().value;
    for (const [symbol, row] of this.#rows) {
      row.markCharted(symbol === charted);
      // The row that the Tab key reaches.
      row.element.tabIndex = symbol === reached ? 0 : -1;
    }
  }

  /** @param {string} symbol that has new figures @param {number} [now_ms] */
  paint(symbol, now_ms = performance.now()) {
    const row = this.#rows.get(symbol);
    const ticker = row && this.#tickers.get(symbol);
    if (ticker && row.paint(ticker, now_ms)) this.#tinted.add(row);
  }

  /** Lets the tints of changed prices fade. Returns whether any is still seen. @param {number} now_ms */
  fade(now_ms) {
    for (const row of this.#tinted) if (!row.fade(now_ms)) this.#tinted.delete(row);
    return this.#tinted.size > 0;
  }

  /** Paints every row in the document. */
  repaint() {
    for (const symbol of this.#rows.keys()) this.paint(symbol);
  }

  /** Marks the rows that are older than they should be. @param {(symbol: string) => number | null} silenceOf in milliseconds; null if not too long */
  markAges(silenceOf) {
    for (const row of this.#rows.values()) row.markAge(silenceOf(row.symbol));
  }

  /** Rewrites the labels after the language was switched. */
  relabel() {
    this.#head.relabel();
    for (const row of this.#rows.values()) row.relabel();
    for (const section of this.#body.querySelectorAll("tr.section")) section.remove();
    this.#place();
    this.repaint();
  }

  /** Brings a row into view, and the focus to it. @param {string} symbol */
  focus(symbol) {
    this.#reach(symbol);
    this.#rows.get(symbol)?.element.focus();
  }

  /** Brings a row into view. @param {string} symbol */
  reveal(symbol) {
    this.#reach(symbol);
    this.#rows.get(symbol)?.element.scrollIntoView({ block: "nearest" });
  }

  /** Brings a row into the document, by scrolling to it if it is far away. @param {string} symbol */
  #reach(symbol) {
    const index = this.#indexOf(symbol);
    if (index < 0 || this.#rows.has(symbol)) return;
    const { scrollHeight, clientHeight } = this.#scroller;
    if (scrollHeight > clientHeight + 1) this.#scroller.scrollTop = this.#tops[index] - clientHeight / 2;
    else scrollBy(0, this.#body.getBoundingClientRect().top + this.#tops[index] - innerHeight / 2);
    this.#place();
  }

  /** @param {string | null} symbol */
  #indexOf(symbol) {
    return this.#items.findIndex((item) => item.kind === "row" && item.symbol === symbol);
  }

  /** Computes where each item is, from the height of those in the document. */
  #measure() {
    const height = (/** @type {string} */ selector, /** @type {number} */ known) => this.#body.querySelector(selector)?.getBoundingClientRect().height || known;
    this.#heights = { row: height("tr[data-symbol]", this.#heights.row), section: height("tr.section", this.#heights.section) };
    this.#tops = [0];
    for (const item of this.#items) this.#tops.push(this.#tops[this.#tops.length - 1] + this.#heights[item.kind]);
  }

  #placeSoon() {
    if (this.#isPlacing) return;
    this.#isPlacing = true;
    requestAnimationFrame(() => {
      this.#isPlacing = false;
      this.#place();
    });
  }

  /** Puts the rows near the visible part into the document. */
  #place() {
    const box = this.#scroller.getBoundingClientRect();
    const { top } = this.#body.getBoundingClientRect();
    const head = this.#table.tHead?.offsetHeight ?? 0;
    const { first, last } = sliceOf(this.#tops, Math.max(box.top + head, 0) - top, Math.min(box.bottom, innerHeight) - top);
    const from = Math.max(first - BEYOND, 0);
    const to = Math.min(last + BEYOND, this.#items.length);
    const placed = this.#items.slice(from, to);
    const kept = new Set(placed.map((item) => (item.kind === "row" ? item.symbol : "")));
    for (const [symbol, row] of this.#rows) {
      if (kept.has(symbol)) continue;
      // Without this, keys would go nowhere after a scroll.
      if (row.element.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
      row.element.remove();
      this.#rows.delete(symbol);
    }
    const hadFocus = document.activeElement?.closest("tr") ?? null;
    this.#put([this.#before, ...placed.map((item, index) => this.#elementOf(item, from + index)), this.#after]);
    if (hadFocus?.isConnected && !hadFocus.contains(document.activeElement)) hadFocus.focus({ preventScroll: true });
    this.#space(this.#before, this.#tops[from]);
    this.#space(this.#after, this.#tops[this.#items.length] - this.#tops[to]);
    this.mark(this.#charted);
    this.#tellSight(first, last, from, to);
  }

  /** Makes these elements the body of the table; those that are in their place stay untouched. @param {readonly HTMLElement[]} wanted */
  #put(wanted) {
    const stays = new Set(wanted);
    for (const present of [...this.#body.children]) if (!stays.has(/** @type {HTMLElement} */ (present))) present.remove();
    // The newer method moves an element without taking the focus from it.
    const body = /** @type {HTMLElement & { moveBefore?: (element: Element, next: Element | null) => void }} */ (this.#body);
    let next = body.firstElementChild;
    for (const each of wanted) {
      if (each === next) next = next.nextElementSibling;
      else if (each.isConnected && body.moveBefore) body.moveBefore(each, next);
      else body.insertBefore(each, next);
    }
  }

  /** @param {HTMLElement} row @param {number} height */
  #space(row, height) {
    row.hidden = height <= 0;
    row.style.height = `${height}px`;
  }

  /** @param {Item} item @param {number} index @returns {HTMLElement} */
  #elementOf(item, index) {
    if (item.kind === "section") return this.#sectionOf(item);
    let row = this.#rows.get(item.symbol);
    if (!row) {
      row = new WatchRow(item.symbol, this.#columns);
      this.#rows.set(item.symbol, row);
      row.describe(this.#noteOf(item.symbol));
      this.paint(item.symbol);
    }
    row.setIndex(index + 2);
    return row.element;
  }

  /** @param {{ sector: string, count: number }} item */
  #sectionOf({ sector, count }) {
    const present = [...this.#body.querySelectorAll("tr.section")].find((row) => row instanceof HTMLElement && row.dataset.sector === sector);
    const row = present instanceof HTMLElement ? present : element("tr", { class: "section", "data-sector": sector }, element("th", { scope: "rowgroup" }));
    const head = /** @type {HTMLTableCellElement} */ (row.firstElementChild);
    const text = sector === "" ? t("Without a sector") : t(sector);
    if (head.dataset.count !== String(count) || head.dataset.name !== text) {
      Object.assign(head.dataset, { count, name: text });
      head.replaceChildren(element("span", {}, text), element("span", { class: "count" }, String(count)));
    }
    head.colSpan = this.#columns.length + 2;
    return row;
  }

  /** @param {number} first in sight @param {number} last @param {number} from in the document @param {number} to */
  #tellSight(first, last, from, to) {
    const symbols = (/** @type {number} */ start, /** @type {number} */ end) =>
      this.#items.slice(start, end).flatMap((item) => (item.kind === "row" ? [item.symbol] : []));
    const seen = symbols(first, last);
    const near = [...symbols(from, first), ...symbols(last, to)];
    const sight = `${[...seen].sort().join()}|${[...near].sort().join()}`;
    if (sight === this.#sight) return;
    const isFirst = this.#sight === "";
    this.#sight = sight;
    clearTimeout(this.#sight_timer);
    if (isFirst) this.#handlers.onSight(seen, near);
    else this.#sight_timer = setTimeout(() => this.#handlers.onSight(seen, near), SETTLE_MS);
  }

  /** @param {Event} event */
  #onClick(event) {
    const target = event.target instanceof Element ? event.target : null;
    const symbol = symbolAt(target);
    if (!symbol) return;
    if (target?.closest("[data-action=remove]")) this.#remove(symbol);
    else this.#handlers.onChart(symbol);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const target = /** @type {Element} */ (event.target);
    const symbol = symbolAt(target) ?? (target === this.#scroller ? this.#focused : null);
    if (!symbol || target instanceof HTMLInputElement) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.#handlers.onUndo();
    else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) this.#shift(symbol, event.key === "ArrowDown" ? 1 : -1);
    else if (event.ctrlKey || event.metaKey || event.altKey || !this.#walk(symbol, event.key, target)) return;
    event.preventDefault();
  }

  /** Follows a key. Returns false if it means nothing here. @param {string} symbol @param {string} key @param {Element} target */
  #walk(symbol, key, target) {
    const page = Math.max(Math.floor(this.#scroller.clientHeight / this.#heights.row) - 1, 1);
    switch (key) {
      case "ArrowDown": this.#step(symbol, 1); return true;
      case "ArrowUp": this.#step(symbol, -1); return true;
      case "PageDown": this.#step(symbol, page); return true;
      case "PageUp": this.#step(symbol, -page); return true;
      case "Home": this.#step(symbol, -Infinity); return true;
      case "End": this.#step(symbol, Infinity); return true;
      case "Delete": this.#remove(symbol); return true;
      case "Enter": case " ":
        if (target.tagName !== "TR") return false;
        this.#handlers.onChart(symbol);
        return true;
      default: return false;
    }
  }

  /** The symbols in the shown order. */
  get #symbols() {
    return this.#items.flatMap((item) => (item.kind === "row" ? [item.symbol] : []));
  }

  /** @param {string} symbol @param {number} by */
  #step(symbol, by) {
    const symbols = this.#symbols;
    const at = Math.min(Math.max(symbols.indexOf(symbol) + by, 0), symbols.length - 1);
    if (symbols[at]) this.focus(symbols[at]);
  }

  /** Moves a row by one place. @param {string} symbol @param {number} by 1 or -1 */
  #shift(symbol, by) {
    const symbols = this.#symbols;
    const target = symbols[symbols.indexOf(symbol) + by];
    if (!target || !this.#handlers.onDrag(symbol)) return;
    this.#handlers.onMove(symbol, target, by > 0);
    this.focus(symbol);
  }

  /** Removes a row. If it had the focus, its neighbour gets it. @param {string} symbol */
  #remove(symbol) {
    const hadFocus = this.#scroller.contains(document.activeElement);
    const symbols = this.#symbols;
    const at = symbols.indexOf(symbol);
    const neighbour = symbols[at + 1] ?? symbols[at - 1];
    this.#handlers.onRemove(symbol);
    if (!hadFocus) return;
    if (neighbour) this.focus(neighbour);
    else document.getElementById("search")?.focus();
  }
}

/** Returns the symbol of the row that contains an element. @param {Element | null} element */
function symbolAt(element) {
  return element?.closest("tr")?.dataset.symbol ?? null;
}
