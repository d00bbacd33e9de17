// @ts-check
/**
 * The table: prices, figures and state of each transport.
 *
 * Owns: the cells of `#table`. Does not own: the figures (`figures.js`).
 */

import { element } from "../element.js";
import { formatPrice } from "../format.js";
import { t } from "../i18n.js";
import { setData, setText } from "../write.js";
import { describeCause } from "./failure.js";
import { writeBytes, writeCount, writeSpan } from "./figures.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./headline.js").Shown} Shown */
/** @typedef {import("./run.js").Run} Run */
/** @typedef {import("./transports.js").Transport} Transport */

/** The most symbols whose prices are shown. */
const PRICES_MAX = 5;
/** How each row is written; the error is that of the clocks. @type {Record<string, (value: number | null, error_us: number) => string>} */
const WRITERS = {
  events: writeCount, requests: writeCount, connections: writeCount, missed: writeCount, merged: writeCount, reconnected: writeCount,
  up: writeBytes, down: writeBytes, payload: writeBytes, framing: writeBytes, headers: writeBytes, tls: writeBytes,
  bytes_per_event: writeBytes, p50: writeSpan, p99: writeSpan, staleness: writeSpan, cpu: (value) => writeSpan(value),
};

/** Adds a cell for each transport to the rows of the page. @param {HTMLElement} table */
export function makeCells(table) {
  for (const row of table.querySelectorAll("tbody tr")) row.append(...cells(row.id === "failures" ? "" : "–"));
}

/** @param {string} text */
function cells(text) {
  return TRANSPORTS.map((transport) => element("td", { "data-transport": transport }, text));
}

/** Makes the rows of the prices. @param {Element} body @param {readonly string[]} symbols */
export function makePrices(body, symbols) {
  const rows = symbols.slice(0, PRICES_MAX).map((symbol) => {
    return element("tr", { "data-symbol": symbol }, element("th", { scope: "row" }, symbol), ...cells("–"));
  });
  body.replaceChildren(...rows);
}

/** Paints the rows that a measurement with many clients has, and hides the others. @param {HTMLElement} table @param {Record<Transport, Shown>} figures */
export function paintMeasured(table, figures) {
  paintRows(table, figures, 0);
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (table.querySelectorAll("[data-row], #crowd"))) {
    row.hidden = TRANSPORTS.every((transport) => !cellOf(row, transport)?.dataset.value);
  }
}

/** @param {HTMLElement} table @param {Record<Transport, Shown>} figures @param {number} error_us */
function paintRows(table, figures, error_us) {
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (table.querySelectorAll("[data-row]"))) {
    const name = row.dataset.row ?? "";
    for (const transport of TRANSPORTS) {
      const cell = cellOf(row, transport);
      const value = figures[transport][/** @type {keyof Figures} */ (name)];
      setText(cell, WRITERS[name](value, error_us));
      setData(cell, "value", value === null ? "" : String(value));
    }
  }
}

/** Paints the table. @param {HTMLElement} table @param {Run} run @param {Record<Transport, Figures>} figures */
export function paintTable(table, run, figures) {
  paintRows(table, figures, run.clock?.error_us ?? 0);
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (table.querySelectorAll("[data-row], #crowd"))) row.hidden = false;
  for (const transport of TRANSPORTS) {
    setText(cellOf(table.querySelector("#failures"), transport), fateOf(run, transport));
    setText(cellOf(table.querySelector("#crowd"), transport), crowdOf(run, transport));
    for (const row of table.querySelectorAll("#prices tr")) {
      const price = run.tallies[transport].prices.get(/** @type {HTMLElement} */ (row).dataset.symbol ?? "");
      setText(cellOf(row, transport), price === undefined ? "–" : formatPrice(price));
    }
  }
}

/** @param {Element | null} row @param {Transport} transport @returns {HTMLElement | null} */
function cellOf(row, transport) {
  return row?.querySelector(`[data-transport="${transport}"]`) ?? null;
}

/** Describes the failure, the break or the void cursor of a transport; empty without one. @param {Run} run @param {Transport} transport */
function fateOf(run, transport) {
  const { failures: { [transport]: failure }, breaks: { [transport]: broken }, tallies: { [transport]: { voids } } } = run;
  if (failure) return t("broken off at {seconds} s: {reason}", { seconds: failure.second.toFixed(0), reason: describeCause(failure) });
  if (broken) return t("reconnecting: {reason}", { reason: describeCause(broken) });
  if (voids.length === 0) return "";
  return t("void cursor at {seconds} s: losses unknown", { seconds: run.secondsOf(voids[0].at_us).toFixed(0) });
}

/** Describes how many extra clients are served now. @param {Run} run @param {Transport} transport */
function crowdOf({ crowd, settings }, transport) {
  if (!crowd || settings.extra === 0) return "–";
  const values = { served: crowd.served[transport], asked: settings.extra };
  return transport === "websocket" || transport === "sse" ? t("{served} of {asked}", values) : t("{served} in turn", values);
}
