// @ts-check
/**
 * What the page knows of the market: takes the messages of the socket in, one after the other, and keeps the present
 * record of each followed symbol, the recent trades, and the measurements of the stream.
 *
 * Owns: those records. Does not own: the socket (`feed.js`), the charted candles (`app.js` hands them in), any element.
 */

/** @typedef {import("./candles.js").CandleSeries} CandleSeries */
/** @typedef {import("./protocol.js").Event} MarketEvent */
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { MedianMeter, RateMeter } from "./meter.js";
import { INTERVAL_US, isEvent } from "./protocol.js";
import { SequenceChecker } from "./sequences.js";
import { applyQuote, applyTrade, fromSnapshot, sideOf } from "./ticker.js";
import { TradeLog } from "./tradelog.js";

/**
 * @typedef {object} MarketHandlers
 * @property {() => void} onWelcome a connection began; every subscription is being asked for anew
 * @property {(symbol: string) => void} onFollowed a symbol's snapshot came
 * @property {() => void} onLag the server skipped events
 * @property {() => void} onNewDay yesterday's close and volume are other figures now
 * @property {(symbols: string[]) => void} onUnknown the server does not know these symbols
 */

export class Market {
  /** @type {Map<string, Ticker>} */
  tickers = new Map();
  /** Symbols whose snapshot came on this connection, with its offset. @type {Map<string, number>} */
  followed = new Map();
  /** Symbols that changed since the last painting. @type {Set<string>} */
  changed = new Set();
  /** The candles that trades of their symbol are folded into. @type {CandleSeries | null} */
  series = null;
  /** @type {string | null} */
  epoch = null;
  events = 0;
  /** How many events the server said that it skipped. */
  skipped = 0;
  sequences = new SequenceChecker();
  log = new TradeLog();
  rate = new RateMeter();
  latency = new MedianMeter();
  #handlers;
  /** The day of UTC that the figures since the previous close belong to. */
  #day = 0;
  /** Symbols that were asked for. @type {Set<string>} */
  #wanted = new Set();

  /** @param {MarketHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Begins to take a symbol in, from its next snapshot on. @param {string} symbol */
  want(symbol) {
    this.#wanted.add(symbol);
  }

  /** Forgets a symbol; what is still under way of it is ignored. @param {string} symbol */
  forget(symbol) {
    this.#wanted.delete(symbol);
    this.sequences.forget(symbol);
    this.followed.delete(symbol);
    this.tickers.delete(symbol);
    this.changed.delete(symbol);
  }

  /**
   * Takes the messages of one frame in.
   * @param {Message[]} messages
   * @param {number} received_us
   * @param {number | undefined} ahead_us how far the server's clock is ahead
   */
  take(messages, received_us, ahead_us) {
    let events = 0;
    for (const message of messages) {
      if (isEvent(message)) {
        events += 1;
        this.#takeEvent(message);
        // A bar's time is its start, so it says nothing about the way it took.
        if (ahead_us !== undefined && message.type !== "bar") this.latency.add(received_us + ahead_us - message.ts);
      } else this.#takeControl(message);
    }
    this.events += events;
    this.rate.add(events, performance.now());
  }

  /** @param {MarketEvent} event */
  #takeEvent(event) {
    if (!this.sequences.accept(event)) return;
    const { symbol } = event;
    const ticker = this.tickers.get(symbol);
    if (!ticker) return;
    const series = this.series?.symbol === symbol ? this.series : null;
    if (event.type === "trade") {
      const { offset, ts, price, size } = event;
      this.log.push({ symbol, offset, ts, price, size, side: sideOf(ticker, price) });
      applyTrade(ticker, event);
      series?.applyTrade(event);
      this.#noticeDay(ts);
    } else if (event.type === "quote") applyQuote(ticker, event);
    else series?.applyBar(event);
    this.changed.add(symbol);
  }

  /** @param {Exclude<Message, MarketEvent>} message */
  #takeControl(message) {
    switch (message.type) {
      case "welcome":
        // What was missed while away is no hole: everything begins again with the snapshots.
        this.sequences.reset();
        this.log.clear();
        this.latency.clear();
        this.followed.clear();
        this.epoch = message.epoch;
        this.#handlers.onWelcome();
        break;
      case "snapshot":
        this.#takeSnapshot(message);
        break;
      case "lag":
        this.skipped += message.skipped;
        this.followed.clear();
        this.#handlers.onLag();
        break;
      case "error":
        if (message.code === "unknown_symbol") this.#handlers.onUnknown(message.symbols ?? []);
        break;
    }
  }

  /** @param {Snapshot} snapshot */
  #takeSnapshot(snapshot) {
    const { symbol, offset, ts } = snapshot;
    if (!this.#wanted.has(symbol)) return;
    this.sequences.snapshot(snapshot);
    const tick = this.tickers.get(symbol)?.tick ?? 0;
    this.tickers.set(symbol, { ...fromSnapshot(snapshot), tick });
    this.#day = Math.max(this.#day, Math.floor(ts / INTERVAL_US["1d"]));
    if (!this.followed.has(symbol)) this.followed.set(symbol, offset);
    this.changed.add(symbol);
    this.#handlers.onFollowed(symbol);
  }

  /** @param {number} ts */
  #noticeDay(ts) {
    const day = Math.floor(ts / INTERVAL_US["1d"]);
    if (day <= this.#day) return;
    this.#day = day;
    this.#handlers.onNewDay();
  }
}
