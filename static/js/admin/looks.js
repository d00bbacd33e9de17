// @ts-check
/**
 * When the page of the operators asks the server for what.
 *
 * Owns: that no two looks run at once, and which answers are due. Does not own: the answers, or the time between two looks (`page.js`).
 */

/** @typedef {import("./plots.js").Point} Point */
/** @typedef {{ points: Point[], point_ms: number }} Past */
/** @typedef {(method: string, path: string) => Promise<unknown>} Send */

export class Looks {
  #send;
  #every_ms;
  #isRunning = false;
  #isDue = false;
  /** When the points were last asked for, and how often there are new ones. */
  #past_at_ms = -Infinity;
  #past_every_ms;
  #hasFilter = false;

  /** @param {Send} send @param {number} every_ms the shortest time between two requests for the points */
  constructor(send, every_ms) {
    this.#send = send;
    this.#every_ms = this.#past_every_ms = every_ms;
  }

  /**
   * Looks now, or, if a look is running, once more after it: its answers may be older than an order. Resolves with false then.
   * @param {() => Promise<void>} look
   */
  async run(look) {
    this.#isDue = true;
    if (this.#isRunning) return false;
    this.#isRunning = true;
    try {
      while (this.#isDue) {
        this.#isDue = false;
        await look();
      }
    } finally {
      this.#isRunning = false;
    }
    return true;
  }

  /** Begins anew, as for another operator. */
  restart() {
    this.#past_at_ms = -Infinity;
    this.#hasFilter = false;
  }

  /** Resolves with the points, null if there cannot be a new one yet. @param {number} now_ms */
  async past(now_ms) {
    if (now_ms - this.#past_at_ms < this.#past_every_ms) return null;
    const past = /** @type {Past} */ (await this.#send("GET", "past"));
    this.#past_at_ms = now_ms;
    this.#past_every_ms = Math.max(this.#every_ms, past.point_ms);
    return past.points;
  }

  /** Resolves with the filter of the log, null if it has been there already. After a failure the next look asks again. */
  async filter() {
    if (this.#hasFilter) return null;
    const { filter } = /** @type {{ filter: string }} */ (await this.#send("GET", "log"));
    this.#hasFilter = true;
    return filter;
  }
}
