// @ts-check
/**
 * Judges whether a connection is dead, from the times of pings and received messages. The server answers pings even if the market
 * is quiet, so that a few seconds of silence mean a dead connection.
 *
 * Owns: the judgement. Does not own: the socket, pings, timers (`link.js`). Pure: the caller passes the time.
 */

/** The interval of the checks. */
export const CHECK_MS = 250;
/** After this much silence a ping is due. */
const ASK_AFTER_MS = 1_000;
/** How long the pong may take: at least this, at most twice the usual round trip, and the second figure while that is unknown. */
const ANSWER_MS = 1_250;
const ANSWER_MS_UNKNOWN = 4_000;
/** A connection is given up after this much silence. */
const SILENT_MS_MAX = 10_000;
/** A check that is so late means that the machine or the page was suspended. */
const LATE_MS = 1_500;

/** @typedef {{ isLate: boolean, isAskDue: boolean, verdict: "alive" | "silent" | "gone" }} Judgement */

export class Liveness {
  #heard_ms = 0;
  #asked_ms = 0;
  #woke_ms = -Infinity;
  #isDoubted = false;
  #due_ms = Infinity;
  #due_wall_ms = Infinity;
  #wasLate = false;

  /** The time of the last message. */
  get heard_ms() {
    return this.#heard_ms;
  }

  /** Starts with a new connection. @param {number} now_ms */
  begin(now_ms) {
    this.#heard_ms = this.#asked_ms = now_ms;
    this.#woke_ms = -Infinity;
    this.#isDoubted = false;
  }

  /** @param {number} now_ms */
  heard(now_ms) {
    this.#heard_ms = now_ms;
  }

  /** Notes the time of a ping. @param {number} now_ms */
  asked(now_ms) {
    this.#asked_ms = now_ms;
  }

  /**
   * Doubts the connection, as after a suspension, until it answers a ping sent from now on. Other messages prove nothing: they may
   * have been buffered on this machine.
   * @param {number} now_ms
   */
  doubt(now_ms) {
    this.#woke_ms = now_ms;
    this.#isDoubted = true;
  }

  /** Notes a pong. @param {number} asked_ms when its ping left, to the millisecond */
  answered(asked_ms) {
    if (asked_ms + 1 >= this.#woke_ms) this.#isDoubted = false;
  }

  /**
   * Judges the connection. A late check gives no verdict, because received messages may be queued behind it.
   * @param {number} now_ms of `performance.now()`, which may stop while the machine is suspended
   * @param {number} wall_ms of `Date.now()`, which does not stop
   * @param {number | null} roundTrip_ms the usual one
   * @returns {Judgement}
   */
  check(now_ms, wall_ms, roundTrip_ms) {
    const late_ms = Math.max(now_ms - this.#due_ms, wall_ms - this.#due_wall_ms);
    const isLate = late_ms > LATE_MS && !this.#wasLate;
    this.#wasLate = isLate;
    this.#due_ms = now_ms + CHECK_MS;
    this.#due_wall_ms = wall_ms + CHECK_MS;
    const silent_ms = now_ms - this.#heard_ms;
    const isAskDue = Math.min(silent_ms, now_ms - this.#asked_ms) >= ASK_AFTER_MS;
    const answer_ms = roundTrip_ms === null ? ANSWER_MS_UNKNOWN : Math.max(ANSWER_MS, 2 * roundTrip_ms);
    return { isLate, isAskDue, verdict: isLate ? "alive" : this.#verdict(now_ms, silent_ms, answer_ms) };
  }

  /** @param {number} now_ms @param {number} silent_ms @param {number} answer_ms */
  #verdict(now_ms, silent_ms, answer_ms) {
    const isOver = now_ms - this.#woke_ms > answer_ms;
    if (isOver && (this.#isDoubted || silent_ms > Math.max(SILENT_MS_MAX, 2 * answer_ms))) return "gone";
    return silent_ms > ASK_AFTER_MS + answer_ms ? "silent" : "alive";
  }
}
