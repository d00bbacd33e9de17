// @ts-check
/**
 * The columns of the watchlist: their heads, widths and cells, and which of them are shown where the viewer has chosen none.
 *
 * Owns: these. Does not own: the rows (`watchrow.js`), the order of rows (`order.js`).
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */

import { element } from "./element.js";
import { formatPercent, formatPrice, formatShares, formatSigned, formatVolume, NONE } from "./format.js";
import { mark } from "./i18n.js";
import { placeOf } from "./order.js";
import { paintSpark, sparkElement } from "./spark.js";
import { changeOf } from "./ticker.js";
import { setText } from "./write.js";
import { formatTime } from "./zone.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label a phrase for `t()`
 * @property {string} [short] what the head shows in place of the label, which is its name then
 * @property {number} width in pixels: fixed, so that changing figures do not move their neighbours
 * @property {boolean} isSortable
 * @property {() => Node[]} parts what a new cell contains
 * @property {(cell: HTMLElement, ticker: Ticker) => void} paint
 */

const plain = () => [document.createTextNode(NONE)];
const stacked = () => [element("span", { class: "upper" }, NONE), element("span", { class: "lower" })];

/** @param {string} key @param {string} label @param {number} width @param {(ticker: Ticker) => string} textOf @returns {Column} */
const figure = (key, label, width, textOf) => ({
  key, label, width, isSortable: true, parts: plain, paint: (cell, ticker) => setText(cell, textOf(ticker)),
});

/** A price with the size that is offered for it. @param {string} key @param {string} label @param {(ticker: Ticker) => [number | undefined, number | undefined]} of @returns {Column} */
const offer = (key, label, of) => ({
  key, label, width: 70, isSortable: true, parts: stacked,
  paint(cell, ticker) {
    const [price, size] = of(ticker);
    setText(cell.children[0], formatPrice(price));
    setText(cell.children[1], size === undefined ? "" : `× ${formatShares(size)}`);
  },
});

/** @type {Column} */
const range = {
  key: "range", label: mark("Day range"), width: 108, isSortable: true,
  parts: () => [element("span", { class: "track" }, element("i")), element("span", { class: "least" }, NONE), element("span", { class: "most" }, NONE)],
  paint(cell, ticker) {
    const [track, least, most] = /** @type {HTMLElement[]} */ ([...cell.children]);
    const place = placeOf(ticker);
    const sign = /** @type {HTMLElement} */ (track.children[0]);
    if (sign.hidden !== (place === undefined)) sign.hidden = place === undefined;
    const percent = `${Math.round((place ?? 0.5) * 100)}%`;
    if (track.style.getPropertyValue("--place") !== percent) track.style.setProperty("--place", percent);
    setText(least, formatPrice(ticker.low));
    setText(most, formatPrice(ticker.high));
  },
};
/** @type {Column} */
const spark = { key: "spark", label: mark("Day"), width: 86, isSortable: false, parts: () => [sparkElement()], paint: paintSpark };

/** All columns, in the order in which they are shown where the viewer has chosen no other. @type {readonly Column[]} */
export const COLUMNS = [
  figure("last", mark("Last"), 80, (ticker) => formatPrice(ticker.price)),
  figure("change", mark("Change"), 62, (ticker) => formatSigned(changeOf(ticker).change)),
  { ...figure("percent", mark("Change %"), 64, (ticker) => formatPercent(changeOf(ticker).percent)), short: mark("%") },
  spark,
  offer("bid", mark("Bid"), ({ bid, bid_size }) => [bid, bid_size]),
  offer("ask", mark("Ask"), ({ ask, ask_size }) => [ask, ask_size]),
  range,
  figure("volume", mark("Volume"), 78, (ticker) => formatVolume(ticker.volume)),
  figure("time", mark("Time"), 68, ({ ts }) => (ts === undefined ? NONE : formatTime(ts / 1e6, "second"))),
];
/** The columns that are shown first where there is not room for all. */
const URGENT = ["last", "percent", "change", "spark", "volume", "bid", "ask", "range", "time"];
/** The least width of the first column, that with room for most names, and that of the last column. */
const SYMBOL_WIDTH = 100;
const NAME_WIDTH = 132;
export const TOOL_WIDTH = 34;
/** In a narrower table a change in percent is worth more than whole names. */
const NARROW = 320;

/** Returns the columns with these keys. @param {readonly string[]} keys */
export function columnsOf(keys) {
  return keys.map((key) => COLUMNS.find((column) => column.key === key)).filter((column) => column !== undefined);
}

/** Returns the keys of the columns that fit into a width. @param {number} width in pixels */
export function fitting(width) {
  let left = width - (width < NARROW ? SYMBOL_WIDTH : NAME_WIDTH) - TOOL_WIDTH;
  /** @type {Set<string>} */
  const kept = new Set();
  for (const column of columnsOf(URGENT)) {
    left -= column.width;
    if (left < 0) break;
    kept.add(column.key);
  }
  return COLUMNS.flatMap(({ key }) => (kept.has(key) ? [key] : []));
}

/** Returns a stored choice of columns without what is not one, or null if there is none. @param {unknown} stored @returns {string[] | null} */
export function soundColumns(stored) {
  if (!Array.isArray(stored)) return null;
  const keys = [...new Set(stored)].filter((key) => COLUMNS.some((column) => column.key === key));
  return keys.length > 0 ? keys : null;
}

/** Returns the width of a table with these columns, in pixels. @param {readonly Column[]} columns */
export function widthOf(columns) {
  return columns.reduce((sum, column) => sum + column.width, SYMBOL_WIDTH + TOOL_WIDTH);
}
