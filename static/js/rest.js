// @ts-check
/**
 * The requests of the live page over HTTP: the list of symbols, the bars of a symbol, and its newest events. Prices are pushed (`link.js`).
 *
 * Owns: the requests and their errors.
 */

import { fetchAs } from "./access.js";

/** @typedef {import("./protocol.js").BarsAnswer} BarsAnswer */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./protocol.js").Listing} Listing */
/** @typedef {import("./protocol.js").PollAnswer} PollAnswer */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").SnapshotAnswer} SnapshotAnswer */

export const BARS_PER_REQUEST = 600;
/** More symbols make a longer address than servers take. */
const SNAPSHOTS_PER_REQUEST = 400;

/** How long an answer may take. A server that is slower is as good as none, and the viewer may try again. */
const ANSWER_MS = 15_000;

/** An answer that is not the one that was asked for. */
export class WrongAnswerError extends Error {}

/** An error status of the server. */
export class AnswerError extends Error {
  /** @param {number} status @param {string} detail in English, for developers */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** @typedef {{ symbol: string, interval: Interval, limit: number, response: Promise<Response> }} Early a request for bars that `first.js` has sent */

/** Returns what was requested before this script was there; null if it was taken, or if nothing was. */
export function earlyChart() {
  return /** @type {{ early_?: Early }} */ (globalThis).early_ ?? null;
}

/** Returns the request for these bars that was sent before this script was there, once. @param {string} symbol @param {Interval} interval */
export function takeEarly(symbol, interval) {
  const early = earlyChart();
  delete /** @type {{ early_?: Early }} */ (globalThis).early_;
  return early?.symbol === symbol && early.interval === interval ? early : null;
}

/**
 * Returns the JSON of a URL.
 * @template T the type of the answer
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {Promise<Response>} [begun] the response, if the request was sent already
 * @returns {Promise<T>}
 * @throws {AnswerError} if the server answers with an error status
 * @throws {TypeError} if it does not answer
 */
async function getJson(url, signal, begun) {
  const patience = AbortSignal.timeout(ANSWER_MS);
  const either = signal ? AbortSignal.any([signal, patience]) : patience;
  const response = await fetchAs(url, { signal: either, headers: { accept: "application/json" } }, begun);
  either.throwIfAborted();
  if (response.ok) return response.json();
  /** @type {import("./protocol.js").Problem | null} */
  const problem = await response.json().catch(/** @returns {null} */ () => null);
  throw new AnswerError(response.status, problem?.detail ?? problem?.title ?? response.statusText);
}

/**
 * Asks for the symbols but the first `from` of them. `grows`: whether the server may add symbols.
 * @param {number} [from]
 * @returns {Promise<{ symbols: Listing[], grows?: boolean }>}
 */
export const fetchListings = (from = 0) => getJson(from > 0 ? `api/v1/symbols?from=${from}` : "api/v1/symbols");

/**
 * @param {string} symbol
 * @param {Interval} interval
 * @param {{ before?: number, limit?: number, signal?: AbortSignal, begun?: Promise<Response> }} [options] `before` in microseconds; `begun`
 *   if the request was sent already
 * @returns {Promise<BarsAnswer>}
 * @throws {WrongAnswerError} if the bars are of another symbol or interval, or no bars
 */
export async function fetchBars(symbol, interval, { before, limit = BARS_PER_REQUEST, signal, begun } = {}) {
  const query = new URLSearchParams({ symbol, interval, limit: String(limit) });
  if (before !== undefined) query.set("before", String(before));
  /** @type {BarsAnswer} */
  const answer = await getJson(`api/v1/bars?${query}`, signal, begun);
  if (answer?.symbol !== symbol || answer.interval !== interval || !isRow(answer.bars)) throw new WrongAnswerError(`asked for ${symbol} ${interval}`);
  return answer;
}

/** Whether these are bars, oldest first. @param {unknown} bars */
function isRow(bars) {
  return Array.isArray(bars) && bars.every((bar, index) =>
    [bar?.ts, bar?.open, bar?.high, bar?.low, bar?.close, bar?.volume].every(Number.isFinite) && (index === 0 || bar.ts > bars[index - 1].ts));
}

/**
 * Returns the trades of a symbol, what corrects them, and its quotes after a place in the stream, at most 1,024.
 * @param {string} symbol
 * @param {{ epoch: string, offset: number }} after
 * @param {AbortSignal} signal
 * @returns {Promise<PollAnswer>}
 */
export function fetchEvents(symbol, after, signal) {
  const query = new URLSearchParams({ symbols: symbol, channels: "trades,quotes,corrections,cancels", after: `${after.epoch}:${after.offset}`, wait_ms: "0" });
  return getJson(`api/v1/poll?${query}`, signal);
}

/** Returns a snapshot of each symbol. @param {readonly string[]} symbols that the server trades */
export async function fetchSnapshots(symbols) {
  /** @type {Snapshot[]} */
  const snapshots = [];
  for (let at = 0; at < symbols.length; at += SNAPSHOTS_PER_REQUEST) {
    const query = new URLSearchParams({ symbols: symbols.slice(at, at + SNAPSHOTS_PER_REQUEST).join() });
    /** @type {SnapshotAnswer} */
    const answer = await getJson(`api/v1/snapshot?${query}`);
    snapshots.push(...answer.snapshots);
  }
  return snapshots;
}
