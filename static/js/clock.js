// @ts-check
/**
 * Estimates the offset of the server's clock from this machine's, as NTP does: of the last few pings, the one with the shortest
 * round trip counts. Half that round trip, plus one step of the browser's clock, bounds the error.
 *
 * Owns: the estimate. Does not own: sending pings (`link.js`) or the display of the latency (`statusbar.js`).
 * All times are microseconds.
 */

const SAMPLES_MAX = 8;
/** Drift of two clocks per microsecond: 50 ppm, that of a cheap quartz. */
const DRIFT = 50e-6;
/** The number of steps of the clock that are watched to learn their length. */
const STEPS = 4;

/** @typedef {{ offset_us: number, error_us: number }} Estimate */

/** Returns the present time of this machine. */
export function nowMicros() {
  return (performance.timeOrigin + performance.now()) * 1_000;
}

/**
 * Returns the resolution of a clock. Browsers coarsen it on purpose, to 0.1 ms or more.
 * @param {() => number} now milliseconds
 */
export function timerResolution(now = () => performance.now()) {
  let finest_ms = Infinity;
  for (let steps = 0, last = now(); steps < STEPS;) {
    const at = now();
    if (at <= last) continue;
    finest_ms = Math.min(finest_ms, at - last);
    last = at;
    steps += 1;
  }
  return finest_ms * 1_000;
}

export class OffsetEstimator {
  /** @type {(Estimate & { at_us: number })[]} */
  #samples = [];
  #resolution_us;

  /** @param {number} [resolution_us] how long a step of this clock is */
  constructor(resolution_us = 0) {
    this.#resolution_us = resolution_us;
  }

  /**
   * Adds one ping and its pong. A pair that ends before it began, because a clock was set back, is ignored.
   * @param {number} sent_us when the ping left, by this clock
   * @param {number} server_us when the server answered, by its clock
   * @param {number} received_us when the pong came, by this clock
   */
  add(sent_us, server_us, received_us) {
    const roundTrip = received_us - sent_us;
    if (!(roundTrip >= 0)) return;
    this.#samples.push({
      offset_us: server_us - (sent_us + received_us) / 2,
      error_us: roundTrip / 2 + this.#resolution_us,
      at_us: received_us,
    });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** Forgets all exchanges. Call it when another server may answer. */
  clear() {
    this.#samples = [];
  }

  /** Returns the shortest round trip of the last exchanges, or null before the first one. */
  get roundTrip_us() {
    const trips = this.#samples.map((sample) => 2 * (sample.error_us - this.#resolution_us));
    return trips.length > 0 ? Math.min(...trips) : null;
  }

  /** Returns the estimate with the least error, or null before the first exchange. @returns {Estimate | null} */
  get best() {
    return this.at(-Infinity);
  }

  /**
   * Returns the estimate with the least error at a moment. Errors grow with the age of the exchange, because clocks drift.
   * @param {number} now_us by this clock
   * @returns {Estimate | null}
   */
  at(now_us) {
    /** @type {Estimate | null} */
    let best = null;
    for (const { offset_us, error_us, at_us } of this.#samples) {
      const grown_us = error_us + DRIFT * Math.max(0, now_us - at_us);
      if (best === null || grown_us < best.error_us) best = { offset_us, error_us: grown_us };
    }
    return best;
  }
}

/**
 * Writes a latency, as "less than" if it is smaller than the error of the clock offset.
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
