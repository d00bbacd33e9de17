// @ts-check
/**
 * Fetches the newest trades of a symbol from the server's ring, so that the tape is full when the page is loaded.
 *
 * Owns: how far back to ask, and the side of each fetched trade. Does not own: the trades that are pushed (`tradelog.js`).
 */

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./tradelog.js").LoggedTrade} LoggedTrade */
/** @typedef {{ epoch: string, offset: number }} Place */

import { fetchEvents } from "./rest.js";
import { sideOf } from "./ticker.js";
import { amend } from "./tradelog.js";

/** How far before the present to begin, in events of all symbols: the first that has enough trades is used. */
const SPANS = [4_096, 32_768, 196_608];
/** Most requests of one span: the server answers with 1,024 events at most. */
const PAGES_MAX = 4;

/**
 * Returns the newest trades of a symbol, oldest first, and the offset up to which they are complete. There may be fewer than `count`,
 * if the ring has no more, and none if the epoch has ended.
 * @param {string} symbol
 * @param {Place} place the present
 * @param {number} count
 * @param {AbortSignal} signal
 */
export async function fetchPastTrades(symbol, { epoch, offset }, count, signal) {
  /** @type {{ trades: LoggedTrade[], upto: number }} */
  let found = { trades: [], upto: -1 };
  for (const span of SPANS) {
    const answer = await read(symbol, { epoch, offset: Math.max(0, offset - span) }, count, signal);
    if (!answer) return found;
    found = answer;
    if (found.trades.length >= count || span >= offset) return found;
  }
  return found;
}

/**
 * Returns the newest trades after a place, or null if the server does not have them any more.
 * @param {string} symbol @param {Place} from @param {number} count @param {AbortSignal} signal
 */
async function read(symbol, from, count, signal) {
  /** @type {LoggedTrade[]} */
  const trades = [];
  const sides = new Sides();
  for (let [page, after] = [0, from]; page < PAGES_MAX; page += 1) {
    const answer = await fetchEvents(symbol, after, signal);
    if (!answer.recovered || answer.epoch !== from.epoch) return null;
    for (const message of answer.messages) {
      const trade = sides.take(message, symbol);
      if (trade) trades.push(trade);
      else if (message.type === "correction" || message.type === "cancel") amend(trades, message);
    }
    const read_to = Number(answer.cursor.split(":")[1]);
    if (read_to >= answer.offset || read_to === after.offset) return { trades: sided(trades).slice(-count), upto: read_to };
    after = { epoch: from.epoch, offset: read_to };
  }
  // The symbol has so many events that the newest ones were not reached: the tape fills in a moment.
  return null;
}

/**
 * Returns the trades that count. Those before the first quote are left out, as their sides are unknown; where nobody quotes, all sides are.
 * @param {readonly LoggedTrade[]} trades
 */
function sided(trades) {
  const isQuoted = trades.some(({ side }) => side !== null);
  return trades.filter(({ side, isCancelled }) => !isCancelled && (side !== null || !isQuoted));
}

/** Fills the log with the past trades of one symbol at a time. */
export class PastTrades {
  #log;
  #position;
  #onFilled;
  #request = new AbortController();

  /**
   * @param {import("./tradelog.js").TradeLog} log
   * @param {(symbol: string) => { epoch: string | null, followed_offset: number | undefined }} position
   * @param {() => void} onFilled
   */
  constructor(log, position, onFilled) {
    this.#log = log;
    this.#position = position;
    this.#onFilled = onFilled;
  }

  /**
   * Fetches the trades from before the snapshot of a symbol, if they are not kept already. A failure leaves the tape as it is: it
   * fills with the trades that are pushed.
   * @param {string} symbol @param {number} count
   */
  async load(symbol, count) {
    const { epoch, followed_offset } = this.#position(symbol);
    if (epoch === null || followed_offset === undefined || this.#log.isFilled(symbol)) return;
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    try {
      const { trades, upto } = await fetchPastTrades(symbol, { epoch, offset: followed_offset }, count, signal);
      const now = this.#position(symbol);
      if (signal.aborted || now.epoch !== epoch || now.followed_offset === undefined) return;
      if (this.#log.fill(symbol, trades, upto, now.followed_offset)) this.#onFilled();
    } catch {
      // The pushed trades fill the tape.
    }
  }
}

/** Follows the quotes, to tell which side a trade was made by. */
class Sides {
  /** @type {{ bid: number, ask: number } | null} */
  #quote = null;
  #newest_us = 0;

  /**
   * Returns a trade of the symbol with its side, which is unknown before the first quote. Returns null for any other message.
   * @param {Message} message @param {string} symbol
   * @returns {LoggedTrade | null}
   */
  take(message, symbol) {
    const newest_us = this.#newest_us;
    if ((message.type === "quote" || message.type === "trade") && message.symbol === symbol) this.#newest_us = Math.max(newest_us, message.ts);
    if (message.type === "quote" && message.symbol === symbol) this.#quote = message;
    if (message.type !== "trade" || message.symbol !== symbol) return null;
    const { seq, offset, ts, price, size } = message;
    return { symbol, seq, offset, ts, price, size, side: sideOf(this.#quote ?? {}, price), isLate: ts < newest_us };
  }
}
