// @ts-check
/**
 * Draws the lines over the bars of a chart.
 *
 * Owns: the series of these lines. Does not own: their values (`overlay.js`, `indicators.js`).
 */

import { LineSeries } from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { colourOf } from "../colours.js";
import { formatPrice } from "../format.js";
import { timeOf } from "./scale.js";

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("./overlay.js").Overlay} Overlay */
/** @typedef {import("lightweight-charts").ISeriesApi<import("lightweight-charts").SeriesType, import("lightweight-charts").Time>} Series */

/** If more values than this have changed, the whole line is replaced. */
const TAIL_MAX = 100;

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
  #add({ lines, isCompared }) {
    return lines.map(({ colour, style }) => this.#chart.addSeries(LineSeries, {
      color: colourOf(colour),
      lineStyle: style,
      lineWidth: isCompared ? 2 : 1,
      priceLineVisible: false,
      lastValueVisible: false,
      crosshairMarkerVisible: false,
      priceFormat: { type: "custom", minMove: 0.0001, formatter: formatPrice },
    }, 0));
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
