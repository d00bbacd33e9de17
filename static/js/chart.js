// @ts-check
/**
 * Draws the bars of one symbol and their volume, with lines over them.
 *
 * Owns: the chart library, the colours it takes from the style sheet, the view (zoom, scroll, crosshair). Does not own:
 * the bars (`candles.js`), the values of the lines (`overlays`), or when to draw (`chartcell.js` calls `draw` once per animation frame at most).
 */

import {
  ColorType,
  createChartEx,
  CrosshairMode,
  HistogramSeries,
  LineStyle,
  PriceScaleMode,
} from "../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { Bands } from "./chart/bands.js";
import { gapsOf, slotsBetween } from "./chart/gaps.js";
import { addMainSeries, lookOf, pointOf } from "./chart/kinds.js";
import { listenForKeys } from "./chart/keys.js";
import { Overlays } from "./chart/overlays.js";
import { timeOf, timeOptions, WallClockScale } from "./chart/scale.js";
import { onScheme, readColours } from "./colours.js";
import { formatVolumeShort } from "./format.js";
import { t } from "./i18n.js";
import { setData } from "./write.js";
import { formatTime } from "./zone.js";

/** @typedef {import("./candles.js").CandleSeries} CandleSeries */
/** @typedef {import("./chart/kinds.js").Kind} Kind */
/** @typedef {import("./chart/overlay.js").Overlay} Overlay */
/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("lightweight-charts").IPriceLine} PriceLine */
/** @typedef {import("lightweight-charts").ISeriesApi<import("lightweight-charts").SeriesType, import("lightweight-charts").Time>} Series */

/** If there are more new bars than this, as after an hour hidden, the whole chart is redrawn. */
const TAIL_MAX = 100;
/** Older bars are fetched when fewer than this are left of the view. */
const MARGIN_BARS = 30;
/** Empty room right of the newest bar, in bars. */
const MARGIN_RIGHT_BARS = 5;
/** The names of the scales in `data-scale`. */
const SCALES = new Map([[PriceScaleMode.Normal, "linear"], [PriceScaleMode.Logarithmic, "log"], [PriceScaleMode.Percentage, "percent"]]);
const SPACING_PX = { usual: 7, most: 24 };

/**
 * @typedef {object} ChartHandlers
 * @property {(ts: number | null) => void} onHover the crosshair is on this bar, or left the chart
 * @property {() => void} onNeedOlder the view is near the oldest bar
 * @property {(isNewestSeen: boolean) => void} onView the view has moved
 */

export class ChartView {
  #container;
  #scale = new WallClockScale();
  #chart;
  /** @type {Series} */
  #main;
  #volume;
  /** @type {Kind} */
  #kind = "candles";
  #isLog = false;
  #bands = new Bands();
  #colours = readColours();
  /** @type {{ series: CandleSeries, revision: number, changes: number, length: number, newest_ts: number } | null} */
  #drawn = null;
  /** The times of all places on the axis, bars and empty ones, in microseconds. @type {number[]} */
  #places = [];
  #overlays;
  /** The line of the last price; its label is the box on the axis. @type {PriceLine | null} */
  #last_line = null;
  #touched = false;

  /** @param {HTMLElement} container @param {ChartHandlers} handlers */
  constructor(container, handlers) {
    this.#container = container;
    this.#chart = createChartEx(container, this.#scale, {
      // Follows the container with a ResizeObserver.
      autoSize: true,
      // A finger that moves up or down scrolls the page.
      handleScroll: { vertTouchDrag: false },
    });
    this.#overlays = new Overlays(this.#chart);
    this.#main = this.#addMain();
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceFormat: { type: "custom", minMove: 1, formatter: formatVolumeShort },
      priceLineVisible: false,
      lastValueVisible: false,
    }, 1);
    const [prices, volumes] = this.#chart.panes();
    prices.setStretchFactor(82);
    volumes.setStretchFactor(18);
    this.#applyColours();
    onScheme(() => this.recolour());
    this.#chart.subscribeCrosshairMove((/** @type {{ time?: unknown, point?: unknown }} */ param) => {
      handlers.onHover(typeof param.time === "number" && param.point ? param.time * 1e6 : null);
    });
    for (const kind of ["pointerdown", "wheel", "touchstart", "keydown"]) {
      container.addEventListener(kind, () => { this.#touched = true; }, { passive: true, capture: true });
    }
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((/** @type {{ from: number, to: number } | null} */ range) => {
      if (!this.#drawn || !range) return;
      if (this.#touched && range.from < MARGIN_BARS) handlers.onNeedOlder();
      handlers.onView(range.to >= this.#places.length - 1);
    });
    listenForKeys(container, this.#chart);
  }

  /**
   * Draws the changes since the last call.
   * @param {CandleSeries | null} series
   * @param {number | undefined} price the last one
   * @param {number | null} blind_ts since when nothing is known, by the market's time; null while the stream is whole
   */
  draw(series, price, blind_ts = null) {
    const drawn = this.#drawn;
    if (!series) {
      if (drawn) this.#clear();
      return;
    }
    this.#markLast(series.newest, price);
    this.#markBlind(series, blind_ts);
    if (drawn?.series === series && drawn.changes === series.changes) {
      this.#overlays.draw(series.bars, series.bars.length);
      return;
    }
    const { bars, interval } = series;
    const from = drawn ? bars.findLastIndex((bar) => bar.ts <= drawn.newest_ts) : -1;
    const isWhole = !drawn || drawn.series !== series || drawn.revision !== series.revision
      || from < 0 || bars.length - from > TAIL_MAX || gapsOf(bars.slice(from), interval).length > 0;
    if (isWhole) {
      const isSameView = drawn?.series.symbol === series.symbol && drawn.series.interval === series.interval;
      this.#drawWhole(series, isSameView);
    } else {
      for (const bar of bars.slice(from)) {
        if (bar.ts !== drawn.newest_ts) this.#places.push(bar.ts);
        this.#main.update(pointOf(this.#kind, bar, false));
        this.#volume.update(this.#volumeOf(bar));
      }
      this.#overlays.draw(bars, from);
    }
    const { revision, changes, newest } = series;
    this.#drawn = { series, revision, changes, length: bars.length, newest_ts: newest?.ts ?? 0 };
    setData(this.#container, "bars", String(bars.length));
    setData(this.#container, "gaps", String(this.#bands.count));
  }

  /** @param {CandleSeries} series @param {boolean} keepsView */
  #drawWhole(series, keepsView) {
    const { bars, interval, symbol } = series;
    if (!keepsView) {
      this.#scale.utc = interval === "1d";
      this.#chart.applyOptions(timeOptions(interval));
    }
    const view = keepsView ? this.#view() : null;
    this.#setBars(bars, interval);
    this.#volume.setData(bars.map((bar) => this.#volumeOf(bar)));
    this.#overlays.draw(bars, 0);
    if (view) this.#restore(view);
    else this.#resetView();
    this.#container.dataset.symbol = symbol;
    this.#container.dataset.interval = interval;
  }

  /** Replaces the points of the main series, with empty places for the gaps. @param {Bar[]} bars @param {import("./protocol.js").Interval} interval */
  #setBars(bars, interval) {
    /** @type {{ time: import("lightweight-charts").UTCTimestamp }[]} */
    const points = [];
    this.#places = [];
    bars.forEach((bar, index) => {
      const slots = index + 1 < bars.length ? slotsBetween(bar.ts, bars[index + 1].ts, interval) : [];
      points.push(pointOf(this.#kind, bar, slots.length > 0), ...slots.map((ts) => ({ time: timeOf(ts) })));
      this.#places.push(bar.ts, ...slots);
    });
    this.#main.setData(points);
    this.#bands.show(gapsOf(bars, interval).map((gap) => ({ ...gap, label: t("No trades") })));
  }

  /**
   * Returns the position of the view, relative to a place in it. Without `ts` it is relative to the newest bar, which the view follows.
   */
  #view() {
    const scale = this.#chart.timeScale();
    const [range, position] = [scale.getVisibleLogicalRange(), scale.scrollPosition()];
    const newest = this.#places.length - 1;
    if (!range || range.to >= newest) return { position, ts: null };
    const index = Math.min(Math.max(0, Math.ceil(range.from)), newest);
    return { position: position + newest - index, ts: this.#places[index] };
  }

  /** Restores a position of the view after the bars were replaced. @param {{ position: number, ts: number | null }} view */
  #restore({ position, ts }) {
    const newest = this.#places.length - 1;
    const index = ts === null ? newest : this.#places.findIndex((place) => place >= ts);
    this.#chart.timeScale().scrollToPosition(position + Math.max(0, index) - newest, false);
  }

  /** Rewrites the axes after the language or the time zone was switched. */
  relabel() {
    if (!this.#drawn) return;
    // The next draw puts in all bars again, whose weights on the axis depend on the zone.
    this.#drawn = { ...this.#drawn, revision: -1, changes: -1 };
    this.#chart.applyOptions(timeOptions(this.#drawn.series.interval));
  }

  /** Changes between candles, line and area. @param {Kind} kind */
  setKind(kind) {
    if (kind === this.#kind) return;
    this.#kind = kind;
    const price = this.#last_line?.options().price;
    const former = this.#main;
    former.detachPrimitive(this.#bands);
    this.#last_line = null;
    // The new one comes first: the library removes a pane without a series, and the volume would take its place.
    this.#main = this.#addMain();
    this.#main.setSeriesOrder(0);
    this.#chart.removeSeries(former);
    if (!this.#drawn) return;
    const { series } = this.#drawn;
    const view = this.#view();
    this.#setBars(series.bars, series.interval);
    this.#restore(view);
    this.#markLast(series.newest, price);
  }

  /** @param {boolean} isLog whether equal ratios take equal room */
  setLog(isLog) {
    this.#isLog = isLog;
    this.#applyMode();
  }

  #applyMode() {
    const plain = this.#isLog ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal;
    const mode = this.#overlays.isCompared ? PriceScaleMode.Percentage : plain;
    this.#main.priceScale().applyOptions({ mode, autoScale: true });
    setData(this.#container, "scale", SCALES.get(this.#main.priceScale().options().mode) ?? "");
  }

  /** Replaces the lines over the bars. @param {readonly Overlay[]} overlays */
  setOverlays(overlays) {
    this.#overlays.set(overlays);
    setData(this.#container, "lines", overlays.map(({ id }) => id).join(" "));
    this.#applyMode();
    // The legend of the lines needs room above the bars.
    this.#chart.applyOptions({ rightPriceScale: { scaleMargins: { top: overlays.length > 0 ? 0.2 : 0.1, bottom: 0.06 } } });
    if (this.#drawn) this.#overlays.draw(this.#drawn.series.bars, 0);
  }

  /** Draws the time since the newest bar as a band while nothing is known of it. @param {CandleSeries} series @param {number | null} blind_ts */
  #markBlind(series, blind_ts) {
    const { newest, interval } = series;
    const time = blind_ts === null ? "" : formatTime(blind_ts / 1e6, interval === "1d" ? "day" : "second");
    this.#bands.showOpen(newest && blind_ts !== null ? { from: newest.ts, label: t("No data since {time}", { time }) } : null);
    setData(this.#container, "gaps", String(this.#bands.count));
  }

  /**
   * Moves the line of the last price, in the colour of the newest bar.
   * @param {Bar | undefined} bar
   * @param {number | undefined} price undefined removes the line
   */
  #markLast(bar, price) {
    if (price === undefined) {
      if (this.#last_line) this.#main.removePriceLine(this.#last_line);
      this.#last_line = null;
      return;
    }
    const color = bar && bar.close < bar.open ? this.#colours.down : this.#colours.up;
    const held = this.#last_line?.options();
    if (held?.price === price && held.color === color) return;
    if (this.#last_line) this.#last_line.applyOptions({ price, color });
    else this.#last_line = this.#main.createPriceLine({ price, color, lineWidth: 1, lineStyle: LineStyle.Dashed });
  }

  /** Returns the distance of the last price from the top, and the width of the price axis, in pixels; null if it is out of view. */
  lastPlace() {
    const price = this.#last_line?.options().price;
    const top = price === undefined ? null : this.#main.priceToCoordinate(price);
    return top === null ? null : { top, width: this.#main.priceScale().width() };
  }

  /** Shows the newest bars in their usual width, or in a greater one if they are few. */
  #resetView() {
    this.#touched = false;
    const fitting = this.#container.clientWidth / Math.max(1, this.#places.length + 8);
    const barSpacing = Math.min(Math.max(SPACING_PX.usual, fitting), SPACING_PX.most);
    this.#chart.timeScale().applyOptions({ barSpacing, rightOffset: MARGIN_RIGHT_BARS });
    this.toNewest();
    this.#main.priceScale().applyOptions({ autoScale: true });
  }

  /** Shows every bar that is there. */
  fit() {
    this.#chart.timeScale().fitContent();
    this.#main.priceScale().applyOptions({ autoScale: true });
  }

  /** Scrolls to the newest bar. */
  toNewest() {
    this.#chart.timeScale().scrollToPosition(MARGIN_RIGHT_BARS, false);
  }

  /** The start of the place since which a scale in percent counts, as the library has it: the first in sight. */
  get base_ts() {
    const from = this.#chart.timeScale().getVisibleLogicalRange()?.from ?? 0;
    return this.#places[Math.max(0, Math.floor(from))] ?? 0;
  }

  /** Returns a picture of the chart, without the crosshair. */
  picture() {
    return this.#chart.takeScreenshot();
  }

  /** Shows the crosshair on a bar, as on another chart; null hides it. @param {number | null} ts */
  cross(ts) {
    const bar = ts === null ? undefined : this.#drawn?.series.bars.findLast((each) => each.ts <= ts);
    if (bar) this.#chart.setCrosshairPosition(bar.close, timeOf(bar.ts), this.#main);
    else this.#chart.clearCrosshairPosition();
  }

  /** Scrolls as far as it takes to see a bar. @param {number} ts its start */
  reveal(ts) {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    const index = this.#drawn?.series.bars.findLastIndex((bar) => bar.ts <= ts) ?? -1;
    if (!range || index < 0) return;
    const beyond = Math.min(0, index - Math.ceil(range.from)) + Math.max(0, index - Math.floor(range.to));
    if (beyond !== 0) scale.scrollToPosition(scale.scrollPosition() + beyond, false);
  }

  /** Frees the chart. */
  remove() {
    this.#chart.remove();
  }

  #clear() {
    this.#drawn = null;
    this.#places = [];
    this.#markLast(undefined, undefined);
    this.#main.setData([]);
    this.#volume.setData([]);
    this.#bands.show([]);
    this.#bands.showOpen(null);
    this.#overlays.clear();
    Object.assign(this.#container.dataset, { symbol: "", interval: "", bars: "0", gaps: "0" });
  }

  #addMain() {
    const main = addMainSeries(this.#chart, this.#kind);
    main.applyOptions(lookOf(this.#kind, this.#colours));
    main.attachPrimitive(this.#bands);
    setData(this.#container, "kind", this.#kind);
    return /** @type {Series} */ (main);
  }

  /** @param {Bar} bar */
  #volumeOf(bar) {
    const color = bar.close >= bar.open ? this.#colours.up_volume : this.#colours.down_volume;
    return { time: timeOf(bar.ts), value: bar.volume, color };
  }

  /** Takes the colours of the style sheet. */
  recolour() {
    this.#colours = readColours();
    this.#applyColours();
    this.#overlays.recolour();
    if (!this.#drawn) return;
    const { series, length } = this.#drawn;
    this.#volume.setData(series.bars.slice(0, length).map((bar) => this.#volumeOf(bar)));
    this.#markLast(series.newest, this.#last_line?.options().price);
  }

  #applyColours() {
    const { panel, text, grid, line, font, crosshair, label } = this.#colours;
    const crossline = { color: crosshair, labelBackgroundColor: label, width: /** @type {1} */ (1) };
    this.#chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: panel },
        textColor: text,
        fontFamily: font,
        fontSize: 11,
        panes: { separatorColor: line, separatorHoverColor: grid },
      },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      crosshair: { mode: CrosshairMode.Normal, vertLine: crossline, horzLine: crossline },
      rightPriceScale: { borderColor: line, entireTextOnly: true, scaleMargins: { top: 0.1, bottom: 0.06 } },
      timeScale: { borderColor: line },
    });
    this.#main.applyOptions(lookOf(this.#kind, this.#colours));
    this.#volume.priceScale().applyOptions({ borderColor: line, entireTextOnly: true, scaleMargins: { top: 0.12, bottom: 0 } });
  }
}
