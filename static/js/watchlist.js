// @ts-check
/**
 * The table of the watchlist: one row for each symbol, operated by keyboard and pointer.
 *
 * Owns: the rows, their focus and flashes. Does not own: the list (`watch.js`) or the figures (`market.js`).
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {"last" | "change" | "percent" | "bid" | "ask" | "volume"} Field */

import { directionOf, formatPercent, formatPrice, formatSigned, formatVolume } from "./format.js";
import { t } from "./i18n.js";
import { changeOf } from "./ticker.js";
import { setData, setText } from "./write.js";

/** @type {readonly Field[]} */
const FIELDS = ["last", "change", "percent", "bid", "ask", "volume"];
const FLASH_MS = 450;

/**
 * @typedef {object} Row
 * @property {HTMLTableRowElement} element
 * @property {Record<Field, HTMLElement>} cells
 * @property {number} price the last one painted
 * @property {Animation | null} flash
 */

export class Watchlist {
  #table;
  #body;
  #handlers;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLTableElement} table
   * @param {{ onChart: (symbol: string) => void, onRemove: (symbol: string) => void, onSort: (key: string) => void }} handlers
   */
  constructor(table, handlers) {
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#handlers = handlers;
    this.#body.addEventListener("click", (event) => this.#onClick(event));
    this.#body.addEventListener("keydown", (event) => this.#onKey(event));
    table.tHead?.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button[data-sort]") : null;
      if (button instanceof HTMLElement) handlers.onSort(button.dataset.sort ?? "");
    });
  }

  /**
   * Adds, removes and orders rows as the list has them.
   * @param {string[]} symbols
   * @param {(symbol: string) => string} nameOf
   * @param {ReadonlySet<string>} unknown symbols that the server does not trade
   */
  arrange(symbols, nameOf, unknown) {
    for (const [symbol, row] of this.#rows) {
      if (symbols.includes(symbol)) continue;
      row.element.remove();
      this.#rows.delete(symbol);
    }
    symbols.forEach((symbol, index) => {
      const row = this.#rows.get(symbol) ?? this.#addRow(symbol);
      const name = row.element.querySelector(".name");
      const text = unknown.has(symbol) ? t("not traded on this server") : nameOf(symbol);
      setText(name, text);
      name?.setAttribute("title", text);
      const present = this.#body.rows[index];
      if (present !== row.element) this.#body.insertBefore(row.element, present ?? null);
    });
  }

  /** Marks the charted row, which is the one that the Tab key reaches. @param {string | null} charted */
  mark(charted) {
    for (const [symbol, { element }] of this.#rows) {
      const isCharted = symbol === charted;
      element.setAttribute("aria-selected", String(isCharted));
      if (isCharted) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
      element.tabIndex = isCharted ? 0 : -1;
    }
  }

  /** Marks the sorted column. @param {import("./order.js").Order} order */
  markOrder({ key, direction }) {
    for (const button of this.#table.querySelectorAll("button[data-sort]")) {
      const head = button.closest("th");
      if (button.getAttribute("data-sort") === key) head?.setAttribute("aria-sort", direction);
      else head?.removeAttribute("aria-sort");
    }
  }

  /** @param {Ticker} ticker */
  paint(ticker) {
    const row = this.#rows.get(ticker.symbol);
    if (!row) return;
    const { change, percent } = changeOf(ticker);
    const { cells } = row;
    setText(cells.last, formatPrice(ticker.price));
    setText(cells.change, formatSigned(change));
    setText(cells.percent, formatPercent(percent));
    setText(cells.bid, formatPrice(ticker.bid));
    setText(cells.ask, formatPrice(ticker.ask));
    setText(cells.volume, formatVolume(ticker.volume));
    setData(row.element, "direction", directionOf(change));
    if (row.price !== ticker.price) {
      const tick = ticker.tick > 0 ? "up" : "down";
      setData(cells.last, "tick", ticker.tick === 0 ? "" : tick);
      if (!Number.isNaN(row.price) && ticker.tick !== 0) this.#flash(row);
      row.price = ticker.price;
    }
  }

  /** Rewrites the labels of the rows after the language was switched. */
  relabel() {
    for (const [symbol, { element }] of this.#rows) labelRow(element, symbol);
  }

  /** Brings a row into view and the focus to it. @param {string} symbol */
  focus(symbol) {
    this.#rows.get(symbol)?.element.focus();
  }

  /** @param {string} symbol */
  reveal(symbol) {
    this.#rows.get(symbol)?.element.scrollIntoView({ block: "nearest" });
  }

  /** Animates the tint over the price; the style sheet gives the colour of the tick. @param {Row} row */
  #flash(row) {
    if (this.#calm.matches) return;
    row.flash ??= row.cells.last.animate([{ opacity: 1 }, { opacity: 0 }], {
      duration: FLASH_MS, easing: "ease-out", pseudoElement: "::after",
    });
    row.flash.currentTime = 0;
    row.flash.play();
  }

  /** @param {string} symbol @returns {Row} */
  #addRow(symbol) {
    const template = document.querySelector("#watchlist-row");
    if (!(template instanceof HTMLTemplateElement)) throw new Error("the page has no row template");
    const element = /** @type {HTMLTableRowElement} */ (template.content.firstElementChild?.cloneNode(true));
    element.dataset.symbol = symbol;
    setText(element.querySelector(".symbol"), symbol);
    labelRow(element, symbol);
    const cells = /** @type {Record<Field, HTMLElement>} */ (
      Object.fromEntries(FIELDS.map((field) => [field, element.querySelector(`[data-field="${field}"]`)]))
    );
    const row = { element, cells, price: NaN, flash: null };
    this.#rows.set(symbol, row);
    return row;
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
    const row = event.target instanceof Element ? event.target.closest("tr") : null;
    const symbol = symbolAt(row);
    if (!row || !symbol || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnRow = event.target === row;
    const rows = this.#body.rows;
    switch (event.key) {
      case "ArrowDown": this.#focusRow(row.nextElementSibling); break;
      case "ArrowUp": this.#focusRow(row.previousElementSibling); break;
      case "Home": this.#focusRow(rows[0]); break;
      case "End": this.#focusRow(rows[rows.length - 1]); break;
      case "Delete": this.#remove(symbol); break;
      case "Enter": case " ":
        if (!isOnRow) return;
        this.#handlers.onChart(symbol);
        break;
      default: return;
    }
    event.preventDefault();
  }

  /** @param {Element | null} row */
  #focusRow(row) {
    if (row instanceof HTMLElement) row.focus();
  }

  /** Removes a row. If it had the focus, its neighbour gets it. @param {string} symbol */
  #remove(symbol) {
    const element = this.#rows.get(symbol)?.element;
    const hadFocus = element?.contains(document.activeElement) ?? false;
    const neighbour = symbolAt(element?.nextElementSibling ?? element?.previousElementSibling ?? null);
    this.#handlers.onRemove(symbol);
    if (!hadFocus) return;
    if (neighbour) this.focus(neighbour);
    else document.getElementById("search")?.focus();
  }
}

/** @param {Element} row @param {string} symbol */
function labelRow(row, symbol) {
  row.querySelector("button")?.setAttribute("aria-label", t("Remove {symbol}", { symbol }));
}

/** Returns the symbol of the row that contains an element. @param {Element | null} element */
function symbolAt(element) {
  return element?.closest("tr")?.dataset.symbol ?? null;
}
