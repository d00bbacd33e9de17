// @ts-check
/**
 * The figures of one transport, and their format.
 *
 * Owns: the units. Does not own: the table (`table.js`).
 */

/** @typedef {import("./costs.js").Cost} Cost */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/**
 * @typedef {object} Figures null: unknown
 * @property {number} events @property {number} missed @property {number} merged @property {number} repeated
 * @property {number} reconnected
 * @property {number | null} requests @property {number | null} connections
 * @property {number | null} up @property {number | null} down
 * @property {number | null} payload @property {number | null} framing @property {number | null} headers @property {number | null} tls
 * @property {number | null} bytes_per_event
 * @property {number | null} p50 microseconds @property {number | null} p99
 * @property {number | null} staleness microseconds
 * @property {number | null} cpu microseconds of the server for 1,000 events
 */

/**
 * Returns the figures of one transport.
 * @param {import("./statistics.js").Tally} tally
 * @param {Cost | undefined} cost
 * @param {number} at now, by the server's clock
 * @returns {Figures}
 */
export function figuresOf(tally, cost, at) {
  const { events, missed, merged, repeated, reconnected, latencies } = tally;
  const both = (/** @type {"payload" | "framing" | "headers" | "tls"} */ part) => (cost ? cost.bytes_up[part] + cost.bytes_down[part] : null);
  const perEvent = (/** @type {number} */ sum) => (cost && cost.events > 0 ? sum / cost.events : null);
  return {
    events, missed, merged, repeated, reconnected,
    requests: cost?.requests ?? null,
    connections: cost?.connections ?? null,
    up: cost?.bytes_up.wire ?? null,
    down: cost?.bytes_down.wire ?? null,
    payload: both("payload"), framing: both("framing"), headers: both("headers"), tls: both("tls"),
    bytes_per_event: cost ? perEvent(cost.bytes_up.wire + cost.bytes_down.wire) : null,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    staleness: tally.staleness.meanAt(at),
    cpu: cost ? perEvent(cost.cpu_us * 1_000) : null,
  };
}

/** Writes a count. @param {number | null} count */
export function writeCount(count) {
  return count === null ? "–" : whole.format(count);
}

/** Writes a number of bytes: in full below ten thousand, else with at least three digits. @param {number | null} bytes */
export function writeBytes(bytes) {
  if (bytes === null) return "–";
  if (bytes < 10_000) return `${whole.format(bytes)} B`;
  if (bytes < 999_950) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(bytes < 9_995_000 ? 2 : 1)} MB`;
}

/**
 * Writes a span of time with three significant digits.
 * @param {number | null} us
 * @param {number} [error_us] its error: a smaller span is written as less than it
 * @returns {string}
 */
export function writeSpan(us, error_us = 0) {
  if (us === null) return "–";
  if (us < error_us) return `<${writeSpan(error_us)}`;
  if (us < 9_995) return `${(us / 1_000).toFixed(us < 99.5 ? 3 : 2)} ms`;
  if (us < 999_500) return `${(us / 1_000).toFixed(us < 99_950 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}

/** Writes a ratio. @param {number} ratio */
export function writeRatio(ratio) {
  return `${ratio < 10 ? ratio.toFixed(1) : whole.format(ratio)}×`;
}
