// @ts-check
/**
 * A ring of the newest trades of all subscribed symbols, from which a fetched history is joined with the trades pushed meanwhile, and
 * from which the tape is filled; and the trades of one symbol from before the ring, which fill the tape at load.
 *
 * Owns: a bounded ring of trades, and those before it. Does not own: candles (`candles.js`). Pure.
 */

/** @typedef {import("./protocol.js").Cancel} Cancel */
/** @typedef {import("./protocol.js").Correction} Correction */
/** @typedef {{ symbol: string, seq: number, offset: number, ts: number, price: number, size: number, side: number | null, isLate?: boolean, isCancelled?: boolean }} LoggedTrade `side`: null without a quote; `isLate`: reported after newer trades or quotes, so that its side is unknown */

const TRADES_MAX = 4_096;

/** Corrects one of these trades, or marks it as cancelled. @param {LoggedTrade[]} trades @param {Correction | Cancel} amendment */
export function amend(trades, amendment) {
  const { symbol, trade_seq } = amendment;
  const trade = trades.find((logged) => logged.symbol === symbol && logged.seq === trade_seq);
  if (!trade) return;
  if (amendment.type === "cancel") trade.isCancelled = true;
  else Object.assign(trade, { price: amendment.price, size: amendment.size });
}

export class TradeLog {
  /** @type {LoggedTrade[]} */
  #ring = [];
  #next = 0;
  #evicted_offset = -1;
  #trades_max;
  /** Trades of one symbol from before its snapshot, oldest first. @type {{ symbol: string, trades: LoggedTrade[] } | null} */
  #past = null;

  /** @param {number} trades_max */
  constructor(trades_max = TRADES_MAX) {
    this.#trades_max = trades_max;
  }

  /** @param {LoggedTrade} trade */
  push(trade) {
    const replaced = this.#ring[this.#next];
    if (replaced) this.#evicted_offset = replaced.offset;
    this.#ring[this.#next] = trade;
    this.#next = (this.#next + 1) % this.#trades_max;
  }

  /**
   * Returns every trade of a symbol after an offset, oldest first, or null if some may be missing, because they were evicted or came
   * before the symbol's snapshot.
   * @param {string} symbol
   * @param {number} offset
   * @param {number} followed_offset the offset of the symbol's snapshot
   */
  since(symbol, offset, followed_offset) {
    if (offset < Math.max(this.#evicted_offset, followed_offset)) return null;
    return this.#collect(symbol, offset, this.#trades_max).reverse();
  }

  /**
   * Returns the newest trades of a symbol, newest first.
   * @param {string} symbol
   * @param {number} count_max
   */
  newest(symbol, count_max) {
    const found = this.#collect(symbol, -1, count_max);
    if (this.#past?.symbol !== symbol || found.length === count_max) return found;
    const oldest = found.at(-1)?.offset ?? Infinity;
    const past = this.#past.trades.filter((trade) => trade.offset < oldest && !trade.isCancelled);
    return [...found, ...past.reverse().slice(0, count_max - found.length)];
  }

  /**
   * Keeps trades of a symbol from before its snapshot, in place of those of another symbol. Returns false, and keeps none, if trades
   * between them and the snapshot would be missing.
   * @param {string} symbol
   * @param {LoggedTrade[]} trades oldest first
   * @param {number} upto the offset up to which they are complete
   * @param {number} followed_offset the offset of the symbol's snapshot
   */
  fill(symbol, trades, upto, followed_offset) {
    if (upto < followed_offset) return false;
    this.#past = { symbol, trades };
    return true;
  }

  /** Whether trades from before the snapshot of a symbol are kept. @param {string} symbol */
  isFilled(symbol) {
    return this.#past?.symbol === symbol;
  }

  /** Corrects a trade, or leaves it out from now on. @param {Correction | Cancel} amendment */
  amend(amendment) {
    amend(this.#ring, amendment);
    if (this.#past) amend(this.#past.trades, amendment);
  }

  /** Removes the trades of a symbol. @param {string} symbol */
  forget(symbol) {
    if (this.#past?.symbol === symbol) this.#past = null;
    const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    this.#ring = ordered.filter((trade) => trade.symbol !== symbol);
    this.#next = this.#ring.length % this.#trades_max;
  }

  clear() {
    this.#past = null;
    this.#ring = [];
    this.#next = 0;
    this.#evicted_offset = -1;
  }

  /**
   * @param {string} symbol
   * @param {number} offset
   * @param {number} count_max
   */
  #collect(symbol, offset, count_max) {
    const found = [];
    const length = this.#ring.length;
    for (let back = 1; back <= length && found.length < count_max; back += 1) {
      const trade = this.#ring[(this.#next - back + length) % length];
      if (trade.offset <= offset) break;
      if (trade.symbol === symbol && !trade.isCancelled) found.push(trade);
    }
    return found;
  }
}
