// @ts-check
/**
 * A histogram of latencies with buckets that grow by a constant factor (DDSketch, Masson et al. 2019): any number of values in fixed
 * memory, and percentiles with an error of one percent.
 *
 * No library replaces these lines: those on npm, such as hdr-histogram-js, are CommonJS or a script of 46 kB (gzip) without an ES module,
 * and this page has no bundler.
 */

/** The relative error of a percentile. */
export const ERROR_MAX = 0.01;
const GROWTH = (1 + ERROR_MAX) / (1 - ERROR_MAX);
const LOG_GROWTH = Math.log(GROWTH);
/** Greater values are counted as this, in microseconds: almost three hours. */
const VALUE_MAX = 1e10;
const LAST = Math.ceil(Math.log(VALUE_MAX) / LOG_GROWTH);

export class Histogram {
  #counts = new Uint32Array(LAST + 1);
  /** The number of values. */
  count = 0;

  /** Adds a value. Values up to one microsecond, and negative ones, are counted as zero. @param {number} us */
  add(us) {
    const index = us <= 1 ? 0 : Math.min(Math.ceil(Math.log(us) / LOG_GROWTH), LAST);
    this.#counts[index] += 1;
    this.count += 1;
  }

  /**
   * Returns the percentile by the nearest-rank method, or null without values.
   * @param {number} share above 0, at most 1
   */
  percentile(share) {
    let left = Math.ceil(share * this.count);
    if (left === 0) return null;
    let index = 0;
    for (left -= this.#counts[0]; left > 0; left -= this.#counts[index]) index += 1;
    // The middle of the bucket, in relative terms.
    return index === 0 ? 0 : (2 * GROWTH ** index) / (GROWTH + 1);
  }

  /** Removes all values. */
  clear() {
    this.#counts.fill(0);
    this.count = 0;
  }
}
