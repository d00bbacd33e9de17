// @ts-check
/**
 * A small plot over time, one line for each transport, on a logarithmic scale: a poll's latency is a hundred times a push's.
 * A line ends where there is no value; zero lies on the axis.
 *
 * Owns: the chart library's use for it. Does not own: the figures, or the colours (`compare.css`). The library draws no gap in a
 * line and no zero on its logarithmic scale, so the values are logarithms, and the segment across a gap is transparent.
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

/** The time between two samples, in seconds, and how much later one may be. */
const SAMPLE_S = 1;
const LATE_S = 0.6;
/** The legend's dashes (`compare.css`) are like these. @type {Readonly<Record<Transport, import("lightweight-charts").LineStyle>>} */
const STYLES = { websocket: LineStyle.Solid, sse: LineStyle.LargeDashed, long_poll: LineStyle.Dashed, short_poll: LineStyle.SparseDotted };
/** The axis of time has so many parts: every length of a run that can be chosen divides by it. */
const PARTS = 5;

/** @typedef {{ x: number, y: number | null }} Point seconds; null: no value */
/** @typedef {{ name: Transport, points: readonly Point[], every_s: number }} Series `every_s`: how much later than with the next
 *   sample a value may come */

export class Plot {
  #container;
  #chart;
  /** @type {{ name: Transport, line: Line, dots: Markers }[]} */
  #lines;
  /** A series without values: without it the axis would be as long as the lines. */
  #axis;
  /** The powers of ten that the vertical axis goes from and to, and the end of the axis of time. */
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
        // A mark at each power of ten.
        priceFormat: { type: "custom", minMove: 1, formatter: (/** @type {number} */ power) => write(10 ** power) },
        autoscaleInfoProvider: () => ({ priceRange: this.#range }),
      });
      return { name, line, dots: createSeriesMarkers(line, []) };
    });
    this.#axis = this.#chart.addSeries(LineSeries, { priceScaleId: "left" });
    this.#colour();
    onScheme(() => this.#colour());
  }

  /** Draws these lines, one for each transport. @param {readonly Series[]} series @param {number} seconds the length of the axis of time */
  draw(series, seconds) {
    const values = series.flatMap(({ points }) => points.map(({ y }) => y ?? 0)).filter((y) => y > 0);
    const low = Math.floor(Math.log10(values.length > 0 ? Math.min(...values) : 1));
    const high = Math.ceil(Math.log10(values.length > 0 ? Math.max(...values) : 10));
    this.#range = { minValue: low, maxValue: Math.max(low + 1, high) };
    this.#seconds = seconds;
    this.#axis.setData(Array.from({ length: seconds + 1 }, (_, at_s) => ({ time: timeOf(at_s) })));
    for (const { name, line, dots } of this.#lines) {
      const { points, every_s } = series.find((each) => each.name === name) ?? { points: [], every_s: 0 };
      // The library takes whole seconds, each once.
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

/** Returns a second of the run as the library's time. @param {number} at_s */
function timeOf(at_s) {
  return /** @type {UTCTimestamp} */ (at_s);
}

/**
 * Returns the runs of values that follow each other without a gap.
 * @param {readonly Point[]} points
 * @param {number} every_s how much later than with the next sample a value may come, as a poll has its interval
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
 * Returns each value as the mean of the last so many seconds: what comes every five seconds would jump between nothing and
 * five times as much. Without a value for each of these seconds there is none.
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
