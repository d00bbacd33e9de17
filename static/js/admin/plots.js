// @ts-check
/**
 * The plots of the last hour: one small chart for each figure, from the points that the server keeps.
 *
 * Owns: the charts. Does not own: the points.
 */

import {
  AreaSeries, createChart, LineSeries, LineStyle, TickMarkType,
} from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { colourOf, onScheme } from "../colours.js";
import { byId, element } from "../element.js";
import { formatBytes } from "../bytes.js";
import { formatCount } from "../format.js";
import { currentLocale, mark, t } from "../i18n.js";
import { setData, setText } from "../write.js";
import { formatMs, formatRate } from "./columns.js";

/** @typedef {"sessions" | "published" | "delivered" | "bytes" | "skipped" | "age_p99_ms" | "feed_lag_ms" | "hub_lag" | "cpu" | "memory"} Figure */
/** @typedef {{ time: number } & Record<Figure, number>} Point `time` in seconds */
/** @typedef {import("lightweight-charts").UTCTimestamp} UTCTimestamp */
/** @typedef {{ figure: Figure, other?: Figure, title: string, isWhole?: boolean, write: (value: number) => string }} Kind `other` is a dashed line */

const perSecond = (/** @type {(value: number) => string} */ write) => (/** @type {number} */ value) => `${write(value)}/s`;

/** @type {readonly Kind[]} */
const KINDS = [
  { figure: "sessions", title: mark("Sessions"), isWhole: true, write: formatCount },
  { figure: "delivered", other: "published", title: mark("Events written; dashed: published"), write: perSecond(formatRate) },
  { figure: "bytes", title: mark("Bytes written"), write: perSecond(formatBytes) },
  { figure: "age_p99_ms", other: "feed_lag_ms", title: mark("Age of 99 %; dashed: feed late"), write: formatMs },
  { figure: "skipped", title: mark("Events skipped or merged"), write: perSecond(formatRate) },
  { figure: "cpu", title: mark("CPU, in cores"), write: (value) => value.toFixed(2) },
  { figure: "memory", title: mark("Memory"), write: formatBytes },
  { figure: "hub_lag", title: mark("Events that the slowest hub is behind"), isWhole: true, write: formatCount },
];

export class Plots {
  #plots = KINDS.map((kind) => new Plot(kind));
  /** @type {readonly Point[]} */
  #points = [];

  constructor() {
    byId("plots").append(...this.#plots.map(({ figure }) => figure));
    onScheme(() => {
      for (const plot of this.#plots) plot.colour();
    });
  }

  /** Draws points, oldest first. @param {readonly Point[]} points */
  draw(points) {
    this.#points = points;
    for (const plot of this.#plots) plot.draw(points);
  }

  /** Writes the titles in the active language. */
  translate() {
    this.draw(this.#points);
  }
}

/** One chart with its title. */
class Plot {
  #kind;
  #box = element("div", { class: "plot", role: "img" });
  #title = element("span");
  #value = element("span", { class: "value" });
  #chart;
  #area;
  #line;

  /** @param {Kind} kind */
  constructor(kind) {
    this.#kind = kind;
    this.figure = element("figure", { "data-plot": kind.figure, "data-points": "0" }, element("figcaption", {}, this.#title, this.#value), this.#box);
    /** @param {number} time @param {boolean} [hasSeconds] */
    const writeTime = (time, hasSeconds) => new Intl.DateTimeFormat(currentLocale(), {
      hour: "2-digit", minute: "2-digit", second: hasSeconds ? "2-digit" : undefined, hourCycle: "h23",
    }).format(time * 1_000);
    this.#chart = createChart(this.#box, {
      autoSize: true,
      handleScroll: false,
      handleScale: false,
      localization: { timeFormatter: (/** @type {number} */ time) => writeTime(time, true) },
      timeScale: {
        timeVisible: true, secondsVisible: true, borderVisible: false, minBarSpacing: 0.1, fixLeftEdge: true, fixRightEdge: true,
        // Soon after the start the marks are less than a minute apart.
        tickMarkFormatter: (/** @type {number} */ time, /** @type {TickMarkType} */ type) => writeTime(time, type === TickMarkType.TimeWithSeconds),
      },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.16, bottom: 0 }, entireTextOnly: true },
      grid: { vertLines: { visible: false } },
    });
    /** @type {import("lightweight-charts").DeepPartial<import("lightweight-charts").SeriesOptionsCommon>} */
    const options = {
      lastValueVisible: false,
      priceLineVisible: false,
      priceFormat: { type: "custom", minMove: kind.isWhole ? 1 : 0.01, formatter: kind.write },
      // Every figure begins at zero.
      autoscaleInfoProvider: (/** @type {() => import("lightweight-charts").AutoscaleInfo | null} */ original) => {
        const info = original();
        const most = info?.priceRange?.maxValue ?? 0;
        return { ...info, priceRange: { minValue: 0, maxValue: most > 0 ? most : 1 } };
      },
    };
    this.#area = this.#chart.addSeries(AreaSeries, { ...options, lineWidth: 2 });
    this.#line = kind.other ? this.#chart.addSeries(LineSeries, { ...options, lineWidth: 1, lineStyle: LineStyle.Dashed }) : null;
    this.colour();
  }

  /** @param {readonly Point[]} points */
  draw(points) {
    const { figure, other, title, write } = this.#kind;
    setText(this.#title, t(title));
    this.#area.setData(dataOf(points, figure));
    if (other) this.#line?.setData(dataOf(points, other));
    this.#chart.timeScale().fitContent();
    const values = points.map((point) => point[figure]);
    const newest = values.at(-1);
    setText(this.#value, newest === undefined ? "" : write(newest));
    setData(this.figure, "points", String(points.length));
    this.#box.setAttribute("aria-label", newest === undefined ? t("{title}: no value yet", { title: t(title) }) : t("{title}: {newest} now, {low} to {high} before", {
      title: t(title), newest: write(newest), low: write(Math.min(...values)), high: write(Math.max(...values)),
    }));
  }

  colour() {
    const accent = colourOf("accent");
    this.#chart.applyOptions({
      layout: { attributionLogo: false, background: { color: "transparent" }, textColor: colourOf("text-soft"), fontFamily: colourOf("font"), fontSize: 11 },
      grid: { horzLines: { color: colourOf("grid") } },
      crosshair: { horzLine: { labelBackgroundColor: colourOf("label") }, vertLine: { labelBackgroundColor: colourOf("label") } },
    });
    this.#area.applyOptions({ lineColor: accent, topColor: `${accent}38`, bottomColor: `${accent}08` });
    this.#line?.applyOptions({ color: colourOf("warn") });
  }
}

/**
 * Returns the values for the library, which takes one for each second.
 * @param {readonly Point[]} points
 * @param {Figure} figure
 */
function dataOf(points, figure) {
  /** @type {Map<number, number>} */
  const bySecond = new Map();
  for (const point of points) bySecond.set(Math.round(point.time), point[figure]);
  return [...bySecond].map(([time, value]) => ({ time: /** @type {UTCTimestamp} */ (time), value }));
}
