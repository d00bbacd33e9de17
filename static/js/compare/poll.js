// @ts-check
/**
 * Events by long or short polling: one request after the other, each with the cursor of the previous answer.
 *
 * Owns: the requests. Does not own: the meaning of the messages (`statistics.js`).
 */

import { Backoff } from "../../clients/js/backoff.js";
import { failureOf } from "./failure.js";
import { cursorText, pollInterval, queryOf } from "./query.js";
import { ask, pause, TIMEOUT_MS } from "./request.js";

/** How long the server may hold a long poll. */
const WAIT_MS = 25_000;
/** The most events of one answer in mode `all` (docs/PROTOCOL.md). An answer with that many is followed by more. */
export const ANSWER_EVENTS_MAX = 1_024;

/**
 * Opens the source.
 * @param {"long_poll" | "short_poll"} transport
 * @param {import("./query.js").Wish} wish @param {import("./query.js").Position} after @param {string} client
 * @param {import("./transports.js").Receiver} receiver
 * @returns {import("./transports.js").Source}
 */
export function openPoll(transport, wish, after, client, receiver) {
  const isShort = transport === "short_poll";
  const interval_ms = pollInterval(transport, wish);
  const wait_ms = isShort ? 0 : WAIT_MS;
  const query = queryOf(wish, client);
  query.set("wait_ms", String(wait_ms));
  const stopping = new AbortController();
  const backoff = new Backoff();
  let cursor = cursorText(after);
  let isDown = false;

  /** Polls once. Returns whether the answer was full. @param {AbortSignal} signal */
  const poll = async (signal) => {
    query.set("after", cursor);
    /** @type {import("./request.js").Answered<import("../protocol.js").PollAnswer>} */
    const { answer, received_us } = await ask(`api/v1/poll?${query}`, signal, wait_ms + TIMEOUT_MS);
    if (isDown || !answer.recovered) receiver.opened(answer.recovered, answer.epoch);
    isDown = false;
    backoff.reset();
    receiver.take(answer.messages, received_us);
    receiver.reached(answer.offset);
    cursor = answer.cursor;
    return answer.recovered && wish.max_hz === null && answer.messages.length >= ANSWER_EVENTS_MAX;
  };

  const run = async () => {
    receiver.opened(true, after.epoch);
    let due = performance.now();
    // At the end a running short poll is completed, and one more follows.
    const signal = isShort ? new AbortController().signal : stopping.signal;
    while (!stopping.signal.aborted) {
      try {
        // After a full answer the next request follows at once; after the interval the client would fall behind forever.
        if (await poll(signal)) continue;
        due = Math.max(due + interval_ms, performance.now());
        if (interval_ms > 0) await pause(due - performance.now(), stopping.signal);
      } catch (err) {
        const failure = failureOf(err);
        if (stopping.signal.aborted) break;
        if (failure.isFinal) return receiver.failed(failure);
        if (!isDown) receiver.lost(failure);
        isDown = true;
        if (failure.retry_after_ms !== undefined) backoff.tell(failure.retry_after_ms);
        await pause(backoff.next(), stopping.signal);
      }
    }
    // The last short poll gets the events since the previous one. A client that is down has none.
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    try {
      while (isShort && !isDown && await poll(limit));
    } catch (err) {
      receiver.lost(failureOf(err));
    }
  };
  const done = run();
  return {
    close: () => {
      stopping.abort();
      return done;
    },
  };
}
