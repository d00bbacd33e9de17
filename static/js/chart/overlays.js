// @ts-check
/**
 * Draws the lines over the bars of a chart, and those in panes of their own.
 *
 * Owns: the series of these lines. Does not own: their values (`overlay.js`, `indicators.js`).
 */

import { HistogramSeries, LineSeries } from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { colourOf } from "../colours.js";
import { formatPrice } from "../format.js";
import { timeOf } from "./scale.js";

/** @typedef {import("lightweight-charts").AutoscaleInfo} AutoscaleInfo */
/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("./overlay.js").Overlay} Overlay */
/** @typedef {import("lightweight-charts").ISeriesApi<import("lightweight-charts").SeriesType, import("lightweight-charts").Time>} Series */

/** If more values than this have changed, the whole line is replaced. */
const TAIL_MAX = 100;
/** The height of a pane below the bars; that of the bars is 82, that of the volume 18. */
const PANE_STRETCH = 26;
/** As in the chart library: 1 is dotted. */
const DOTTED = 1;

export class Overlays {
  #chart;
  /** @type {{ overlay: Overlay, lines: Series[] }[]} */
  #held = [];

  /** @param {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} chart */
  constructor(chart) {
    this.#chart = chart;
  }

  /** Whether one of them is another symbol. */
  get isCompared() {
    return this.#held.some(({ overlay }) => overlay.isCompared);
  }

  /** Replaces the lines. @param {readonly Overlay[]} overlays */
  set(overlays) {
    const held = this.#held;
    this.#held = overlays.map((overlay) => held.find((each) => each.overlay === overlay) ?? { overlay, lines: this.#add(overlay) });
    for (const { overlay, lines } of held) {
      if (!overlays.includes(overlay)) for (const line of lines) this.#chart.removeSeries(line);
    }
  }

  /** @param {Overlay} overlay @returns {Series[]} */
  #add({ lines, isCompared, isApart, levels }) {
    const pane = isApart ? this.#chart.panes().length : 0;
    const usual = { priceLineVisible: false, lastValueVisible: false, priceFormat: { type: /** @type {const} */ ("custom"), minMove: 0.0001, formatter: formatPrice } };
    /** @type {Series[]} */
    const all = lines.map(({ colour, style, isColumns }) => {
      const color = colourOf(colour);
      if (isColumns) return this.#chart.addSeries(HistogramSeries, { ...usual, color }, pane);
      return this.#chart.addSeries(LineSeries, { ...usual, color, lineStyle: style, lineWidth: isCompared ? 2 : 1, crosshairMarkerVisible: false }, pane);
    });
    if (isApart) all[0].getPane().setStretchFactor(PANE_STRETCH);
    // The levels are always in view.
    if (levels) all[0].applyOptions({ autoscaleInfoProvider: (/** @type {() => AutoscaleInfo | null} */ fitting) => widened(fitting(), levels) });
    for (const price of levels ?? []) all[0].createPriceLine({ price, color: colourOf("crosshair"), lineWidth: 1, lineStyle: DOTTED, axisLabelVisible: false });
    return all;
  }

  /**
   * Draws the values of the bars from this index on, and every other value that has changed.
   * @param {readonly Bar[]} bars
   * @param {number} from
   */
  draw(bars, from) {
    for (const { overlay, lines } of this.#held) {
      const first = overlay.update(bars, from);
      lines.forEach((series, line) => {
        const pointAt = (/** @type {number} */ index) => {
          const [time, value] = [timeOf(bars[index].ts), overlay.values[line][index] ?? null];
          return value === null ? { time } : { time, value };
        };
        if (first === 0 || first < bars.length - TAIL_MAX) series.setData(bars.map((_, index) => pointAt(index)));
        else for (let index = first; index < bars.length; index += 1) series.update(pointAt(index), true);
      });
    }
  }

  /** Removes all values. */
  clear() {
    for (const { lines } of this.#held) for (const line of lines) line.setData([]);
  }

  /** Takes the colours of the active scheme. */
  recolour() {
    for (const { overlay, lines } of this.#held) {
      for (const [index, line] of lines.entries()) line.applyOptions({ color: colourOf(overlay.lines[index].colour) });
    }
  }
}

/** @param {AutoscaleInfo | null} info @param {readonly number[]} levels @returns {AutoscaleInfo | null} */
function widened(info, levels) {
  const range = info?.priceRange;
  return range ? { ...info, priceRange: { minValue: Math.min(range.minValue, ...levels), maxValue: Math.max(range.maxValue, ...levels) } } : info;
}
