// @ts-check
/**
 * Builds the candles of one symbol from the server's history and the trades pushed after it, so that every trade counts exactly
 * once.
 *
 * Owns: the bars, bounded, and the offset up to which they are complete. Does not own: fetching (`rest.js`), drawing
 * (`chart.js`). Pure: no clock, no network, no page.
 */

/** @typedef {import("./protocol.js").Bar} Bar */
/** @typedef {import("./protocol.js").BarMessage} BarMessage */
/** @typedef {import("./protocol.js").BarsAnswer} BarsAnswer */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {{ offset: number, ts: number, price: number, size: number }} Fill the fields of a trade that candles need */

import { INTERVAL_US } from "./protocol.js";

export const BARS_MAX = 6_000;

/**
 * Returns the start of the bar that contains a moment.
 * @param {number} ts microseconds
 * @param {Interval} interval
 */
export function barStart(ts, interval) {
  return ts - (ts % INTERVAL_US[interval]);
}

/**
 * Adds numbers of shares, which are exact to a millionth: without the rounding errors of binary fractions.
 * @param {number} shares
 * @param {number} more
 */
export function addShares(shares, more) {
  return Math.round((shares + more) * 1e6) / 1e6;
}

/**
 * Returns the first bar of a trade.
 * @param {number} ts
 * @param {Fill} fill
 * @returns {Bar}
 */
function openBar(ts, { price, size }) {
  return { ts, open: price, high: price, low: price, close: price, volume: size, trades: 1, vwap: price, final: false };
}

/**
 * Returns the bar with one more trade added, which is its last one unless it was reported late.
 * @param {Bar} bar
 * @param {Fill} fill
 * @param {boolean} isLate
 * @returns {Bar}
 */
function foldTrade(bar, { price, size }, isLate) {
  const volume = addShares(bar.volume, size);
  return {
    ts: bar.ts,
    open: bar.open,
    high: Math.max(bar.high, price),
    low: Math.min(bar.low, price),
    close: isLate ? bar.close : price,
    volume,
    trades: bar.trades + 1,
    vwap: volume > 0 ? (bar.vwap * bar.volume + price * size) / volume : price,
    final: bar.final,
  };
}

export class CandleSeries {
  /** @type {Bar[]} */
  bars;
  /** Grows with every change of a bar other than the newest ones, after which the whole chart must be redrawn. */
  revision = 0;
  /** Grows with every change. */
  changes = 0;
  #bars_max;
  /** The time of the newest trade that was added; an older one was reported late. */
  #newest_us = 0;

  /**
   * @param {BarsAnswer} answer the state right after the event `answer.offset`
   * @param {number} bars_max
   */
  constructor(answer, bars_max = BARS_MAX) {
    this.symbol = answer.symbol;
    this.interval = answer.interval;
    this.epoch = answer.epoch;
    /** Every trade up to this offset is in the bars. */
    this.offset = answer.offset;
    this.bars = answer.bars.slice(-bars_max);
    this.#bars_max = bars_max;
  }

  /** @returns {Bar | undefined} */
  get newest() {
    return this.bars[this.bars.length - 1];
  }

  /** Whether the series has its most bars, so that no older ones fit. */
  get isFull() {
    return this.bars.length >= this.#bars_max;
  }

  /**
   * Adds one trade, unless the bars contain it already. Returns whether any bar changed.
   * @param {Fill} trade
   */
  applyTrade(trade) {
    if (trade.offset <= this.offset) return false;
    this.offset = trade.offset;
    const start = barStart(trade.ts, this.interval);
    const newest = this.newest;
    if (!newest || start > newest.ts) {
      this.#newest_us = trade.ts;
      this.#append(openBar(start, trade));
      return true;
    }
    const isLate = trade.ts < this.#newest_us;
    this.#newest_us = Math.max(this.#newest_us, trade.ts);
    // The server does not change a bar of a second after its end.
    if (start < newest.ts && this.interval === "1s") return false;
    const index = start === newest.ts ? this.bars.length - 1 : this.bars.findLastIndex((bar) => bar.ts === start);
    if (index < 0) return false;
    this.bars[index] = foldTrade(this.bars[index], trade, isLate || start < newest.ts);
    this.changes += 1;
    if (index < this.bars.length - 1) this.revision += 1;
    return true;
  }

  /**
   * Replaces a bar by the server's own one, sent when it closed, or when a minute has changed after its end. Returns whether it differed.
   * @param {BarMessage} message
   */
  applyBar(message) {
    const isOwn = message.interval === this.interval || (message.interval === "1m.updated" && this.interval === "1m");
    if (message.offset <= this.offset || !isOwn) return false;
    this.offset = message.offset;
    const { ts, open, high, low, close, volume, trades, vwap, final } = message;
    const bar = { ts, open, high, low, close, volume, trades, vwap, final };
    const newest = this.newest;
    if (!newest || ts > newest.ts) {
      this.#append(bar);
      return true;
    }
    const index = this.bars.findLastIndex((held) => held.ts <= ts);
    if (index < 0 || this.bars[index].ts !== ts) return false;
    const held = this.bars[index];
    const differs = ["open", "high", "low", "close", "volume"].some(
      (key) => held[/** @type {keyof Bar} */ (key)] !== bar[/** @type {keyof Bar} */ (key)],
    );
    this.bars[index] = bar;
    if (differs) this.changes += 1;
    if (differs && index < this.bars.length - 1) this.revision += 1;
    return differs;
  }

  /**
   * Takes a newer answer. Older bars stay if they are of the same epoch and adjoin the answer. Returns whether they stayed.
   * @param {BarsAnswer} answer
   */
  renew(answer) {
    const first_ts = answer.bars[0]?.ts ?? Infinity;
    const joins = answer.epoch === this.epoch && first_ts <= (this.newest?.ts ?? -Infinity);
    const kept = joins ? this.bars.filter((bar) => bar.ts < first_ts) : [];
    this.bars = [...kept, ...answer.bars].slice(-this.#bars_max);
    // A replay may have gone back: what is old in one run is new in another.
    if (answer.epoch !== this.epoch) this.#newest_us = 0;
    this.epoch = answer.epoch;
    this.offset = answer.offset;
    this.revision += 1;
    this.changes += 1;
    return joins;
  }

  /**
   * Prepends older bars. Returns how many were new.
   * @param {Bar[]} older oldest first
   */
  prepend(older) {
    const oldest = this.bars[0]?.ts ?? Infinity;
    const room = Math.max(0, this.#bars_max - this.bars.length);
    const fresh = room === 0 ? [] : older.filter((bar) => bar.ts < oldest).slice(-room);
    if (fresh.length > 0) {
      this.bars = [...fresh, ...this.bars];
      this.revision += 1;
      this.changes += 1;
    }
    return fresh.length;
  }

  /** @param {Bar} bar */
  #append(bar) {
    this.bars.push(bar);
    this.changes += 1;
    if (this.bars.length > this.#bars_max) {
      // Drops a tenth at once: each drop redraws the whole chart, and one bar at a time would do so with every new bar.
      this.bars.splice(0, Math.ceil(this.#bars_max / 10));
      this.revision += 1;
    }
  }
}
