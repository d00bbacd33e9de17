// @ts-check
/**
 * Measures the stream: events a second over the last three seconds, and the median of the newest latencies.
 *
 * Owns: two bounded windows. Does not own: the format of the figures (`statusbar.js`). Pure: the caller passes the time.
 */

const BUCKET_MS = 100;
const BUCKETS = 30;
const LATENCIES_MAX = 512;

export class RateMeter {
  #counts = new Uint32Array(BUCKETS);
  #bucket = -1;
  #first = -1;

  /**
   * @param {number} count
   * @param {number} now_ms
   */
  add(count, now_ms) {
    this.#advance(now_ms);
    if (this.#first < 0) this.#first = this.#bucket;
    this.#counts[this.#bucket % BUCKETS] += count;
  }

  /**
   * Returns events a second, without the bucket that is still filling.
   * @param {number} now_ms
   */
  rate(now_ms) {
    if (this.#first < 0) return 0;
    this.#advance(now_ms);
    const whole = Math.min(this.#bucket - this.#first, BUCKETS - 1);
    if (whole <= 0) return 0;
    let sum = 0;
    for (let back = 1; back <= whole; back += 1) sum += this.#counts[(this.#bucket - back) % BUCKETS];
    return (sum * 1_000) / (whole * BUCKET_MS);
  }

  /** @param {number} now_ms */
  #advance(now_ms) {
    const bucket = Math.floor(now_ms / BUCKET_MS);
    if (this.#bucket < 0 || bucket - this.#bucket >= BUCKETS) this.#counts.fill(0);
    else for (let empty = this.#bucket + 1; empty <= bucket; empty += 1) this.#counts[empty % BUCKETS] = 0;
    this.#bucket = Math.max(this.#bucket, bucket);
  }
}

export class MedianMeter {
  #ring = new Float64Array(LATENCIES_MAX);
  #next = 0;
  #length = 0;

  /** @param {number} value */
  add(value) {
    this.#ring[this.#next] = value;
    this.#next = (this.#next + 1) % LATENCIES_MAX;
    this.#length = Math.min(this.#length + 1, LATENCIES_MAX);
  }

  clear() {
    this.#next = 0;
    this.#length = 0;
  }

  /** Returns the median, or null when nothing was measured. */
  get median() {
    if (this.#length === 0) return null;
    return this.#ring.slice(0, this.#length).sort()[Math.floor((this.#length - 1) / 2)];
  }
}
