// @ts-check
/**
 * One row of the watchlist: its cells, what is written into them, and the tint when its price changes.
 *
 * Owns: the elements of a row. Does not own: the columns (`columns.js`), where the row is (`watchlist.js`).
 */

/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { element } from "./element.js";
import { directionOf } from "./format.js";
import { t } from "./i18n.js";
import { changeOf } from "./ticker.js";
import { setData, setText } from "./write.js";

/** How long the tint is seen, and its steps: it fades in the frames in which figures are painted anyway. An animation of its own would cost the page three more frames for each of them. */
const TINT_MS = 480;
const TINT_STEPS = 3;
const CROSS = "M2.5 2.5l7 7m0-7l-7 7";
const BELL = "M2 9h8L9 7.5V5a3 3 0 0 0-6 0v2.5zM5 10.7h2";
const SVG = "http://www.w3.org/2000/svg";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** What a row says of itself beside its figures. @typedef {{ name: string, isUnknown: boolean, hasAlert: boolean }} Note */

export class WatchRow {
  symbol;
  element;
  #name = element("span", { class: "name" });
  #age = element("span", { class: "age" });
  #bell_text = element("span", { class: "unseen" });
  #bell = element("span", { class: "bell" }, icon(BELL, "1.3"), this.#bell_text);
  #head;
  #tool;
  #remove;
  /** @type {readonly Column[]} */
  #columns = [];
  /** @type {HTMLElement[]} */
  #cells = [];
  /** The last painted price. @type {number | undefined} */
  #price;
  /** The cell whose tint fades, and since when. @type {{ cell: HTMLElement, since_ms: number } | null} */
  #tint = null;

  /** @param {string} symbol @param {readonly Column[]} columns */
  constructor(symbol, columns) {
    this.symbol = symbol;
    const upper = element("span", { class: "upper" }, element("span", { class: "symbol" }, symbol), this.#bell, this.#age);
    this.#head = element("th", { scope: "row" }, element("span", { class: "grip", "aria-hidden": "true" }), upper, this.#name);
    this.#remove = element("button", { type: "button", "data-action": "remove", tabindex: "-1" }, icon(CROSS, "1.5"));
    this.#tool = element("td", { class: "tool" }, this.#remove);
    this.element = element("tr", { "data-symbol": symbol, tabindex: "-1", "aria-selected": "false" }, this.#head, this.#tool);
    this.#bell.hidden = true;
    this.relabel();
    this.setColumns(columns);
  }

  /** Replaces the cells. @param {readonly Column[]} columns */
  setColumns(columns) {
    if (columns === this.#columns) return;
    this.#columns = columns;
    this.#cells = columns.map((column) => element("td", { "data-field": column.key }, ...column.parts()));
    this.element.replaceChildren(this.#head, ...this.#cells, this.#tool);
    this.#price = undefined;
    this.#tint = null;
  }

  /** @param {number} index of the row in the whole table, from 1, as assistive technology counts */
  setIndex(index) {
    const text = String(index);
    if (this.element.ariaRowIndex !== text) this.element.ariaRowIndex = text;
  }

  /** @param {Note} note */
  describe({ name, isUnknown, hasAlert }) {
    const text = isUnknown ? t("not traded on this server") : name;
    setText(this.#name, text);
    if (this.#name.title !== text) this.#name.title = text;
    if (this.#bell.hidden === hasAlert) this.#bell.hidden = !hasAlert;
    if (!hasAlert) return;
    this.#bell.title = t("alert armed");
    setText(this.#bell_text, ` ${t("alert armed")} `);
  }

  /** Marks the row as older than it should be, or not. @param {number | null} silent_ms how long it has been silent; null if not too long */
  markAge(silent_ms) {
    setData(this.element, "old", silent_ms === null ? "" : "old");
    setText(this.#age, silent_ms === null ? "" : t("{seconds} s old", { seconds: Math.floor(silent_ms / 1_000) }));
  }

  /** @param {boolean} isCharted */
  markCharted(isCharted) {
    const { element } = this;
    if (element.ariaSelected === String(isCharted)) return;
    element.ariaSelected = String(isCharted);
    if (isCharted) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }

  /** Returns whether the price begins to be tinted. @param {Ticker} ticker @param {number} now_ms */
  paint(ticker, now_ms) {
    for (const [index, column] of this.#columns.entries()) column.paint(this.#cells[index], ticker);
    setData(this.element, "direction", directionOf(changeOf(ticker).change));
    if (this.#price === ticker.price) return false;
    const isFirst = this.#price === undefined;
    this.#price = ticker.price;
    const cell = this.#cells[this.#columns.findIndex((column) => column.key === "last")];
    if (!cell) return false;
    setData(cell, "tick", ticker.tick === 0 ? "" : ticker.tick > 0 ? "up" : "down");
    if (isFirst || ticker.tick === 0 || calm.matches) return false;
    this.#tint = { cell, since_ms: now_ms };
    return true;
  }

  /** Lets the tint of the price fade; the style sheet gives its colour. Returns whether it is still seen. @param {number} now_ms */
  fade(now_ms) {
    if (!this.#tint) return false;
    const { cell, since_ms } = this.#tint;
    const left = Math.max(0, Math.ceil(TINT_STEPS * (1 - (now_ms - since_ms) / TINT_MS)));
    setData(cell, "tint", left === 0 ? "" : String(left));
    if (left === 0) this.#tint = null;
    return left > 0;
  }

  /** Rewrites the labels, as after a switch of the language. */
  relabel() {
    this.#remove.ariaLabel = t("Remove {symbol}", { symbol: this.symbol });
  }
}

/** @param {string} d the path @param {string} width of its line */
function icon(d, width) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 12 12", width: "12", height: "12", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({ d, stroke: "currentColor", fill: "none", "stroke-width": width, "stroke-linecap": "round" })) path.setAttribute(name, value);
  svg.append(path);
  return svg;
}
