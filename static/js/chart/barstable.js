// @ts-check
/**
 * The bars of the chart as a table, which is another way to read it: the newest first, as they are when the table is opened.
 *
 * Owns: the dialog. Does not own: the bars.
 */

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("../protocol.js").Interval} Interval */

import { byId, element } from "../element.js";
import { formatCount, formatPercent, formatPrice } from "../format.js";
import { t } from "../i18n.js";
import { formatTime } from "../zone.js";

/** The most bars of the table. */
const ROWS_MAX = 200;

/**
 * Opens the table.
 * @param {string} symbol @param {Interval} interval @param {readonly Bar[]} bars the oldest first
 * @param {{ symbol: string, at: (index: number) => { close: number, percent: number } | null } | null} compared the second symbol, by the index of the bar
 */
export function openTable(symbol, interval, bars, compared = null) {
  const first = Math.max(0, bars.length - ROWS_MAX);
  const rows = bars.slice(first).map((bar, at) => {
    const at_s = bar.ts / 1e6;
    const time = interval === "1d" ? formatTime(at_s, "date", true) : `${formatTime(at_s, "day")} ${formatTime(at_s, interval === "1s" ? "second" : "minute")}`;
    const change = bar.open > 0 ? ((bar.close - bar.open) / bar.open) * 100 : 0;
    const figures = [formatPrice(bar.open), formatPrice(bar.high), formatPrice(bar.low), formatPrice(bar.close), formatPercent(change), formatCount(bar.volume)];
    const other = compared?.at(first + at);
    if (compared) figures.push(other ? `${formatPrice(other.close)} (${formatPercent(other.percent)})` : "–");
    return element("tr", {}, element("th", { scope: "row" }, time), ...figures.map((figure) => element("td", {}, figure)));
  }).reverse();
  const head = byId("bars-rows").parentElement?.querySelector("thead tr");
  head?.querySelector(".compared")?.remove();
  if (compared) head?.append(element("th", { scope: "col", class: "compared" }, compared.symbol));
  byId("bars-rows").replaceChildren(...rows);
  byId("bars-title").textContent = t("{symbol}: the newest {count} bars of {interval}", { symbol, count: rows.length, interval: t(interval) });
  /** @type {HTMLDialogElement} */ (byId("bars-table")).showModal();
}
