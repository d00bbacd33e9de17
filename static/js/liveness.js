// @ts-check
/**
 * Judges whether anybody is at the other end of the socket, from what was heard and when. A server that has nothing to say
 * answers pings, so silence means something within seconds, however quiet the market is.
 *
 * Owns: the judgement. Does not own: the socket, its pings, any timer (`feed.js`). Pure: the caller gives the time.
 */

/** How often to judge. */
export const CHECK_MS = 250;
/** After so much silence the server is asked whether it is there. */
const ASK_AFTER_MS = 1_000;
/** How long its answer may take: so long at least, twice the usual round trip, or this while the round trip is unknown. */
const ANSWER_MS = 1_250;
const ANSWER_MS_UNKNOWN = 4_000;
/** A connection that has been silent for so long is given up. */
const SILENT_MS_MAX = 10_000;
/** A check that comes so much later than it was due tells that this machine, or this page, has slept. */
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

  /** When something was heard last. */
  get heard_ms() {
    return this.#heard_ms;
  }

  /** Begins anew, with another connection. @param {number} now_ms */
  begin(now_ms) {
    this.#heard_ms = this.#asked_ms = now_ms;
    this.#woke_ms = -Infinity;
    this.#isDoubted = false;
  }

  /** @param {number} now_ms */
  heard(now_ms) {
    this.#heard_ms = now_ms;
  }

  /** Takes down that a ping has left. @param {number} now_ms */
  asked(now_ms) {
    this.#asked_ms = now_ms;
  }

  /**
   * Doubts the connection, as after a sleep, until it has answered what it is asked from now on. Other messages prove
   * nothing: they may have waited on this machine.
   * @param {number} now_ms
   */
  doubt(now_ms) {
    this.#woke_ms = now_ms;
    this.#isDoubted = true;
  }

  /** Takes an answer in. @param {number} asked_ms when its ping left, to the millisecond */
  answered(asked_ms) {
    if (asked_ms + 1 >= this.#woke_ms) this.#isDoubted = false;
  }

  /**
   * Judges. A late check gives no verdict: what has come meanwhile may still wait behind it, to be read next.
   * @param {number} now_ms as `performance.now()` counts, which may stand still while the machine sleeps
   * @param {number} wall_ms as `Date.now()` counts, which does not
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
