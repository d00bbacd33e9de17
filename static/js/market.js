// @ts-check
/**
 * The state of the market: applies the messages one after the other, and keeps the ticker of each subscribed symbol, the recent
 * trades, and the measurements of the stream.
 *
 * Owns: that state. Does not own: the socket (`link.js`), the charted candles (`app.js` passes them in), any element.
 */

/** @typedef {import("./candles.js").CandleSeries} CandleSeries */
/** @typedef {import("./protocol.js").Event} MarketEvent */
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {import("./wishes.js").Wishes} Wishes */

import { Ages } from "./ages.js";
import { MarketTime } from "./markettime.js";
import { MedianMeter, RateMeter } from "./meter.js";
import { channelOf, EVERY, isEvent } from "./protocol.js";
import { SequenceChecker } from "./sequences.js";
import { applyAmendment, applyDay, applyQuote, applyTrade, fromSnapshot, sideOf, withDayOf } from "./ticker.js";
import { TradeLog } from "./tradelog.js";

/**
 * @typedef {object} MarketHandlers
 * @property {() => void} onOpen a connection is ready
 * @property {(symbols: ReadonlySet<string> | null) => void} onReset events of these symbols are lost, or of all symbols
 * @property {(symbol: string) => void} onFollowed the snapshot of a symbol came
 * @property {() => void} onLag the server skipped events
 * @property {(symbols: string[]) => void} onUnknown the server does not list these symbols
 */

export class Market {
  /** @type {Map<string, Ticker>} */
  tickers = new Map();
  /** Offsets of the snapshots that came on this connection, by symbol. @type {Map<string, number>} */
  followed = new Map();
  /** Symbols that changed since the last painting. @type {Set<string>} */
  changed = new Set();
  /** The charted candles, to which trades of their symbols are added. @type {Set<CandleSeries>} */
  candles = new Set();
  /** @type {string | null} */
  epoch = null;
  /** The newest known time of the market, in microseconds. */
  now_us = 0;
  events = 0;
  /** Events that the server has skipped, by its `lag` messages. */
  skipped = 0;
  /** Events that newer ones have replaced in mode `latest`. */
  merged = 0;
  sequences = new SequenceChecker();
  /** How long each subscribed symbol has been silent. */
  ages = new Ages();
  log = new TradeLog();
  rate = new RateMeter();
  latency = new MedianMeter();
  /** Is given every figure of every subscribed symbol as it comes, a snapshot with what it replaces. @type {(now: Ticker, before?: Ticker) => void} */
  onFigures = () => {};
  #time = new MarketTime();
  #handlers;
  /** The requested subscriptions. @type {Wishes} */
  #wanted = new Map();

  /** Seconds of the market in each second. */
  get speed() {
    return this.#time.speed;
  }

  /** Changes the speed. Latencies that were measured with another one, or over a pause, do not count any more. */
  set speed(speed) {
    if (speed === this.#time.speed) return;
    this.#time.speed = speed;
    this.latency.clear();
  }

  /** Returns the market's time at a moment of the server's clock; null if it is not known. @param {number} server_us NaN if that is not known */
  timeAt(server_us) {
    return Number.isNaN(server_us) ? null : this.#time.toMarket(server_us);
  }

  /** @param {MarketHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Replaces the handlers. @param {MarketHandlers} handlers */
  listen(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Sets the subscriptions. A new symbol counts from its next snapshot on, and so does one that changes to mode `all`; events of other
   * symbols that are still on their way are ignored.
   * @param {Wishes} wishes
   */
  want(wishes) {
    for (const [symbol, { channels, max_hz }] of this.#wanted) {
      const wish = wishes.get(symbol);
      if (wish) for (const channel of channels) if (!wish.channels.includes(channel)) this.sequences.forget(symbol, channel);
      if (wish && wish.max_hz === max_hz) continue;
      // With another rate, the next events follow the last ones. What is to be whole from now on begins with a snapshot.
      if (wish?.max_hz === undefined) {
        this.sequences.forget(symbol);
        this.ages.end(symbol);
      }
      this.followed.delete(symbol);
      this.log.forget(symbol);
    }
    this.#wanted = wishes;
  }

  /** Forgets a symbol. @param {string} symbol */
  forget(symbol) {
    this.tickers.delete(symbol);
    this.changed.delete(symbol);
  }

  /**
   * Applies the messages of one frame.
   * @param {readonly Message[]} messages
   * @param {number} received_us
   * @param {number | undefined} ahead_us how far the server's clock is ahead
   */
  take(messages, received_us, ahead_us) {
    let events = 0;
    for (const message of messages) {
      if (isEvent(message)) {
        events += 1;
        const isLate = this.#takeEvent(message);
        this.merged += message.skipped ?? 0;
        // The time of a bar is its start, a rate holds events back, and some trades are reported late: none of these measures latency.
        const isTimed = message.type !== "bar" && !isLate && this.#wanted.get(message.symbol)?.max_hz === undefined;
        const latency_us = ahead_us !== undefined && isTimed ? received_us + ahead_us - this.#time.toServer(message.ts) : Number.NaN;
        if (!Number.isNaN(latency_us)) this.latency.add(latency_us);
      } else this.#takeControl(message);
    }
    this.events += events;
    this.rate.add(events, performance.now());
  }

  /** Returns whether the event is a trade that was reported late. @param {MarketEvent} event */
  #takeEvent(event) {
    const { symbol } = event;
    const wish = this.#wanted.get(symbol);
    if (!wish?.channels.includes(channelOf(event)) || !this.sequences.accept(event)) return false;
    this.now_us = Math.max(this.now_us, event.ts);
    this.ages.hear(symbol, performance.now());
    const ticker = this.tickers.get(symbol);
    if (!ticker) return false;
    let isLate = false;
    // In mode `latest` trades are merged, so that the tape and the candles would have holes.
    const isExact = wish.max_hz === undefined;
    // A key may have no more: then the bars are fetched anew from time to time.
    const isWhole = isExact || wish.isFollowed === true;
    const charted = isWhole ? [...this.candles].filter((series) => series.symbol === symbol && series.epoch === this.epoch) : [];
    if (event.type === "trade") {
      const { seq, offset, ts, price, size } = event;
      const side = sideOf(ticker, price);
      isLate = !applyTrade(ticker, event);
      if (isWhole) this.log.push({ symbol, seq, offset, ts, price, size, side, isLate });
      for (const series of charted) series.applyTrade(event);
    } else if (event.type === "quote") applyQuote(ticker, event);
    else if (event.type === "bar") {
      for (const series of charted) series.applyBar(event);
    } else {
      this.log.amend(event);
      applyAmendment(ticker, event);
    }
    this.changed.add(symbol);
    if (event.type === "trade" || event.type === "quote") this.onFigures(ticker);
    return isLate;
  }

  /** @param {Exclude<Message, MarketEvent>} message */
  #takeControl(message) {
    switch (message.type) {
      case "open":
        this.latency.clear();
        if (this.epoch !== message.epoch) this.now_us = 0;
        this.epoch = message.epoch;
        this.#handlers.onOpen();
        break;
      case "epoch":
        if (message.moved) this.now_us = 0;
        this.epoch = message.epoch;
        break;
      case "reset":
        this.#reset(message.symbols.includes(EVERY) ? null : new Set(message.symbols));
        break;
      case "welcome":
      case "pong":
        this.#time.take(message);
        break;
      case "snapshot":
        this.#takeSnapshot(message);
        break;
      case "day":
        this.#takeDay(message);
        break;
      case "hole":
      case "lag":
        if (message.type === "lag") this.skipped += message.skipped;
        this.followed.clear();
        // The tape and the candles would join the trades before the loss with those after it.
        this.log.clear();
        this.#handlers.onLag();
        break;
      case "error":
        if (message.code === "unknown_symbol") this.#handlers.onUnknown(message.symbols ?? []);
        break;
    }
  }

  /** Events are lost, which is no hole: the snapshots that follow include them. @param {ReadonlySet<string> | null} symbols null for all */
  #reset(symbols) {
    for (const symbol of symbols ?? [...this.followed.keys()]) {
      this.sequences.forget(symbol);
      this.followed.delete(symbol);
    }
    if (symbols === null) {
      this.sequences.reset();
      // Of the others no snapshot follows: what is known of them is of another run, or of another time of a replay.
      for (const symbol of this.tickers.keys()) if (!this.#wanted.has(symbol)) this.tickers.delete(symbol);
    }
    this.log.clear();
    this.#handlers.onReset(symbols);
  }

  /** @param {Snapshot} snapshot */
  #takeSnapshot(snapshot) {
    const { symbol, offset, ts = 0, price } = snapshot;
    const wish = this.#wanted.get(symbol);
    if (!wish) return;
    if (!this.followed.has(symbol)) this.ages.begin(symbol, performance.now());
    const isOvertaken = this.sequences.snapshot(snapshot, wish.max_hz === undefined);
    this.now_us = Math.max(this.now_us, ts);
    const before = this.tickers.get(symbol);
    const fresh = { ...fromSnapshot(snapshot), tick: price === undefined ? 0 : (before?.tick ?? 0) };
    const now = isOvertaken && before ? withDayOf(before, fresh) : fresh;
    this.tickers.set(symbol, now);
    this.onFigures(now, before);
    if (!this.followed.has(symbol)) this.followed.set(symbol, offset);
    this.changed.add(symbol);
    this.#handlers.onFollowed(symbol);
  }

  /** @param {import("./protocol.js").Day} day */
  #takeDay(day) {
    const ticker = this.tickers.get(day.symbol);
    // The snapshot may include this day already.
    if (!ticker || !this.#wanted.has(day.symbol) || day.offset <= ticker.offset) return;
    applyDay(ticker, day);
    this.now_us = Math.max(this.now_us, day.ts);
    this.changed.add(day.symbol);
  }
}
