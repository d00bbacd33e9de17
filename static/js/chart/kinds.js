// @ts-check
/**
 * The kinds of a chart: candles, a line of the closes, and an area below it.
 *
 * Owns: the series of each kind and the form of its points. Does not own: the bars.
 */

import { AreaSeries, CandlestickSeries, LineSeries } from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { formatPrice } from "../format.js";
import { timeOf } from "./scale.js";

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {"candles" | "line" | "area"} Kind */
/** @typedef {{ panel: string, up: string, down: string, accent: string, fill: string }} Colours */

const SERIES = { candles: CandlestickSeries, line: LineSeries, area: AreaSeries };
const CLEAR = "transparent";

/** Adds a series of this kind to the first pane. @param {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} chart @param {Kind} kind */
export function addMainSeries(chart, kind) {
  return chart.addSeries(/** @type {typeof CandlestickSeries} */ (/** @type {unknown} */ (SERIES[kind])), {
    priceFormat: { type: "custom", minMove: 0.0001, formatter: formatPrice },
    // The library's box shows the close of the newest bar in view, which is not the last price once the chart is panned.
    lastValueVisible: false,
    priceLineVisible: false,
  }, 0);
}

/** Returns the options of a kind's look. Rising candles are hollow, so that colour is not the only sign. @param {Kind} kind @param {Colours} colours */
export function lookOf(kind, { panel, up, down, accent, fill }) {
  switch (kind) {
    case "candles": return { upColor: panel, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down };
    case "line": return { color: accent, lineWidth: 2, pointMarkersVisible: false };
    case "area": return { lineColor: accent, lineWidth: 2, topColor: fill, bottomColor: CLEAR };
  }
}

/**
 * Returns the point of a bar. A line that would cross a gap is not drawn.
 * @param {Kind} kind
 * @param {Bar} bar
 * @param {boolean} isBeforeGap
 */
export function pointOf(kind, { ts, open, high, low, close }, isBeforeGap) {
  const time = timeOf(ts);
  if (kind === "candles") return { time, open, high, low, close };
  if (!isBeforeGap) return { time, value: close };
  return kind === "line" ? { time, value: close, color: CLEAR } : { time, value: close, lineColor: CLEAR, topColor: CLEAR, bottomColor: CLEAR };
}
