// @ts-check
/**
 * What the viewer has chosen of the charts: their kind, the scale, the indicators, the compared symbol, and the charts beside the first.
 *
 * Owns: what is valid of these. Does not own: storage (`settings.js`), the address, the controls.
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
export const INDICATORS = ["sma20", "sma50", "ema20", "vwap", "bands"];
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

export const chartOptions = settings.define("chart", optionsOf);
