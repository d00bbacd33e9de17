// @ts-check
/**
 * Draws candles and volume.
 *
 * Owns: the chart library, the colours it takes from the style sheet, the view (zoom, scroll, crosshair). Does not own:
 * the bars (`candles.js`) or when to draw (`app.js` calls `draw` once per animation frame at most).
 */

import {
  CandlestickSeries,
  ColorType,
  createChartEx,
  CrosshairMode,
  defaultHorzScaleBehavior,
  HistogramSeries,
  LineStyle,
  TickMarkType,
} from "../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { colourOf, onScheme } from "./colours.js";
import { formatPrice, formatVolumeShort } from "./format.js";
import { setData } from "./write.js";
import { formatTime, tickWeight } from "./zone.js";

/** @typedef {import("./candles.js").CandleSeries} CandleSeries */
/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("lightweight-charts").IPriceLine} PriceLine */
/** @typedef {import("lightweight-charts").UTCTimestamp} UTCTimestamp */

/** If there are more new bars than this, as after an hour hidden, the whole chart is redrawn. */
const TAIL_MAX = 100;
/** Older bars are fetched when fewer than this are left of the view. */
const MARGIN_BARS = 30;
const SPACING_PX = { usual: 7, least: 1.5, most: 24 };

/** The library's time scale, with days and hours of the viewer's time zone instead of UTC. */
class WallClockScale extends defaultHorzScaleBehavior() {
  utc = false;

  /**
   * @override
   * @param {readonly { timeWeight: number, originalTime: unknown }[]} points
   * @param {number} startIndex
   */
  fillWeightsForPoints(points, startIndex) {
    for (let index = startIndex; index < points.length; index += 1) {
      const current = Number(points[index].originalTime);
      const step = points.length > 1 ? Number(points[1].originalTime) - Number(points[0].originalTime) : 60;
      const previous = index > 0 ? Number(points[index - 1].originalTime) : current - step;
      points[index].timeWeight = tickWeight(previous, current, this.utc);
    }
  }
}

/** Returns the start of a bar in seconds, as the library counts. @param {Bar} bar */
function timeOf({ ts }) {
  return /** @type {UTCTimestamp} */ (ts / 1e6);
}

/** Writes a label of the time axis. @param {number} at_s @param {number} type @param {boolean} utc */
function tickLabel(at_s, type, utc) {
  switch (type) {
    case TickMarkType.Year: return formatTime(at_s, "year", utc);
    case TickMarkType.Month: return formatTime(at_s, "month", utc);
    case TickMarkType.DayOfMonth: return formatTime(at_s, "day", utc);
    case TickMarkType.TimeWithSeconds: return formatTime(at_s, "second", utc);
    default: return formatTime(at_s, "minute", utc);
  }
}

/** Reads the colours of the active scheme. */
function readColours() {
  return {
    panel: colourOf("panel"), text: colourOf("text-soft"), grid: colourOf("grid"), line: colourOf("line"), font: colourOf("font"),
    crosshair: colourOf("crosshair"), label: colourOf("label"), up: colourOf("up"), down: colourOf("down"),
    up_volume: colourOf("up-volume"), down_volume: colourOf("down-volume"),
  };
}

export class ChartView {
  #container;
  #scale = new WallClockScale();
  #chart;
  #candles;
  #volume;
  #colours = readColours();
  /** @type {{ series: CandleSeries, revision: number, changes: number, length: number, newest_ts: number } | null} */
  #drawn = null;
  /** The line of the last price; its label is the box on the axis. @type {PriceLine | null} */
  #last_line = null;
  #touched = false;

  /**
   * @param {HTMLElement} container
   * @param {{ onHover: (ts: number | null) => void, onNeedOlder: () => void }} handlers
   */
  constructor(container, { onHover, onNeedOlder }) {
    this.#container = container;
    // `autoSize` follows the container with a ResizeObserver.
    this.#chart = createChartEx(container, this.#scale, { autoSize: true });
    this.#candles = this.#chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "custom", minMove: 0.0001, formatter: formatPrice },
      // The library's box shows the close of the newest bar in view, which is not the last price once the chart is panned.
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceFormat: { type: "custom", minMove: 1, formatter: formatVolumeShort },
      priceLineVisible: false,
      lastValueVisible: false,
    }, 1);
    const [prices, volumes] = this.#chart.panes();
    prices.setStretchFactor(82);
    volumes.setStretchFactor(18);
    this.#applyColours();
    onScheme(() => this.#recolour());
    this.#chart.subscribeCrosshairMove((/** @type {{ time?: unknown, point?: unknown }} */ param) => {
      onHover(typeof param.time === "number" && param.point ? param.time * 1e6 : null);
    });
    for (const kind of ["pointerdown", "wheel", "touchstart", "keydown"]) {
      container.addEventListener(kind, () => { this.#touched = true; }, { passive: true, capture: true });
    }
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((/** @type {{ from: number } | null} */ range) => {
      if (this.#touched && this.#drawn && range && range.from < MARGIN_BARS) onNeedOlder();
    });
    container.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /**
   * Draws the changes since the last call.
   * @param {CandleSeries | null} series
   * @param {number | undefined} price the last one
   */
  draw(series, price) {
    const drawn = this.#drawn;
    if (!series) {
      if (drawn) this.#clear();
      return;
    }
    this.#markLast(series.newest, price);
    if (drawn?.series === series && drawn.changes === series.changes) return;
    const { bars } = series;
    const from = drawn ? bars.findLastIndex((bar) => bar.ts <= drawn.newest_ts) : -1;
    const isWhole = !drawn || drawn.series !== series || drawn.revision !== series.revision
      || from < 0 || bars.length - from > TAIL_MAX;
    if (isWhole) {
      const isSameView = drawn?.series.symbol === series.symbol && drawn.series.interval === series.interval;
      this.#drawWhole(series, isSameView);
    } else {
      for (const bar of bars.slice(from)) {
        this.#candles.update(this.#candleOf(bar));
        this.#volume.update(this.#volumeOf(bar));
      }
    }
    const { revision, changes, newest } = series;
    this.#drawn = { series, revision, changes, length: bars.length, newest_ts: newest?.ts ?? 0 };
    setData(this.#container, "bars", String(bars.length));
  }

  /**
   * @param {CandleSeries} series
   * @param {boolean} keepsView
   */
  #drawWhole(series, keepsView) {
    const { bars, interval, symbol } = series;
    if (!keepsView) {
      this.#scale.utc = interval === "1d";
      this.#chart.applyOptions(this.#timeOptions(interval === "1s", interval !== "1d"));
    }
    const view = keepsView ? this.#view() : null;
    this.#candles.setData(bars.map((bar) => this.#candleOf(bar)));
    this.#volume.setData(bars.map((bar) => this.#volumeOf(bar)));
    if (view) this.#restore(view, bars);
    else this.#resetView(bars.length);
    this.#container.dataset.symbol = symbol;
    this.#container.dataset.interval = interval;
  }

  /**
   * Returns the position of the view, relative to a bar in it. Without `ts` it is relative to the newest bar, which the view follows.
   */
  #view() {
    const scale = this.#chart.timeScale();
    const [range, position] = [scale.getVisibleLogicalRange(), scale.scrollPosition()];
    const newest = (this.#drawn?.length ?? 0) - 1;
    if (!range || range.to >= newest) return { position, ts: null };
    const index = Math.min(Math.max(0, Math.ceil(range.from)), newest);
    const time = this.#candles.dataByIndex(index)?.time;
    return { position: position + newest - index, ts: typeof time === "number" ? time * 1e6 : null };
  }

  /**
   * Restores a position of the view after the bars were replaced.
   * @param {{ position: number, ts: number | null }} view
   * @param {Bar[]} bars
   */
  #restore({ position, ts }, bars) {
    const index = ts === null ? bars.length - 1 : bars.findIndex((bar) => bar.ts >= ts);
    this.#chart.timeScale().scrollToPosition(position + Math.max(0, index) - (bars.length - 1), false);
  }

  /** Rewrites the axes after the language or the time zone was switched. */
  relabel() {
    if (!this.#drawn) return;
    // The next draw puts in all bars again, whose weights on the axis depend on the zone.
    this.#drawn = { ...this.#drawn, revision: -1 };
    const { interval } = this.#drawn.series;
    this.#chart.applyOptions(this.#timeOptions(interval === "1s", interval !== "1d"));
  }

  /**
   * Moves the line of the last price, in the colour of the newest bar.
   * @param {Bar | undefined} bar
   * @param {number | undefined} price undefined removes the line
   */
  #markLast(bar, price) {
    if (price === undefined) {
      if (this.#last_line) this.#candles.removePriceLine(this.#last_line);
      this.#last_line = null;
      return;
    }
    const color = bar && bar.close < bar.open ? this.#colours.down : this.#colours.up;
    const held = this.#last_line?.options();
    if (held?.price === price && held.color === color) return;
    if (this.#last_line) this.#last_line.applyOptions({ price, color });
    else this.#last_line = this.#candles.createPriceLine({ price, color, lineWidth: 1, lineStyle: LineStyle.Dashed });
  }

  /** Shows the newest bars in their usual width, or in a greater one if they are few. @param {number} count */
  #resetView(count) {
    this.#touched = false;
    const fitting = this.#container.clientWidth / Math.max(1, count + 8);
    const barSpacing = Math.min(Math.max(SPACING_PX.usual, fitting), SPACING_PX.most);
    this.#chart.timeScale().applyOptions({ barSpacing, rightOffset: 5 });
    this.#chart.timeScale().scrollToPosition(5, false);
    this.#candles.priceScale().applyOptions({ autoScale: true });
  }

  #clear() {
    this.#drawn = null;
    this.#markLast(undefined, undefined);
    this.#candles.setData([]);
    this.#volume.setData([]);
    Object.assign(this.#container.dataset, { symbol: "", interval: "", bars: "0" });
  }

  /** @param {Bar} bar */
  #candleOf(bar) {
    return { time: timeOf(bar), open: bar.open, high: bar.high, low: bar.low, close: bar.close };
  }

  /** @param {Bar} bar */
  #volumeOf(bar) {
    const color = bar.close >= bar.open ? this.#colours.up_volume : this.#colours.down_volume;
    return { time: timeOf(bar), value: bar.volume, color };
  }

  /**
   * @param {boolean} secondsVisible
   * @param {boolean} timeVisible
   */
  #timeOptions(secondsVisible, timeVisible) {
    const utc = this.#scale.utc;
    const clock = secondsVisible ? "second" : "minute";
    return {
      localization: {
        locale: "en-US",
        timeFormatter: (/** @type {number} */ at_s) =>
          timeVisible ? `${formatTime(at_s, "date")}  ${formatTime(at_s, clock)}` : `${formatTime(at_s, "date", utc)} UTC`,
      },
      timeScale: {
        timeVisible,
        secondsVisible,
        minBarSpacing: SPACING_PX.least,
        tickMarkFormatter: (/** @type {number} */ at_s, /** @type {number} */ type) => tickLabel(at_s, type, utc),
      },
    };
  }

  #recolour() {
    this.#colours = readColours();
    this.#applyColours();
    if (!this.#drawn) return;
    const { series, length } = this.#drawn;
    this.#volume.setData(series.bars.slice(0, length).map((bar) => this.#volumeOf(bar)));
    this.#markLast(series.newest, this.#last_line?.options().price);
  }

  #applyColours() {
    const { panel, text, grid, line, font, crosshair, label, up, down } = this.#colours;
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
      rightPriceScale: { borderColor: line, entireTextOnly: true, scaleMargins: { top: 0.06, bottom: 0.06 } },
      timeScale: { borderColor: line },
    });
    // Rising candles are hollow, so that colour is not the only sign.
    this.#candles.applyOptions({
      upColor: panel, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down,
    });
    this.#volume.priceScale().applyOptions({ borderColor: line, entireTextOnly: true, scaleMargins: { top: 0.12, bottom: 0 } });
  }

  /** Arrows scroll, plus and minus zoom, End returns to the newest bar. @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.target !== this.#container || event.ctrlKey || event.metaKey || event.altKey) return;
    const scale = this.#chart.timeScale();
    const zoom = (/** @type {number} */ factor) => scale.applyOptions({
      barSpacing: Math.min(Math.max(scale.options().barSpacing * factor, SPACING_PX.least), 60),
    });
    const scroll = (/** @type {number} */ bars) => scale.scrollToPosition(scale.scrollPosition() + bars, false);
    const step = event.shiftKey ? 50 : 5;
    switch (event.key) {
      case "ArrowLeft": scroll(-step); break;
      case "ArrowRight": scroll(step); break;
      case "+": case "=": zoom(1.25); break;
      case "-": zoom(0.8); break;
      case "End": scale.scrollToRealTime(); break;
      default: return;
    }
    event.preventDefault();
  }
}
