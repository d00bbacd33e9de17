// @ts-check
/**
 * The close codes of a WebSocket: whether and when a client reconnects, and whether its cursor is still valid. The table is that
 * of docs/PROTOCOL.md, "The end of a session"; a test compares the two.
 *
 * Owns: the table and its words. Does not own: sockets (`feed.js`, `compare/websocket.js`) or the growth of delays (`backoff.js`).
 */

import { mark } from "./i18n.js";

/**
 * @typedef {object} Advice
 * @property {boolean} reconnects false: the server would close the next connection for the same reason
 * @property {number} delay_ms the least delay before the first attempt
 * @property {boolean} keepsCursor false: the server's next run has another epoch, so that the cursor is void
 * @property {string} phrase why the connection was closed, for `t()`
 */

/** The code that browsers report when the connection has ended without a close frame. */
export const ABNORMAL = 1006;
/** Codes from here on mean, where the table does not list them, that reconnecting is of no use. */
const FINAL_FROM = 4_500;

const rejected = { reconnects: false, delay_ms: 0, keepsCursor: false, phrase: mark("the server rejected what this page sent") };
const flooded = { reconnects: true, delay_ms: 5_000, keepsCursor: true, phrase: mark("this page sent too many requests") };
const soon = { reconnects: true, delay_ms: 500, keepsCursor: true };
const closed = mark("the server closed the connection");

/** @type {Readonly<Record<number, Advice>>} */
const ADVICE = {
  1000: { ...soon, delay_ms: 0, phrase: closed },
  // The delay is in the `goodbye` before it.
  1001: { ...soon, delay_ms: 0, keepsCursor: false, phrase: mark("the server is restarting") },
  1002: rejected,
  1003: rejected,
  1006: { ...soon, phrase: mark("the connection was lost") },
  1007: rejected,
  1009: rejected,
  1013: { ...soon, phrase: mark("the server is overloaded") },
  4000: flooded,
  4001: flooded,
  4002: { ...soon, phrase: mark("this page did not read the server's answers") },
  4003: { ...soon, phrase: mark("the server heard nothing from this page") },
  4004: { ...soon, phrase: mark("this page could not keep up with the prices") },
  4500: { ...rejected, phrase: mark("this page did not authenticate in time") },
  4501: { ...rejected, phrase: mark("a newer connection replaced this one") },
};

/** Returns the advice for a close code. @param {number} code @returns {Advice} */
export function adviceOf(code) {
  return ADVICE[code] ?? (code < FINAL_FROM ? { ...soon, phrase: closed } : { ...rejected, phrase: closed });
}
