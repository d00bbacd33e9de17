// @ts-check
/**
 * How far a replay is, between two answers of the server, and where the viewer wants it to go.
 *
 * Owns: these rules. Does not own: elements (`bar.js`), requests (`../feed.js`). Pure: the caller passes the time.
 */

/** @typedef {import("../feed.js").ReplayStatus} ReplayStatus */
/** @typedef {"pause" | "resume" | "again"} Action what the first button does: `again` begins an ended replay anew */

/** The speeds to choose from; 0 for as fast as possible. */
export const SPEEDS = [0.1, 1, 10, 60, 100, 1_000, 0];
/** A step with the Shift key. */
export const STEP_LONG = 100;
/** How long a replay is taken to go on after an answer. */
const ALONE_MS = 3_000;
const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
/** The step of the slider, in microseconds: a second in files of up to two hours, else a minute. */
const FINE_US_MAX = 120 * MINUTE_US;

export class ReplayModel {
  /** @type {ReplayStatus} */
  status;
  #received_ms;
  /** The recorded time that was shown last. */
  #shown_us = Number.NEGATIVE_INFINITY;
  /** Where the viewer wants to go: chosen at the end of a movement of the slider. @type {{ ts: number, isChosen: boolean, isSent: boolean } | null} */
  #wish = null;

  /** @param {ReplayStatus} status @param {number} now_ms */
  constructor(status, now_ms) {
    this.status = status;
    this.#received_ms = now_ms;
  }

  /** Takes an answer of the server. @param {ReplayStatus} status @param {number} now_ms */
  take(status, now_ms) {
    // The way of the answers differs by some milliseconds, by which the shown time would go back.
    const isAhead = this.#shown_us > status.file_ts && this.#shown_us - status.file_ts < status.speed * SECOND_US;
    if (!isAhead || status.state !== "running" || this.status.state !== "running") this.#shown_us = Number.NEGATIVE_INFINITY;
    this.status = status;
    this.#received_ms = now_ms;
    if (this.#wish?.isSent && status.state !== "seeking") this.#wish = null;
  }

  /** Returns the recorded time: where the viewer wants to go, or how far the replay must be by now. @param {number} now_ms */
  timeAt(now_ms) {
    if (this.#wish) return this.#wish.ts;
    const { state, file_ts, speed } = this.status;
    const alone_ms = state === "running" ? Math.min(Math.max(now_ms - this.#received_ms, 0), ALONE_MS) : 0;
    this.#shown_us = Math.max(this.#shown_us, this.#clamped(file_ts + alone_ms * 1_000 * speed));
    return this.#shown_us;
  }

  /** Wants another time, without going there yet. @param {number} ts */
  wish(ts) {
    this.#wish = { ts: this.#clamped(ts), isChosen: false, isSent: false };
  }

  /** Chooses the time that is wanted. @param {number} ts */
  choose(ts) {
    this.#wish = { ts: this.#clamped(ts), isChosen: true, isSent: false };
  }

  /** Forgets a time that was not chosen, as when a movement of the slider was broken off; or also one that the server refuses. @param {boolean} [isRefused] */
  drop(isRefused = false) {
    if (isRefused || this.#wish?.isChosen === false) this.#wish = null;
  }

  /** Returns the time to go to now, once; null if there is none, or if the replay is on its way to another one. */
  takeWish() {
    if (!this.#wish?.isChosen || this.#wish.isSent || this.status.state === "seeking") return null;
    this.#wish.isSent = true;
    return this.#wish.ts;
  }

  /** Whether the replay is on its way to another time, or will be in a moment. */
  get isMoving() {
    return this.status.state === "seeking" || this.#wish?.isChosen === true;
  }

  /** What the first button does; null while there is nothing to do. @returns {Action | null} */
  get action() {
    switch (this.status.state) {
      case "ended": return "again";
      case "failed": return null;
      default: return this.status.paused ? "resume" : "pause";
    }
  }

  /** Whether single events can be published. */
  get canStep() {
    return this.status.state === "paused";
  }

  /** The step of the slider, and its greatest value, in seconds since the first event. */
  get scale() {
    const { from, to } = this.status;
    const step_us = to - from > FINE_US_MAX ? MINUTE_US : SECOND_US;
    return { step_s: step_us / SECOND_US, max_s: Math.max(Math.ceil((to - from) / step_us), 1) * (step_us / SECOND_US) };
  }

  /** Returns a recorded time as a value of the slider. @param {number} ts */
  valueOf(ts) {
    return (ts - this.status.from) / SECOND_US;
  }

  /** Returns the recorded time of a value of the slider. @param {number} value */
  timeOf(value) {
    return this.#clamped(this.status.from + value * SECOND_US);
  }

  /** @param {number} ts */
  #clamped(ts) {
    return Math.round(Math.min(Math.max(ts, this.status.from), Math.max(this.status.to, this.status.from)));
  }
}

/** Returns the speeds to choose from, with the present one among them. @param {number} speed */
export function speedsWith(speed) {
  if (SPEEDS.includes(speed)) return SPEEDS;
  return [...[...SPEEDS, speed].filter((each) => each > 0).sort((left, right) => left - right), 0];
}
