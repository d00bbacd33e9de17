// @ts-check
/**
 * Estimates how far the server's clock is ahead of this one, the way NTP does: of the last few exchanges, the one with
 * the shortest round trip is believed, and half that round trip bounds its error.
 *
 * Owns: the estimate. Does not own: sending pings (`feed.js`) or what the latency looks like (`statusbar.js`).
 * All times are microseconds.
 */

const SAMPLES_MAX = 8;

/** @typedef {{ offset_us: number, error_us: number }} Estimate */

/** Returns the present time of this machine. */
export function nowMicros() {
  return (performance.timeOrigin + performance.now()) * 1_000;
}

export class OffsetEstimator {
  /** @type {Estimate[]} */
  #samples = [];

  /**
   * Takes in one exchange. One that ends before it began, as after a clock was set back, is dropped.
   * @param {number} sent_us when the ping left, by this clock
   * @param {number} server_us when the server answered, by its clock
   * @param {number} received_us when the pong came, by this clock
   */
  add(sent_us, server_us, received_us) {
    const roundTrip = received_us - sent_us;
    if (!(roundTrip >= 0)) return;
    this.#samples.push({ offset_us: server_us - (sent_us + received_us) / 2, error_us: roundTrip / 2 });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** Forgets everything, as when another server may answer. */
  clear() {
    this.#samples = [];
  }

  /** Returns the most trustworthy estimate, or null before the first exchange. @returns {Estimate | null} */
  get best() {
    return this.#samples.reduce(
      (/** @type {Estimate | null} */ best, sample) => (best && best.error_us <= sample.error_us ? best : sample),
      null,
    );
  }
}

/**
 * Says a latency as exactly as it is known: never a figure smaller than the error of the clock offset.
 * @param {number | null} latency_us
 * @param {Estimate | null} estimate
 */
export function describeLatency(latency_us, estimate) {
  if (latency_us === null || estimate === null) return "–";
  const floor_us = Math.max(1_000, estimate.error_us);
  if (latency_us < floor_us) return `<${Math.ceil(floor_us / 1_000)} ms`;
  const latency_ms = latency_us / 1_000;
  return `${latency_ms < 10 ? latency_ms.toFixed(1) : Math.round(latency_ms).toLocaleString("en-US")} ms`;
}
