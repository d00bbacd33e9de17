// @ts-check
/**
 * Keeps the bars of one symbol and interval complete: fetches their history, joins it with the trades that are pushed, and fetches it
 * again after a loss of events.
 *
 * Owns: when to fetch. Does not own: the request and the join (`history.js`), the subscriptions (`wishes.js`), the drawing.
 */

/** @typedef {import("./candles.js").CandleSeries} CandleSeries */
/** @typedef {import("./market.js").Market} Market */
/** @typedef {import("./protocol.js").Interval} Interval */

import { HistoryLoader } from "./history.js";
import { earlyChart } from "./rest.js";

/** The history is fetched without a connection if none is open after this time. */
const PATIENCE_MS = 1_500;
/** Bars that are not joined with the stream after this time are behind it. */
const JOIN_MS = 3_000;

/**
 * @typedef {object} FeedHandlers
 * @property {() => void} onWait a history is under way
 * @property {() => void} onSeries the bars are there, or are not wanted any more
 * @property {(err: Error) => void} onError
 */

export class SeriesFeed {
  /** @type {string | null} */
  symbol = null;
  /** @type {Interval} */
  interval = "1m";
  /** Whether events are missing until the history is fetched. */
  isDue = true;
  #market;
  #handlers;
  #loader;
  /** @type {CandleSeries | null} */
  #series = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** When the bars came, if they are not joined with the stream yet. */
  #unjoined_ms = Number.NEGATIVE_INFINITY;

  /** @param {Market} market @param {FeedHandlers} handlers */
  constructor(market, handlers) {
    this.#market = market;
    this.#handlers = handlers;
    this.#loader = new HistoryLoader(market.log, {
      position: () => ({ epoch: market.epoch, followed_offset: market.followed.get(this.symbol ?? ""), now_us: market.now_us }),
      onSeries: (series, isJoined) => this.#take(series, isJoined),
      onError: handlers.onError,
    });
  }

  /** The bars of the symbol and interval, or null while they are not there. */
  get series() {
    return this.#series;
  }

  /** Wants these bars from now on, or none without a symbol. Bars that are there already stay. @param {string | null} symbol @param {Interval} interval */
  want(symbol, interval) {
    clearTimeout(this.#timer);
    this.#loader.cancel();
    [this.symbol, this.interval] = [symbol, interval];
    if (this.#series?.symbol !== symbol || this.#series.interval !== interval) this.#hold(null);
    if (symbol === null || this.#series) this.#handlers.onSeries();
    else this.#handlers.onWait();
    this.isDue = true;
    if (symbol === null) return;
    const early = earlyChart();
    if (this.#market.followed.has(symbol) || (early?.symbol === symbol && early.interval === interval)) this.#load();
    if (this.isDue && !this.#series) this.#timer = setTimeout(() => { if (!this.#loader.isLoading) this.#load(); }, PATIENCE_MS);
  }

  /** Whether the bars have been behind the stream for long enough to say so. */
  get isBehind() {
    return this.isDue && performance.now() - this.#unjoined_ms >= JOIN_MS;
  }

  /** Events of these symbols, or of all, are lost. @param {ReadonlySet<string> | null} symbols */
  lose(symbols) {
    this.isDue ||= symbols === null || symbols.has(this.symbol ?? "");
  }

  /** The snapshot of a symbol came: from there on, its events are whole. @param {string} symbol */
  follow(symbol) {
    // The first bars, if they are under way, are joined when they come.
    if (symbol === this.symbol && this.isDue && !document.hidden && (this.#series || !this.#loader.isLoading)) this.#load();
  }

  /** Fetches bars from before the oldest one. Returns whether there were any. */
  async extend() {
    return this.#series !== null && this.#loader.extend(this.#series);
  }

  #load() {
    clearTimeout(this.#timer);
    if (!this.symbol) return;
    this.isDue = !this.#market.followed.has(this.symbol);
    void this.#loader.load(this.symbol, this.interval, this.#series);
  }

  /** @param {CandleSeries} series @param {boolean} isJoined whether the stream continues it */
  #take(series, isJoined) {
    clearTimeout(this.#timer);
    this.isDue = !isJoined;
    if (!isJoined && this.#series !== series) {
      this.#unjoined_ms = performance.now();
      this.#timer = setTimeout(this.#handlers.onSeries, JOIN_MS);
    }
    this.#hold(series);
    this.#handlers.onSeries();
  }

  /** @param {CandleSeries | null} series */
  #hold(series) {
    if (this.#series) this.#market.candles.delete(this.#series);
    this.#series = series;
    if (series) this.#market.candles.add(series);
  }
}
