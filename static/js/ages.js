// @ts-check
/**
 * Judges whether a row is older than it should be: each symbol has its own pace, so that silence means something else for each.
 *
 * Owns: the time of the last event of each symbol and the usual time between two. Does not own: the mark (`watchlist.js`). Pure: the
 * caller passes the time.
 */

/** A symbol is old after this many times its usual silence: by chance, that happens once in 160,000 events. */
const USUAL_TIMES = 12;
/** However lively a symbol is, a shorter silence is no news to a reader. */
const SILENT_MS_MIN = 10_000;
/** Without a connection a row is old after this time: a shorter pause is over before it is read. */
const LOST_MS = 1_000;
/** The usual silence of a symbol that nothing is known of. */
const FIRST_MS = 5_000;
/** The weight of a new silence in the mean. */
const WEIGHT = 0.1;

/** @typedef {{ heard_ms: number, mean_ms: number }} Age */

export class Ages {
  /** @type {Map<string, Age>} */
  #ages = new Map();
  #isStill = false;

  /**
   * Notes that the market stands still, as a replay that is paused, or that it goes on: that silence is no pause of any symbol.
   * @param {boolean} isStill @param {number} now_ms
   */
  setStill(isStill, now_ms) {
    if (this.#isStill && !isStill) for (const age of this.#ages.values()) age.heard_ms = Math.max(age.heard_ms, now_ms);
    this.#isStill = isStill;
  }

  /** Notes an event of a symbol. @param {string} symbol @param {number} now_ms */
  hear(symbol, now_ms) {
    const age = this.#ages.get(symbol);
    if (!age) this.#ages.set(symbol, { heard_ms: now_ms, mean_ms: FIRST_MS });
    else {
      age.mean_ms += WEIGHT * (now_ms - age.heard_ms - age.mean_ms);
      age.heard_ms = now_ms;
    }
  }

  /** Notes that a symbol is sent from now on: the silence before is no pause of its own. @param {string} symbol @param {number} now_ms */
  begin(symbol, now_ms) {
    const age = this.#ages.get(symbol);
    if (age) age.heard_ms = now_ms;
    else this.#ages.set(symbol, { heard_ms: now_ms, mean_ms: FIRST_MS });
  }

  /** Forgets a symbol that is not sent any more, so that its age is not judged; its pace is kept. @param {string} symbol */
  end(symbol) {
    const age = this.#ages.get(symbol);
    if (age) age.heard_ms = Infinity;
  }

  /**
   * Returns how long a symbol has been silent, in milliseconds, if that is longer than usual; else null.
   * @param {string} symbol @param {number} now_ms @param {boolean} [isLost] whether there is no connection
   */
  silence(symbol, now_ms, isLost = false) {
    const age = this.#ages.get(symbol);
    if (!age) return null;
    const silent_ms = now_ms - age.heard_ms;
    // Nothing comes of any symbol, which is reason enough.
    if (isLost) return silent_ms >= LOST_MS ? silent_ms : null;
    if (this.#isStill) return null;
    return silent_ms > Math.max(SILENT_MS_MIN, USUAL_TIMES * age.mean_ms) ? silent_ms : null;
  }
}
