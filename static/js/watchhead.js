// @ts-check
/**
 * The head of the watchlist: one button for each column, by which the rows are sorted.
 *
 * Owns: the cells of the head and the widths of the columns. Does not own: the order of the rows (`order.js`).
 */

/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./order.js").Order} Order */

import { TOOL_WIDTH, widthOf } from "./columns.js";
import { element } from "./element.js";
import { mark, t } from "./i18n.js";

export class WatchHead {
  #table;
  #row;
  #widths;
  /** @type {readonly Column[]} */
  #columns = [];
  /** @type {Order} */
  #order = { key: null, direction: "descending" };

  /** @param {HTMLTableElement} table @param {(key: string) => void} onSort */
  constructor(table, onSort) {
    this.#table = table;
    this.#row = /** @type {HTMLTableSectionElement} */ (table.tHead).rows[0];
    this.#widths = /** @type {HTMLElement} */ (table.querySelector("colgroup"));
    this.#row.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button[data-sort]") : null;
      if (button instanceof HTMLElement) onSort(button.dataset.sort ?? "");
    });
  }

  /** @param {readonly Column[]} columns */
  setColumns(columns) {
    this.#columns = columns;
    this.#widths.replaceChildren(element("col"), ...columns.map(({ width }) => columnOf(width)), columnOf(TOOL_WIDTH));
    this.#table.style.minWidth = `${widthOf(columns)}px`;
    this.relabel();
  }

  /** Marks the sorted column. @param {Order} order */
  markOrder(order) {
    this.#order = order;
    for (const head of this.#row.cells) {
      const key = head.querySelector("button")?.dataset.sort;
      if (key !== undefined && key === order.key) head.setAttribute("aria-sort", order.direction);
      else head.removeAttribute("aria-sort");
    }
  }

  /** Writes the head anew, as after a switch of the language. The focus stays on its column. */
  relabel() {
    const focused = this.#row.contains(document.activeElement) ? document.activeElement?.getAttribute("data-sort") : null;
    const head = (/** @type {string} */ key, /** @type {string} */ label, /** @type {boolean} */ isSortable, short = label) => {
      const text = t(short);
      return element("th", { scope: "col" }, isSortable ? element("button", { type: "button", "data-sort": key, "aria-label": t(label) }, text) : text);
    };
    const tool = element("th", { scope: "col" }, element("span", { class: "unseen" }, t("Remove")));
    this.#row.replaceChildren(head("symbol", mark("Symbol"), true), ...this.#columns.map(({ key, label, isSortable, short }) => head(key, label, isSortable, short)), tool);
    this.markOrder(this.#order);
    if (focused) /** @type {HTMLElement | null} */ (this.#row.querySelector(`[data-sort="${focused}"]`))?.focus();
  }
}

/** Returns the column of a table with this width; the policy of the page permits no attribute `style`. @param {number} width_px */
function columnOf(width_px) {
  const made = element("col");
  made.style.width = `${width_px}px`;
  return made;
}
