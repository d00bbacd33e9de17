// @ts-check
/**
 * How long to wait before the next attempt to connect: twice as long each time, up to a bound, with jitter, so that a
 * crowd of pages does not come back in step.
 *
 * Owns: the sequence of delays. Does not own: timers (`feed.js`). Pure: randomness is injected.
 */

const DELAY_MS_FIRST = 500;
const DELAY_MS_MAX = 15_000;

export class Backoff {
  #attempt = 0;
  /** @type {number | null} */
  #told_ms = null;
  #random;

  /** @param {() => number} random from 0 up to 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Starts anew, after a connection that held. */
  reset() {
    this.#attempt = 0;
  }

  /** Takes the delay that the server asked for; it is the next one, once. @param {number} delay_ms */
  tell(delay_ms) {
    if (Number.isFinite(delay_ms)) this.#told_ms = Math.min(Math.max(0, delay_ms), DELAY_MS_MAX);
  }

  /**
   * Returns the next delay in milliseconds: from half the bound of this attempt up to the bound.
   * @param {number} [least_ms] the least delay that the close code allows
   */
  next(least_ms = 0) {
    const told = this.#told_ms;
    this.#told_ms = null;
    if (told !== null) return told;
    const bound = Math.max(Math.min(DELAY_MS_FIRST * 2 ** this.#attempt, DELAY_MS_MAX), 2 * least_ms);
    this.#attempt = Math.min(this.#attempt + 1, 16);
    return bound * (0.5 + this.#random() / 2);
  }
}
