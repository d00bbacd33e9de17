// @ts-check
/**
 * The causes of failures, each with a phrase in both languages and with the decision whether another attempt makes sense.
 *
 * Owns: the causes and their phrases.
 */

import { mark, t } from "../i18n.js";
import { phraseOf } from "../reconnect.js";

/** @typedef {"closed" | "refused" | "unavailable" | "unknown_symbol" | "unreachable" | "timeout" | "unreadable" | "internal"} Kind */
/** @typedef {{ kind: Kind, detail: string }} Cause `detail` is the close code and its reason, names, or the server's own words */

/** @type {Record<Exclude<Kind, "closed">, string>} */
const PHRASES = {
  refused: mark("the server refused: {detail}"),
  unavailable: mark("the server is shutting down or is full"),
  unknown_symbol: mark("no such symbol: {detail}"),
  unreachable: mark("the server cannot be reached"),
  timeout: mark("no answer in time"),
  unreadable: mark("the answer is not valid"),
  internal: mark("an error of this page: {detail}"),
};

export class Failure extends Error {
  /**
   * @param {Kind} kind
   * @param {string} [detail]
   * @param {{ isFinal?: boolean, retry_after_ms?: number, least_ms?: number }} [after] `isFinal`: another attempt would fail likewise;
   *   `retry_after_ms`: the delay that the server demands; `least_ms`: the least delay
   */
  constructor(kind, detail = "", { isFinal = false, retry_after_ms, least_ms } = {}) {
    super(`${kind} ${detail}`.trim());
    this.kind = kind;
    this.detail = detail;
    this.isFinal = isFinal;
    this.retry_after_ms = retry_after_ms;
    this.least_ms = least_ms;
  }
}

/** Returns an exception as a failure: an unexpected one is an error of this page. @param {unknown} err */
export function failureOf(err) {
  return err instanceof Failure ? err : new Failure("internal", String(err), { isFinal: true });
}

/**
 * Returns the failure for an `error` message or a problem document.
 * @param {import("../protocol.js").Problem | import("../protocol.js").ErrorMessage} error
 * @param {{ isFinal?: boolean, retry_after_ms?: number }} [after]
 */
export function refusal(error, after = { isFinal: true }) {
  if (error.code === "unknown_symbol" && error.symbols) return new Failure("unknown_symbol", error.symbols.join(", "), after);
  return new Failure("refused", "message" in error ? error.message : error.detail ?? error.title, after);
}

/** Describes a cause in the language of the page. @param {Cause} cause */
export function describeCause({ kind, detail }) {
  if (kind !== "closed") return t(PHRASES[kind], { detail });
  const code = Number.parseInt(detail, 10);
  return t("{reason} ({code})", { reason: t(phraseOf(code)), code });
}
