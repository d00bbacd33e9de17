// @ts-check
/**
 * The words for the end of a connection.
 *
 * Owns: the phrase of each close code. Does not own: whether and when a client reconnects (`clients/js/closing.js`).
 */

/** @typedef {import("../clients/js/closing.js").Failure} Failure */

import { mark } from "./i18n.js";

const closed = mark("the server closed the connection");
const lost = mark("the connection was lost");
const mute = mark("the connection was open, but brought no prices");
const rejected = mark("the server rejected what this page sent");
const flooded = mark("this page sent too many requests");

/** @type {Readonly<Record<number, string>>} */
const PHRASES = {
  1001: mark("the server is restarting"),
  1002: rejected,
  1003: rejected,
  1006: lost,
  1007: rejected,
  1009: rejected,
  1013: mark("the server is overloaded"),
  4000: flooded,
  4001: flooded,
  4002: mark("this page did not read the server's answers"),
  4003: mark("the server heard nothing from this page"),
  4004: mark("this page could not keep up with the prices"),
  4005: mark("what the key permits has changed"),
  4006: mark("an operator of the server has ended the connection"),
  4007: mark("the market goes on from another time"),
  4401: mark("the key has expired"),
  4403: mark("the key is no longer valid"),
  4408: mark("this page did not authenticate in time"),
  4501: mark("a newer connection replaced this one"),
  4502: mark("the key has too many connections"),
  4503: mark("the file of the replay cannot be read on"),
};

/** Returns the phrase, for `t()`, of a close code. @param {number} code */
export function phraseOf(code) {
  return PHRASES[code] ?? closed;
}

/** Returns the phrase, for `t()`, of a connection that fell silent. @param {Failure} failure */
export function silenceOf({ isMute }) {
  return isMute ? mute : lost;
}

/** Returns the phrase of the reason why a connection has ended; null if none was open. @param {Failure | null} failure */
export function reasonOf(failure) {
  if (failure === null || failure.cause === "unreachable" || failure.cause === "refused") return null;
  return failure.cause === "closed" ? phraseOf(failure.code ?? 1006) : silenceOf(failure);
}
