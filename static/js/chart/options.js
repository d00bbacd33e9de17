// @ts-check
/**
 * What the viewer has chosen of the charts: their kind, the scale, the indicators, the compared symbol, and the charts beside the first.
 *
 * Owns: what is valid of these. Does not own: storage (`settings.js`), the address (`address.js`), the controls.
 */

/** @typedef {import("../protocol.js").Interval} Interval */
/** @typedef {import("./kinds.js").Kind} Kind */
/** @typedef {{ symbol: string | null, interval: Interval }} Pane a chart beside the first; without a symbol it follows that of the first */
/** @typedef {{ kind: Kind, isLog: boolean, indicators: string[], compared: string | null, panes: Pane[] }} Options */

import { INTERVALS } from "../protocol.js";
import { settings } from "../settings.js";

/** The most charts beside the first. */
export const PANES_MAX = 3;
/** The indicators that there are, as `indicators.js` knows them. */
export const INDICATORS = ["sma20", "sma50", "ema20", "vwap", "bands", "rsi14", "macd"];
/** @type {readonly Kind[]} */
export const KINDS = ["candles", "line", "area"];
const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;

/** Returns valid options for anything that is stored. @param {unknown} stored @returns {Options} */
export function optionsOf(stored) {
  const { kind, isLog, indicators, compared, panes } = /** @type {Record<string, unknown>} */ (typeof stored === "object" && stored !== null ? stored : {});
  return {
    kind: KINDS.find((known) => known === kind) ?? "candles",
    isLog: isLog === true,
    indicators: INDICATORS.filter((known) => Array.isArray(indicators) && indicators.includes(known)),
    compared: symbolOf(compared),
    panes: (Array.isArray(panes) ? panes : []).slice(0, PANES_MAX).map((pane) => ({
      symbol: symbolOf(pane?.symbol),
      interval: INTERVALS.find((known) => known === pane?.interval) ?? "1m",
    })),
  };
}

/** @param {unknown} value */
function symbolOf(value) {
  return typeof value === "string" && SYMBOL.test(value) ? value : null;
}

/**
 * Returns the options that an address names; what it does not name, or names wrongly, is missing.
 * @param {Pick<import("../address.js").Address, "compare" | "kind" | "indicators" | "log">} address
 * @returns {Partial<Options>}
 */
export function linkedOptions({ compare, kind, indicators, log }) {
  const compared = compare === null ? null : symbolOf(compare.toUpperCase());
  const chosen = INDICATORS.filter((name) => indicators?.split(",").includes(name));
  return {
    ...(compare === "" || compared !== null ? { compared } : {}),
    ...KINDS.filter((known) => known === kind).map((known) => ({ kind: known }))[0],
    ...(indicators === "" || chosen.length > 0 ? { indicators: chosen } : {}),
    ...(log === "1" || log === "0" ? { isLog: log === "1" } : {}),
  };
}

/** Returns options as an address has them. @param {Partial<Options>} options */
export function linkOf({ compared, kind, indicators, isLog }) {
  return { compare: compared === undefined ? undefined : (compared ?? ""), kind, indicators: indicators?.join(), log: isLog === undefined ? undefined : isLog ? "1" : "0" };
}

export const chartOptions = settings.define("chart", optionsOf);
