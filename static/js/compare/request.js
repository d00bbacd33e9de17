// @ts-check
/**
 * HTTP requests with a timeout, and pauses that can be aborted.
 */

import { fetchAs } from "../access.js";
import { nowMicros } from "../clock.js";
import { Failure, refusal } from "./failure.js";

/** @template T @typedef {{ answer: T, received_us: number }} Answered */

/** How long an answer may take, in addition to the time that the request lets the server wait, in milliseconds. */
export const TIMEOUT_MS = 5_000;
/** Statuses of 4xx after which a later attempt may succeed: request timeout, too many requests. */
const PASSING = [408, 429];
const UNAVAILABLE = 503;

/**
 * Fetches JSON, and notes the time when all of it had come, before it is parsed.
 * @template T the type of the answer
 * @param {string} url
 * @param {AbortSignal} signal ends the request
 * @param {number} [timeout_ms]
 * @returns {Promise<Answered<T>>}
 * @throws {import("./failure.js").Failure}
 */
export async function ask(url, signal, timeout_ms = TIMEOUT_MS) {
  try {
    const response = await fetchAs(url, { cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]) });
    const text = await response.text();
    const received_us = nowMicros();
    if (response.ok) return { answer: JSON.parse(text), received_us };
    const { status } = response;
    const retry_after_ms = Number.parseInt(response.headers.get("retry-after") ?? "", 10) * 1_000;
    if (status === UNAVAILABLE) throw new Failure("unavailable", "", { retry_after_ms });
    throw refusal(problemIn(text) ?? { title: String(status) }, { isFinal: status < 500 && !PASSING.includes(status), retry_after_ms });
  } catch (err) {
    throw err instanceof Failure ? err : new Failure(kindOf(err));
  }
}

/** Returns the cause for an exception of `fetch` or of the parser. @param {unknown} err */
function kindOf(err) {
  if (err instanceof SyntaxError) return "unreadable";
  return err instanceof DOMException && err.name === "TimeoutError" ? "timeout" : "unreachable";
}

/** Waits, until the signal at the latest. @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
    if (signal.aborted) finish();
  });
}

/** @param {string} text @returns {import("../protocol.js").Problem | null} */
function problemIn(text) {
  try {
    const answer = JSON.parse(text);
    return answer instanceof Object ? answer : null;
  } catch {
    return null;
  }
}
