// @ts-check
/**
 * The end of a session: whether and when a client reconnects, and whether its cursor is still valid. The table is that of
 * docs/PROTOCOL.md, "The end of a session"; a test compares the two.
 *
 * Owns: the table, and the causes why a connection has ended. Does not own: the growth of delays (`backoff.js`).
 */

/**
 * @typedef {object} Advice
 * @property {boolean} reconnects false: the server would close the next connection for the same reason
 * @property {number} delay_ms the least delay before the first attempt
 * @property {boolean} keepsCursor false: the server's next run has another epoch, so that the cursor is void
 */
/**
 * Why a connection has ended, or was not opened.
 * - `closed`: with a close code, or with the `goodbye` of a stream
 * - `refused`: the handshake or the request was answered with an error status
 * - `unreachable`: no answer
 * - `silent`: nothing came for too long; `late`: a request was not answered
 * - `buffered`: a proxy holds a stream back
 * - `garbage`: a message could not be read
 * - `hole`: events are missing that the server has not announced; they are fetched by reconnecting
 * - `asked`: the application has asked for a new connection
 * - `token`: the application has given no token, but an error
 * @typedef {"closed" | "refused" | "unreachable" | "silent" | "late" | "buffered" | "garbage" | "hole" | "asked" | "token"} Cause
 */
/**
 * @typedef {object} Failure
 * @property {Cause} cause
 * @property {number} [code] the close code, 1006 if there was none
 * @property {string} [reason] the server's
 * @property {number} [status] of HTTP
 * @property {number} [retry_after_ms] the delay that the server demands
 * @property {boolean} [isMute] of `silent`: heartbeats or pongs came, but the server has events that did not
 * @property {boolean} [isBlocked] whether the next transport may get through where this one did not
 */

/** The code that browsers report when the connection has ended without a close frame. */
export const ABNORMAL = 1006;
/** Codes from here on mean, where the table does not list them, that reconnecting is of no use. */
const FINAL_FROM = 4_500;

const never = { reconnects: false, delay_ms: 0, keepsCursor: false };
/** After a flood of requests, or when an operator has ended the connection. */
const flooded = { reconnects: true, delay_ms: 5_000, keepsCursor: true };
const soon = { reconnects: true, delay_ms: 500, keepsCursor: true };

/** @type {Readonly<Record<number, Advice>>} */
const ADVICE = {
  1000: { ...soon, delay_ms: 0 },
  // The delay is in the `goodbye` before it.
  1001: { ...soon, delay_ms: 0, keepsCursor: false },
  1002: never,
  1003: never,
  1006: soon,
  1007: never,
  1009: never,
  1013: soon,
  4000: flooded,
  4001: flooded,
  4002: soon,
  4003: soon,
  4004: soon,
  4005: soon,
  4006: flooded,
  4007: soon,
  4401: soon,
  4403: never,
  4408: soon,
};

/** The close codes of the reasons that a `goodbye` names over server-sent events. @type {Readonly<Record<string, number>>} */
const CODES = { shutdown: 1001, hub_overrun: 1013, unread_replies: 4002, lagging: 4004, key_changed: 4005, ended_by_operator: 4006, market_moved: 4007, token_expired: 4401, key_revoked: 4403, replaced: 4501, replay_ended: 1000, replay_failed: 4503 };

/** Returns the advice for a close code. @param {number} code @returns {Advice} */
export function adviceOf(code) {
  return ADVICE[code] ?? (code < FINAL_FROM ? soon : never);
}

/** Returns the close code for the reason of a `goodbye`; 1006 for one without a code, as `full`. @param {string} reason */
export function codeOf(reason) {
  return CODES[reason] ?? ABNORMAL;
}

/** The server would close the next connection for the same reason, or the client was closed. */
export class ClosedError extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(`the connection has ended for good: ${failure.code ?? failure.status ?? failure.cause} ${failure.reason ?? ""}`.trim());
    this.failure = failure;
  }
}
