// @ts-check
/**
 * Fetches the history of the charted symbol and joins it with what was pushed meanwhile.
 *
 * Owns: the request under way (one at a time, a newer one replaces it) and the join. Does not own: the candles after the
 * join, or when history is needed (`app.js`).
 */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./tradelog.js").TradeLog} TradeLog */

import { BARS_MAX, CandleSeries } from "./candles.js";
import { mark } from "./i18n.js";
import { INTERVAL_US } from "./protocol.js";
import { AnswerError, BARS_PER_REQUEST, fetchBars } from "./rest.js";

const JOIN_ATTEMPTS_MAX = 4;
const JOIN_RETRY_MS = 250;

/** @typedef {{ epoch: string | null, followed_offset: number | undefined, now_us: number }} Position of the stream for the symbol */

/**
 * @typedef {object} HistoryHandlers
 * @property {() => Position} position
 * @property {(series: CandleSeries) => void} onSeries
 * @property {(err: Error) => void} onError
 */

export class HistoryLoader {
  #log;
  #handlers;
  #request = new AbortController();
  /** @type {CandleSeries | null} the one that is being extended */
  #extending = null;
  /** @type {WeakSet<CandleSeries>} those that reach back as far as the server's history */
  #complete = new WeakSet();

  /**
   * @param {TradeLog} log
   * @param {HistoryHandlers} handlers
   */
  constructor(log, handlers) {
    this.#log = log;
    this.#handlers = handlers;
  }

  /** Forgets the request under way. */
  cancel() {
    this.#request.abort();
  }

  /**
   * Fetches the newest bars and hands over the joined series.
   * @param {string} symbol
   * @param {Interval} interval
   * @param {CandleSeries | null} held what is shown of them already: it goes on, with all the past that it has
   */
  async load(symbol, interval, held = null) {
    this.cancel();
    this.#request = new AbortController();
    const { signal } = this.#request;
    try {
      for (let attempt = 1; ; attempt += 1) {
        const limit = held ? barsToAsk(held, this.#handlers.position()) : BARS_PER_REQUEST;
        const answer = await fetchBars(symbol, interval, { limit, signal });
        const missed = this.#missed(answer);
        if (missed || attempt === JOIN_ATTEMPTS_MAX) {
          const series = held ?? new CandleSeries(answer);
          if (held && !held.renew(answer)) this.#complete.delete(held);
          for (const trade of missed ?? []) series.applyTrade(trade);
          if (answer.bars.length < limit) this.#complete.add(series);
          this.#handlers.onSeries(series);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, JOIN_RETRY_MS));
        if (signal.aborted) return;
      }
    } catch (err) {
      if (!signal.aborted) this.#handlers.onError(err instanceof Error ? err : new Error(String(err)));
    }
  }

  /**
   * Returns the trades that came after the answer, or null when the join would not be exact: the answer is older than
   * what the page has seen, or from another run of the server. Without a connection there is nothing to join.
   * @param {import("./protocol.js").BarsAnswer} answer
   */
  #missed(answer) {
    const { epoch, followed_offset } = this.#handlers.position();
    if (followed_offset === undefined) return [];
    if (answer.epoch !== epoch) return null;
    return this.#log.since(answer.symbol, answer.offset, followed_offset);
  }

  /**
   * Puts the page of bars before the oldest in front of a series. Answers whether any came.
   * @param {CandleSeries} series
   */
  async extend(series) {
    const oldest = series.bars[0];
    if (this.#extending || this.#complete.has(series) || series.isFull || !oldest) return false;
    this.#extending = series;
    try {
      const { symbol, interval } = series;
      const answer = await fetchBars(symbol, interval, { before: oldest.ts });
      const added = series.prepend(answer.bars);
      if (added === 0 || answer.bars.length < BARS_PER_REQUEST) this.#complete.add(series);
      return added > 0;
    } catch {
      // The next scroll tries again.
      return false;
    } finally {
      this.#extending = null;
    }
  }
}

/**
 * Returns how many bars to ask for, so that they join those held, or replace them all when they are of another run of the server.
 * @param {CandleSeries} held
 * @param {Position} position
 */
function barsToAsk(held, { epoch, now_us }) {
  const newest_us = held.newest?.ts ?? now_us;
  const behind = Math.max(0, Math.ceil((now_us - newest_us) / INTERVAL_US[held.interval])) + 1;
  const kept = held.epoch === epoch ? 0 : held.bars.length;
  return Math.min(Math.max(BARS_PER_REQUEST, kept + behind), BARS_MAX);
}

/**
 * Returns what to tell the reader when no history came: a phrase by its cause, which can be said in any language.
 * @param {Error} err
 * @returns {{ phrase: string, values?: { status: number } }}
 */
export function failureOf(err) {
  if (err instanceof AnswerError) {
    return { phrase: mark("The history could not be loaded: the server has answered {status}."), values: { status: err.status } };
  }
  return { phrase: mark("The history could not be loaded: the server cannot be reached.") };
}
