// @ts-check
// The figures of each run, and their medians over the rounds.

/**
 * The fields of the report of `tickcast-load --json` that are used here.
 * @typedef {object} Report
 * @property {{ cpu_us_per_event: number | null, cpu_system_us_per_event: number | null, cpu_user_us_per_event: number | null, cpu_fraction: number,
 *   rss_per_session_bytes: number, rss_peak_bytes: number, rss_before_bytes: number, tcp_peak_bytes: number, tcp_before_bytes: number } | null} server
 * @property {{ events_per_s: number, events_per_read: number | null, events: number, bytes: number }} window
 * @property {{ p50: number, p99: number, p99_9: number, max: number } | null} latency_us
 * @property {{ active: number, idle: number, dropped: number, stalled_ended: number }} sessions
 * @property {{ cpu_us_per_event: number | null, cpu_fraction: number }} generator
 * @property {{ missing: number }} completeness
 * @property {string[]} failures
 */
/** @typedef {(import("./knock.mjs").Wait | null)[] | null} Waits of the clients that connect in a storm; null for one that was not connected */
/** @typedef {{ factor: number, stop: string, steps: { factor: number, fault: string | null }[] }} Capacity the end of a search, and why a higher rate failed */
/** @typedef {{ report: Report, env: Record<string, string>, load: string[], foreign: number, waits: Waits, capacity?: Capacity }} Success */
/** @typedef {Success | { error: string }} Measured */
/** @typedef {import("./pace.mjs").Found & { eventsPerSecond: number, sessions: number }} Pace the rate that has been set for the machine */
/** @typedef {Measured & { round: number, workload: string, label: string, commit: string, pace: Pace | null }} Run */
/** @typedef {Report & { foreign: number, waits: Waits, capacity?: Capacity }} Source of the figures of a run */
/** @typedef {number | null | undefined} Figure */
/** @typedef {keyof typeof FIGURES} FigureName */
/**
 * @typedef {{ workload: string, label: string, runs: number, failures: string[], stops: string[], figures: Record<FigureName, number | null>,
 *   each: Record<FigureName, Figure[]> }} Row
 */

/** @param {readonly Figure[]} values */
export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Why the search for a capacity ended when no rate had failed. */
export const UNFINISHED = "the search ended";

/** A new client that was not connected counts as one that waited so long, in milliseconds. */
const NOT_CONNECTED_MS = 10_000;

/** Returns how long the server made new clients wait: without the time for which their own process waited for the CPU. @param {Waits} waits */
const waited = (waits) => (waits ?? []).map((wait) => (wait ? Math.max(0, wait.ms - wait.own) : NOT_CONNECTED_MS));
/** Returns the longest of these times. @param {number[]} times */
const longest = (times) => (times.length > 0 ? Math.max(...times) : null);

/** The figures of one run. */
const FIGURES = {
  cpuMicros: (/** @type {Source} */ { server }) => server?.cpu_us_per_event,
  systemMicros: (/** @type {Source} */ { server }) => server?.cpu_system_us_per_event,
  userMicros: (/** @type {Source} */ { server }) => server?.cpu_user_us_per_event,
  serverCpu: (/** @type {Source} */ { server }) => server?.cpu_fraction,
  eventsPerSecond: (/** @type {Source} */ { window }) => window.events_per_s,
  eventsPerRead: (/** @type {Source} */ { window }) => window.events_per_read,
  bytesPerEvent: (/** @type {Source} */ { window }) => (window.events > 0 ? window.bytes / window.events : null),
  p50: (/** @type {Source} */ { latency_us }) => latency_us?.p50,
  p99: (/** @type {Source} */ { latency_us }) => latency_us?.p99,
  p999: (/** @type {Source} */ { latency_us }) => latency_us?.p99_9,
  residentPerSession: (/** @type {Source} */ { server }) => server?.rss_per_session_bytes,
  residentGrowth: (/** @type {Source} */ { server }) => server && server.rss_peak_bytes - server.rss_before_bytes,
  tcpGrowth: (/** @type {Source} */ { server }) => server && server.tcp_peak_bytes - server.tcp_before_bytes,
  stalledEnded: (/** @type {Source} */ { sessions }) => sessions.stalled_ended,
  loadMicros: (/** @type {Source} */ { generator }) => generator.cpu_us_per_event,
  loadCpu: (/** @type {Source} */ { generator }) => generator.cpu_fraction,
  foreign: (/** @type {Source} */ { foreign }) => foreign,
  newcomer: (/** @type {Source} */ { waits }) => median(waited(waits)),
  newcomerMost: (/** @type {Source} */ { waits }) => longest(waited(waits)),
  newcomerOwn: (/** @type {Source} */ { waits }) => longest((waits ?? []).map((wait) => wait?.own ?? 0)),
  sessions: (/** @type {Source} */ { sessions }) => sessions.active + sessions.idle,
  dropped: (/** @type {Source} */ { sessions }) => sessions.dropped,
  capacity: (/** @type {Source} */ { capacity, window }) => (capacity ? window.events_per_s : null),
  missing: (/** @type {Source} */ { completeness }) => completeness.missing,
};

/** Returns the rows of the table, in the order of the runs. @param {Run[]} runs @returns {Row[]} */
export function medians(runs) {
  /** @type {Map<string, { workload: string, label: string, reports: Source[], errors: string[] }>} */
  const rows = new Map();
  for (const run of runs) {
    const key = `${run.workload}\n${run.label}`;
    const row = rows.get(key) ?? { workload: run.workload, label: run.label, reports: [], errors: [] };
    rows.set(key, row);
    if ("error" in run) row.errors.push(run.error);
    else row.reports.push({ ...run.report, foreign: run.foreign, waits: run.waits, capacity: run.capacity });
  }
  return [...rows.values()].map(({ workload, label, reports, errors }) => {
    const all = /** @type {[FigureName, (source: Source) => Figure][]} */ (Object.entries(FIGURES))
      .map(([name, figure]) => /** @type {const} */ ([name, reports.map(figure)]));
    const failures = [...new Set([...errors, ...reports.flatMap((report) => report.failures)])];
    return {
      workload,
      label,
      runs: reports.length,
      failures,
      stops: [...new Set(reports.flatMap(({ capacity }) => capacity?.stop ?? []))],
      figures: /** @type {Row["figures"]} */ (Object.fromEntries(all.map(([name, values]) => [name, median(values)]))),
      each: /** @type {Row["each"]} */ (Object.fromEntries(all)),
    };
  });
}

/** Returns a row of the table, or undefined. @param {Row[]} table @param {string} workload @param {string} label */
export const find = (table, workload, label) => table.find((row) => row.workload === workload && row.label === label);

/** Above this share of its core a server joins writes in its queues, and a ratio says nothing about the cost of a delivery. */
export const BUSY = 0.85;

/** Returns whether a row decides no bar because the server's core was full; a capacity is measured with a full core. @param {Row} row */
export const isFull = ({ workload, figures }) => workload !== "capacity" && (figures.serverCpu ?? 0) > BUSY;
