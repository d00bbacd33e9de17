// @ts-check
/**
 * Fetches the history of the charted symbol and joins it with the trades pushed meanwhile.
 *
 * Owns: the request (one at a time; a newer one cancels it) and the join. Does not own: the candles after the join, or the decision
 * to fetch (`app.js`).
 */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./tradelog.js").TradeLog} TradeLog */

import { BARS_MAX, CandleSeries } from "./candles.js";
import { mark } from "./i18n.js";
import { INTERVAL_US } from "./protocol.js";
import { AnswerError, BARS_PER_REQUEST, fetchBars, takeEarly, WrongAnswerError } from "./rest.js";

const JOIN_ATTEMPTS_MAX = 4;
const JOIN_RETRY_MS = 250;

/** @typedef {{ epoch: string | null, followed_offset: number | undefined, now_us: number }} Position of the page in the stream of the symbol */

/**
 * @typedef {object} HistoryHandlers
 * @property {() => Position} position
 * @property {(series: CandleSeries, isJoined: boolean) => void} onSeries not joined: trades pushed after the bars may be missing
 * @property {(err: Error) => void} onError
 */

export class HistoryLoader {
  /** Whether the newest bars are being fetched. */
  isLoading = false;
  #log;
  #handlers;
  #request = new AbortController();
  /** @type {CandleSeries | null} the series that an older page is being fetched for */
  #extending = null;
  /** @type {WeakSet<CandleSeries>} series that contain the server's whole history */
  #complete = new WeakSet();

  /**
   * @param {TradeLog} log
   * @param {HistoryHandlers} handlers
   */
  constructor(log, handlers) {
    this.#log = log;
    this.#handlers = handlers;
  }

  /** Cancels the request. */
  cancel() {
    this.#request.abort();
    this.isLoading = false;
  }

  /**
   * Fetches the newest bars, joins them, and calls `onSeries`. Bars that were requested before this script was there are passed on at once.
   * @param {string} symbol
   * @param {Interval} interval
   * @param {CandleSeries | null} held the series shown already; it is continued, so that its older bars stay
   */
  async load(symbol, interval, held = null) {
    this.cancel();
    const request = new AbortController();
    this.#request = request;
    this.isLoading = true;
    try {
      const early = held ? null : takeEarly(symbol, interval);
      const shown = early ? await this.#takeEarly(early, request.signal) : held;
      if (early && shown === undefined) return;
      await this.#join(symbol, interval, shown ?? null, request.signal);
    } catch (err) {
      if (!request.signal.aborted) this.#handlers.onError(err instanceof Error ? err : new Error(String(err)));
    } finally {
      if (this.#request === request) this.isLoading = false;
    }
  }

  /**
   * Shows the bars of a request that was sent before this script was there. Returns them to be joined, null if they must be requested again,
   * or undefined if there is nothing to do: there is no stream yet, or no such symbol, so that another one will be charted.
   * @param {import("./rest.js").Early} early @param {AbortSignal} signal
   */
  async #takeEarly({ symbol, interval, limit, response }, signal) {
    try {
      const series = this.#extended(null, await fetchBars(symbol, interval, { limit, signal, begun: response }), limit);
      this.#handlers.onSeries(series, false);
      return this.#handlers.position().followed_offset === undefined ? undefined : series;
    } catch (err) {
      if (signal.aborted) throw err;
      return err instanceof AnswerError && err.status === 404 ? undefined : null;
    }
  }

  /** @param {string} symbol @param {Interval} interval @param {CandleSeries | null} held @param {AbortSignal} signal */
  async #join(symbol, interval, held, signal) {
    for (let attempt = 1; ; attempt += 1) {
      const limit = held ? barsToAsk(held, this.#handlers.position()) : BARS_PER_REQUEST;
      const answer = await fetchBars(symbol, interval, { limit, signal });
      const missed = this.#missed(answer);
      if (missed || attempt === JOIN_ATTEMPTS_MAX) {
        const series = this.#extended(held, answer, limit);
        for (const trade of missed ?? []) series.applyTrade(trade);
        this.#handlers.onSeries(series, this.#handlers.position().followed_offset !== undefined);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, JOIN_RETRY_MS));
      if (signal.aborted) return;
    }
  }

  /** Returns the series with the bars of an answer. @param {CandleSeries | null} held @param {import("./protocol.js").BarsAnswer} answer @param {number} limit */
  #extended(held, answer, limit) {
    const series = held ?? new CandleSeries(answer);
    if (held && !held.renew(answer)) this.#complete.delete(held);
    if (answer.bars.length < limit) this.#complete.add(series);
    return series;
  }

  /**
   * Returns the trades that came after the answer, or null if the join would not be exact, because the answer is older than the
   * symbol's snapshot or of another epoch. Without a connection there is nothing to join.
   * @param {import("./protocol.js").BarsAnswer} answer
   */
  #missed(answer) {
    const { epoch, followed_offset } = this.#handlers.position();
    if (followed_offset === undefined) return [];
    if (answer.epoch !== epoch) return null;
    return this.#log.since(answer.symbol, answer.offset, followed_offset);
  }

  /**
   * Fetches the bars before the oldest one and prepends them. Returns whether there were any.
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
      // Scrolling further tries again.
      return false;
    } finally {
      this.#extending = null;
    }
  }
}

/**
 * Returns how many bars to fetch so that they adjoin those held, or replace all of them if they are of another epoch.
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
 * Returns the phrase, for `t()`, of the reason why there is no history.
 * @param {Error} err
 * @returns {{ phrase: string, values?: { status: number } }}
 */
export function failureOf(err) {
  if (err instanceof AnswerError && err.status === 401) return { phrase: mark("This server asks for a key") };
  if (err instanceof AnswerError) {
    return { phrase: mark("The history could not be loaded: the server has answered {status}."), values: { status: err.status } };
  }
  if (err instanceof WrongAnswerError || err instanceof SyntaxError) {
    return { phrase: mark("The history could not be loaded: the server has answered with something else.") };
  }
  if (err.name === "TimeoutError") return { phrase: mark("The history could not be loaded: the server takes too long.") };
  return { phrase: mark("The history could not be loaded: the server cannot be reached.") };
}
