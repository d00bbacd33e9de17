// @ts-check
/**
 * A plot over the time of a run, one line for each transport, on a logarithmic scale, because the latency of a poll is a hundred times
 * that of a push. A line has gaps where there is no value; zero lies on the axis.
 *
 * Owns: the plot. Does not own: the figures, or the colours (`compare.css`). The chart library connects points across a gap and has no
 * zero on its own logarithmic scale; so the plotted values are logarithms, and the segment across a gap is transparent.
 */

import {
  createChartEx, createSeriesMarkers, defaultHorzScaleBehavior, LineSeries, LineStyle,
} from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { colourOf, onScheme } from "../colours.js";
import { setData } from "../write.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("lightweight-charts").ISeriesApi<"Line", import("lightweight-charts").Time>} Line */
/** @typedef {import("lightweight-charts").ISeriesMarkersPluginApi<import("lightweight-charts").Time>} Markers */
/** @typedef {import("lightweight-charts").TickMarkWeightValue} TickWeight */
/** @typedef {import("lightweight-charts").UTCTimestamp} UTCTimestamp */
/** @typedef {import("./transports.js").Transport} Transport */

/** The time between two samples, and how late one may be, in seconds. */
const SAMPLE_S = 1;
const LATE_S = 0.6;
/** The legend's dashes (`compare.css`) are like these. @type {Readonly<Record<Transport, import("lightweight-charts").LineStyle>>} */
const STYLES = { websocket: LineStyle.Solid, sse: LineStyle.LargeDashed, long_poll: LineStyle.Dashed, short_poll: LineStyle.SparseDotted };
/** The number of labelled parts of the time axis. Every length of a run that can be chosen is a multiple of it. */
const PARTS = 5;

/** @typedef {{ x: number, y: number | null }} Point seconds; null: no value */
/** @typedef {{ name: Transport, points: readonly Point[], every_s: number }} Series `every_s`: the interval of the values, if it
 *   is longer than that of the samples */

export class Plot {
  #container;
  #chart;
  /** @type {{ name: Transport, line: Line, dots: Markers }[]} */
  #lines;
  /** A series without values, which makes the time axis as long as the run, even while the lines are shorter. */
  #axis;
  /** The range of the vertical axis in powers of ten, and the length of the time axis. */
  #range = { minValue: 0, maxValue: 1 };
  #seconds = 0;

  /** @param {HTMLElement} container @param {(value: number) => string} write writes a value of the vertical axis */
  constructor(container, write) {
    this.#container = container;
    const scale = new (defaultHorzScaleBehavior())();
    scale.fillWeightsForPoints = (points) => {
      for (const point of points) point.timeWeight = /** @type {TickWeight} */ (Number(point.originalTime) % (this.#seconds / PARTS) === 0 ? 1 : 0);
    };
    const writeTime = (/** @type {number} */ at_s) => `${at_s} s`;
    /** @type {import("lightweight-charts").DeepPartial<import("lightweight-charts").TimeChartOptions>} */
    const options = {
      autoSize: true,
      handleScroll: false,
      handleScale: false,
      localization: { timeFormatter: writeTime },
      timeScale: { minBarSpacing: 0.01, allowBoldLabels: false, tickMarkMaxCharacterLength: 5, tickMarkFormatter: writeTime },
      leftPriceScale: { visible: true, borderVisible: false, scaleMargins: { top: 0.06, bottom: 0.02 } },
      rightPriceScale: { visible: false },
      grid: { vertLines: { visible: false } },
    };
    this.#chart = createChartEx(container, scale, options);
    this.#lines = TRANSPORTS.map((name) => {
      const line = this.#chart.addSeries(LineSeries, {
        priceScaleId: "left",
        lineWidth: 2,
        lineStyle: STYLES[name],
        lastValueVisible: false,
        priceLineVisible: false,
        // A tick mark at each power of ten.
        priceFormat: { type: "custom", minMove: 1, formatter: (/** @type {number} */ power) => write(10 ** power) },
        autoscaleInfoProvider: () => ({ priceRange: this.#range }),
      });
      return { name, line, dots: createSeriesMarkers(line, []) };
    });
    this.#axis = this.#chart.addSeries(LineSeries, { priceScaleId: "left" });
    this.#colour();
    onScheme(() => this.#colour());
  }

  /** Draws the lines. @param {readonly Series[]} series @param {number} seconds the length of the time axis */
  draw(series, seconds) {
    const values = series.flatMap(({ points }) => points.map(({ y }) => y ?? 0)).filter((y) => y > 0);
    const low = Math.floor(Math.log10(values.length > 0 ? Math.min(...values) : 1));
    const high = Math.ceil(Math.log10(values.length > 0 ? Math.max(...values) : 10));
    this.#range = { minValue: low, maxValue: Math.max(low + 1, high) };
    this.#seconds = seconds;
    this.#axis.setData(Array.from({ length: seconds + 1 }, (_, at_s) => ({ time: timeOf(at_s) })));
    for (const { name, line, dots } of this.#lines) {
      const { points, every_s } = series.find((each) => each.name === name) ?? { points: /** @type {Point[]} */ ([]), every_s: 0 };
      // The library accepts whole seconds, each at most once.
      /** @type {Map<number, number | null>} */
      const whole = new Map();
      for (const { x, y } of points) whole.set(Math.round(x), y);
      const runs = runsOf([...whole].map(([x, y]) => ({ x, y })), every_s);
      line.setData(runs.flatMap((run) => run.map(({ x, y }, index) => {
        const value = y > 0 ? Math.log10(y) : low;
        return index === run.length - 1 ? { time: timeOf(x), value, color: "transparent" } : { time: timeOf(x), value };
      })));
      const lone = runs.filter((run) => run.length === 1).map(([{ x }]) => timeOf(x));
      dots.setMarkers(lone.map((time) => ({ time, position: "inBar", shape: "circle", color: lineColour(name), size: 0.5 })));
      setData(this.#container, name, String(runs.flat().length));
    }
    this.#chart.timeScale().fitContent();
  }

  #colour() {
    this.#chart.applyOptions({
      layout: { attributionLogo: false, background: { color: "transparent" }, textColor: colourOf("text-soft"), fontFamily: colourOf("font"), fontSize: 11 },
      grid: { horzLines: { color: colourOf("line") } },
      timeScale: { borderColor: colourOf("line") },
    });
    for (const { name, line, dots } of this.#lines) {
      line.applyOptions({ color: lineColour(name) });
      dots.setMarkers(dots.markers().map((dot) => ({ ...dot, color: lineColour(name) })));
    }
  }
}

/** @param {Transport} name */
function lineColour(name) {
  return colourOf(name.replace("_", "-"));
}

/** Returns a second of the run in the library's type for times. @param {number} at_s */
function timeOf(at_s) {
  return /** @type {UTCTimestamp} */ (at_s);
}

/**
 * Returns the points without values removed, split at the gaps.
 * @param {readonly Point[]} points
 * @param {number} every_s the interval of the values, if it is longer than that of the samples
 */
export function runsOf(points, every_s) {
  const gap_s = every_s + SAMPLE_S + LATE_S;
  /** @type {{ x: number, y: number }[][]} */
  const runs = [];
  let before = -Infinity;
  for (const { x, y } of points) {
    if (y === null) continue;
    if (x - before > gap_s) runs.push([]);
    runs[runs.length - 1].push({ x, y });
    before = x;
  }
  return runs;
}

/**
 * Returns the moving average. Without it, bytes that come every five seconds would jump between zero and five times their rate. A point
 * has no value unless every second of its window has one.
 * @param {readonly Point[]} points
 * @param {number} window_s a whole number
 * @returns {Point[]}
 */
export function smoothed(points, window_s) {
  return points.map(({ x }, index) => {
    const values = [];
    for (let at = index; at >= 0 && points[at].x > x - window_s + LATE_S * SAMPLE_S; at -= 1) values.push(points[at].y);
    const sum = values.reduce((/** @type {number | null} */ all, value) => (all === null || value === null ? null : all + value), 0);
    return { x, y: sum === null || values.length < window_s ? null : sum / values.length };
  });
}
