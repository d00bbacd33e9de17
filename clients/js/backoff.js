// @ts-check
/**
 * The delay before the next attempt to connect: exponential backoff with an upper bound, and jitter, without which thousands of
 * clients would reconnect at the same moment.
 *
 * Owns: the sequence of delays. Does not own: timers (`tickcast.js`). Pure: randomness is injected.
 */

const DELAY_MS_FIRST = 500;
const DELAY_MS_MAX = 15_000;
/** The longest delay that a server may demand. */
export const TOLD_MS_MAX = 300_000;

export class Backoff {
  #attempt = 0;
  #told_ms = 0;
  #random;

  /** @param {() => number} random from 0 up to 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Starts again with the first delay. Call it after a connection that held. */
  reset() {
    this.#attempt = 0;
  }

  /** Takes the delay that a `goodbye` or `Retry-After` demands: the next delay is at least as long. @param {number} delay_ms */
  tell(delay_ms) {
    if (Number.isFinite(delay_ms)) this.#told_ms = Math.min(Math.max(0, delay_ms), TOLD_MS_MAX);
  }

  /**
   * Returns the next delay in milliseconds: from half the bound of this attempt, or the demanded delay, by up to half the bound more.
   * @param {number} [least_ms] the least delay that the close code allows
   */
  next(least_ms = 0) {
    const told_ms = this.#told_ms;
    this.#told_ms = 0;
    const bound = Math.max(Math.min(DELAY_MS_FIRST * 2 ** this.#attempt, DELAY_MS_MAX), 2 * least_ms);
    this.#attempt = Math.min(this.#attempt + 1, 16);
    return Math.max(bound / 2, told_ms) + (bound / 2) * this.#random();
  }
}
