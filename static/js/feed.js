// @ts-check
/**
 * The state of the server's feed, and orders to a replay, over HTTP.
 *
 * Owns: these requests. Does not own: when they are sent (`feedwatch.js`), what is shown of a replay (`replay/`).
 */

import { fetchAs } from "./access.js";
import { AnswerError } from "./rest.js";

/** @typedef {"simulated" | "replay"} Kind */
/**
 * @typedef {object} ReplayStatus
 * @property {"replay"} kind
 * @property {"running" | "paused" | "seeking" | "ended" | "failed"} state
 * @property {number} market_ts time of the market, in microseconds
 * @property {number} speed seconds of the files in each second; 0 for as fast as possible
 * @property {boolean} paused
 * @property {number} file_ts the recorded time, in microseconds, as the next two
 * @property {number} from time of the first event of the files
 * @property {number} to time of the last one
 * @property {number} position of `file_ts` between them, 0 to 1
 * @property {string[]} files
 * @property {boolean} loop whether it begins again at its end
 * @property {string} [complaint] why it has failed
 * @property {{ rounded: number, skipped: number, reordered: number }} counted
 * @property {boolean} [operator] whether this client may give orders
 */
/** @typedef {ReplayStatus | { kind: "simulated" }} FeedStatus */

/** How long an answer may take. */
const ANSWER_MS = 10_000;

/** Returns the state of the feed. @returns {Promise<FeedStatus>} @throws {AnswerError} if the server answers with an error status @throws {TypeError} if it does not answer */
export function fetchFeed() {
  return ask("api/v1/feed", "GET");
}

/** Gives an order to a replay, and returns its state after that. @param {string} order with its query, as `step?events=1` @returns {Promise<FeedStatus>} @throws {AnswerError} if the server refuses it */
export function orderFeed(order) {
  return ask(`api/v1/feed/${order}`, "POST");
}

/** @param {string} url @param {string} method */
async function ask(url, method) {
  const response = await fetchAs(url, { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS) });
  const answer = await response.json().catch(/** @returns {null} */ () => null);
  if (!response.ok || answer === null) throw new AnswerError(response.status, answer?.detail ?? response.statusText);
  return answer;
}
