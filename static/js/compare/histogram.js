// @ts-check
/**
 * A histogram of latencies whose buckets grow by a constant factor: any number of values in a fixed space, and every
 * percentile known to one percent (as DDSketch does it, Masson et al. 2019).
 *
 * Owns: the counts. Does not own: what is measured.
 */

/** A percentile is wrong by so large a share of itself at the most. */
export const ERROR_MAX = 0.01;
const GROWTH = (1 + ERROR_MAX) / (1 - ERROR_MAX);
const LOG_GROWTH = Math.log(GROWTH);
/** Values above are counted as this, in microseconds: almost three hours. */
const VALUE_MAX = 1e10;
const LAST = Math.ceil(Math.log(VALUE_MAX) / LOG_GROWTH);

export class Histogram {
  #counts = new Uint32Array(LAST + 1);
  /** How many values there are. */
  count = 0;

  /** Takes a value in. Those up to one microsecond, negative ones too, count as nothing. @param {number} us */
  add(us) {
    const index = us <= 1 ? 0 : Math.min(Math.ceil(Math.log(us) / LOG_GROWTH), LAST);
    this.#counts[index] += 1;
    this.count += 1;
  }

  /**
   * Returns the smallest value that so large a share of the values does not exceed (nearest rank); null without values.
   * @param {number} share above 0, at most 1
   */
  percentile(share) {
    let left = Math.ceil(share * this.count);
    if (left === 0) return null;
    let index = 0;
    for (left -= this.#counts[0]; left > 0; left -= this.#counts[index]) index += 1;
    // As far from the lower end of the bucket as from the upper one, measured by the value itself.
    return index === 0 ? 0 : (2 * GROWTH ** index) / (GROWTH + 1);
  }

  /** Forgets all values. */
  clear() {
    this.#counts.fill(0);
    this.count = 0;
  }
}
