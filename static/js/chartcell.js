// @ts-check
/**
 * One chart of the page with all that lies on it: legend, message, time left, and the button to the newest bar.
 *
 * Owns: these. Does not own: which symbol and interval it shows (`stage.js`), the bars (`seriesfeed.js`).
 */

/** @typedef {import("./chart/overlay.js").Overlay} Overlay */
/** @typedef {import("./market.js").Market} Market */
/** @typedef {import("./protocol.js").Interval} Interval */

import { fetchSeed } from "./chart/dayseed.js";
import { Countdown, secondsLeft } from "./chart/countdown.js";
import { Legend, textOf } from "./chart/legend.js";
import { ChartView } from "./chart.js";
import { failureOf } from "./history.js";
import { formatPercent, formatPrice } from "./format.js";
import { mark, t } from "./i18n.js";
import { Notice } from "./notice.js";
import { INTERVAL_US } from "./protocol.js";
import { listenForWalk } from "./chart/walk.js";
import { SeriesFeed } from "./seriesfeed.js";

/** Shorter bars end too soon for a time left. */
const COUNTED_LEAST_US = INTERVAL_US["1m"];

/**
 * @typedef {object} CellHandlers
 * @property {() => void} onPaint it must be painted again
 * @property {(ts: number | null) => void} onHover the crosshair is on this bar
 */

export class ChartCell {
  feed;
  view;
  #market;
  #root;
  #legend;
  #countdown;
  #notice;
  #newest;
  #handlers;
  /** Start of the bar under the crosshair. @type {number | null} */
  #hovered_ts = null;
  /** @type {readonly Overlay[]} */
  #overlays = [];
  /** The seed that was asked for last. */
  #seeding = "";

  /** @param {HTMLElement} root @param {Market} market @param {CellHandlers} handlers */
  constructor(root, market, handlers) {
    this.#root = root;
    this.#market = market;
    this.#handlers = handlers;
    this.#legend = new Legend(root);
    this.#countdown = new Countdown(root);
    this.#newest = /** @type {HTMLButtonElement} */ (root.querySelector(".newest"));
    this.#notice = new Notice(root, () => this.show(this.feed.symbol, this.feed.interval));
    this.feed = new SeriesFeed(market, {
      onWait: () => this.#notice.wait(),
      onSeries: () => {
        this.#notice.show(this.feed.symbol === null ? mark("Nothing is charted. Add a symbol to the watchlist.") : "");
        handlers.onPaint();
      },
      onError: (err) => {
        const { phrase, values } = failureOf(err);
        this.#notice.show(phrase, values, true);
      },
    });
    this.view = new ChartView(/** @type {HTMLElement} */ (root.querySelector(".chart")), {
      onHover: (ts) => {
        if (ts === this.#hovered_ts) return;
        this.#hovered_ts = ts;
        handlers.onHover(ts);
        handlers.onPaint();
      },
      onNeedOlder: () => void this.#extend(),
      onView: (isNewestSeen) => {
        this.#newest.hidden = isNewestSeen || this.feed.series === null;
        if (this.compared) handlers.onPaint();
      },
    });
    this.#newest.addEventListener("click", () => this.view.toNewest());
    listenForWalk(/** @type {HTMLElement} */ (root.querySelector(".chart")), {
      bars: () => this.feed.series?.bars ?? [],
      interval: () => this.feed.interval,
      more: (bar) => this.#spokenCompared(bar),
      cross: (ts) => {
        if (ts !== null) this.view.reveal(ts);
        // The chart scrolls in its next frame; before, the bar is elsewhere.
        requestAnimationFrame(() => {
          this.cross(ts);
          handlers.onHover(ts);
          handlers.onPaint();
        });
      },
    });
  }

  /** Shows another symbol or interval, or loads its bars again. @param {string | null} symbol @param {Interval} interval */
  show(symbol, interval) {
    if (symbol !== this.feed.symbol || interval !== this.feed.interval) this.#newest.hidden = true;
    this.feed.want(symbol, interval);
    this.#handlers.onPaint();
  }

  /** Replaces the lines over the bars. @param {readonly Overlay[]} overlays */
  setOverlays(overlays) {
    this.#overlays = overlays;
    this.view.setOverlays(overlays);
    this.#legend.setOverlays(overlays);
    this.#handlers.onPaint();
  }

  /** Shows the crosshair of another chart. @param {number | null} ts */
  cross(ts) {
    this.#hovered_ts = ts;
    this.view.cross(ts);
  }

  /** @param {number | null} blind_ts since when nothing is known; null while the stream is whole */
  draw(blind_ts) {
    const { series, symbol, interval } = this.feed;
    const price = this.#market.tickers.get(symbol ?? "")?.price ?? series?.newest?.close;
    // Before the first event there is no time since when.
    const behind_ts = series !== null && this.feed.isBehind ? this.#market.now_us || null : null;
    this.view.draw(series, price, blind_ts ?? behind_ts);
    const bars = series?.bars ?? [];
    for (const overlay of this.#overlays) void this.#seed(overlay, bars);
    const hovered = this.#hovered_ts === null ? -1 : bars.findLastIndex((bar) => bar.ts <= (this.#hovered_ts ?? 0));
    this.#legend.paint(bars, hovered < 0 ? bars.length - 1 : hovered, interval, this.#base);
  }

  /** The bar since which a comparison counts. */
  get #base() {
    const ts = this.#overlays.some(({ isCompared }) => isCompared) ? this.view.base_ts : 0;
    return Math.max(0, this.feed.series?.bars.findIndex((bar) => bar.ts >= ts) ?? 0);
  }

  /** Returns the closes of the compared symbol by the start of their bars, with its name; null without one. */
  get compared() {
    const line = /** @type {import("./chart/overlay.js").ComparedLine | undefined} */ (this.#overlays.find(({ isCompared }) => isCompared));
    const base = line ? this.#base : 0;
    return line ? { symbol: line.label, at: (/** @type {number} */ index) => line.at(index, base) } : null;
  }

  /** Returns what is spoken of the compared symbol after a bar. @param {import("./protocol.js").Bar} bar */
  #spokenCompared(bar) {
    const compared = this.compared;
    const { series, interval } = this.feed;
    const found = compared?.at(series?.bars.indexOf(bar) ?? -1);
    if (!compared || !found || !series) return "";
    const time = textOf("time", series.bars[this.#base], interval);
    return t("{symbol} {price}, {percent} since {time}", { symbol: compared.symbol, price: formatPrice(found.close), percent: formatPercent(found.percent), time });
  }

  /** Paints the time left in the open bar. @param {number | null} market_us the market's time; null if it is not known */
  tick(market_us) {
    const { series, interval } = this.feed;
    const newest = series?.newest;
    const isCounted = newest && market_us !== null && this.#market.speed > 0 && INTERVAL_US[interval] >= COUNTED_LEAST_US;
    const left_s = isCounted ? secondsLeft(market_us, interval, this.#market.speed) : null;
    this.#countdown.paint(isCounted ? this.view.lastPlace() : null, left_s, !newest || newest.close >= newest.open);
  }

  /** Rewrites what no frame repaints, after the language was switched. */
  relabel() {
    this.#notice.relabel();
    this.view.relabel();
  }

  /** Frees the chart and takes it from the page. */
  remove() {
    this.feed.want(null, this.feed.interval);
    this.view.remove();
    this.#root.remove();
  }

  /** Fetches what a line needs from before the first bar. @param {Overlay} overlay @param {readonly import("./protocol.js").Bar[]} bars */
  async #seed(overlay, bars) {
    const { symbol } = this.feed;
    const before_us = overlay.seedBefore?.(bars) ?? null;
    const key = `${symbol} ${before_us}`;
    if (symbol === null || before_us === null || key === this.#seeding) return;
    this.#seeding = key;
    try {
      overlay.seed?.(await fetchSeed(symbol, before_us));
      this.#handlers.onPaint();
    } catch {
      // The line begins with the next day.
    }
  }

  async #extend() {
    this.#root.dataset.loading = "older";
    if (await this.feed.extend()) this.#handlers.onPaint();
    delete this.#root.dataset.loading;
  }
}
