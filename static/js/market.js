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
/** @typedef {import("./wishes.js").Wishes} Wishes */

import { MarketTime } from "./markettime.js";
import { MedianMeter, RateMeter } from "./meter.js";
import { channelOf, isEvent } from "./protocol.js";
import { SequenceChecker } from "./sequences.js";
import { applyDay, applyQuote, applyTrade, fromSnapshot, sideOf } from "./ticker.js";
import { TradeLog } from "./tradelog.js";

/**
 * @typedef {object} MarketHandlers
 * @property {() => void} onWelcome a connection began; every subscription is being asked for anew
 * @property {(symbol: string) => void} onFollowed a symbol's snapshot came
 * @property {() => void} onLag the server skipped events
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
  /** The newest time of the market that is known, in microseconds. */
  now_us = 0;
  events = 0;
  /** How many events the server said that it skipped. */
  skipped = 0;
  sequences = new SequenceChecker();
  log = new TradeLog();
  rate = new RateMeter();
  latency = new MedianMeter();
  #time = new MarketTime();
  #handlers;
  /** What was asked for. @type {Wishes} */
  #wanted = new Map();

  /** @param {MarketHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Takes in what is asked for, and nothing else: a symbol from its next snapshot on. What is still under way of the rest is
   * ignored. A symbol that is asked for in another way begins anew.
   * @param {Wishes} wishes
   */
  want(wishes) {
    for (const [symbol, { channels, max_hz }] of this.#wanted) {
      const wish = wishes.get(symbol);
      if (wish?.max_hz === max_hz && wish) {
        for (const channel of channels) if (!wish.channels.includes(channel)) this.sequences.forget(symbol, channel);
        continue;
      }
      this.sequences.forget(symbol);
      this.followed.delete(symbol);
      if (!wish) continue;
      this.log.clear();
      this.latency.clear();
    }
    this.#wanted = wishes;
  }

  /** Forgets a symbol. @param {string} symbol */
  forget(symbol) {
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
        if (ahead_us !== undefined && message.type !== "bar") this.latency.add(received_us + ahead_us - this.#time.toServer(message.ts));
      } else this.#takeControl(message);
    }
    this.events += events;
    this.rate.add(events, performance.now());
  }

  /** @param {MarketEvent} event */
  #takeEvent(event) {
    const { symbol } = event;
    const wish = this.#wanted.get(symbol);
    if (!wish?.channels.includes(channelOf(event)) || !this.sequences.accept(event)) return;
    this.now_us = Math.max(this.now_us, event.ts);
    const ticker = this.tickers.get(symbol);
    if (!ticker) return;
    // Where only the newest values come, neither the tape nor candles are whole.
    const isWhole = wish.max_hz === undefined;
    const series = isWhole && this.series?.symbol === symbol && this.series.epoch === this.epoch ? this.series : null;
    if (event.type === "trade") {
      const { offset, ts, price, size } = event;
      if (isWhole) this.log.push({ symbol, offset, ts, price, size, side: sideOf(ticker, price) });
      applyTrade(ticker, event);
      series?.applyTrade(event);
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
        if (this.epoch !== message.epoch) this.now_us = 0;
        this.epoch = message.epoch;
        this.#time.take(message);
        this.#handlers.onWelcome();
        break;
      case "pong":
        this.#time.take(message);
        break;
      case "snapshot":
        this.#takeSnapshot(message);
        break;
      case "day":
        this.#takeDay(message);
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
    this.now_us = Math.max(this.now_us, ts);
    const tick = this.tickers.get(symbol)?.tick ?? 0;
    this.tickers.set(symbol, { ...fromSnapshot(snapshot), tick });
    if (!this.followed.has(symbol)) this.followed.set(symbol, offset);
    this.changed.add(symbol);
    this.#handlers.onFollowed(symbol);
  }

  /** @param {import("./protocol.js").Day} day */
  #takeDay(day) {
    const ticker = this.tickers.get(day.symbol);
    // The snapshot may know of it.
    if (!ticker || !this.#wanted.has(day.symbol) || day.offset <= ticker.offset) return;
    applyDay(ticker, day);
    this.now_us = Math.max(this.now_us, day.ts);
    this.changed.add(day.symbol);
  }
}
