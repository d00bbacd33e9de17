// @ts-check
// The figures of each run, and their medians over the rounds.

/**
 * The fields of the report of `tickcast-load --json` that are used here.
 * @typedef {object} Report
 * @property {{ cpu_us_per_event: number | null, cpu_system_us_per_event: number | null, cpu_user_us_per_event: number | null, cpu_fraction: number,
 *   rss_per_session_bytes: number, rss_peak_bytes: number, rss_before_bytes: number, tcp_peak_bytes: number, tcp_before_bytes: number } | null} server
 * @property {{ events_per_s: number, events_per_read: number | null, events: number, bytes: number }} window
 * @property {{ p50: number, p99: number, p99_9: number, max: number } | null} latency_us
 * @property {{ stalled_ended: number }} sessions
 * @property {{ cpu_us_per_event: number | null, cpu_fraction: number }} generator
 * @property {{ missing: number }} completeness
 * @property {string[]} failures
 */
/** @typedef {{ report: Report, env: Record<string, string>, load: string[], foreign: number, waits: (number | null)[] | null }} Success */
/** @typedef {Success | { error: string }} Measured */
/** @typedef {Measured & { round: number, workload: string, label: string, commit: string }} Run */
/** @typedef {Report & { foreign: number, waits: (number | null)[] | null }} Source of the figures of a run */
/** @typedef {number | null | undefined} Figure */
/** @typedef {keyof typeof FIGURES} FigureName */
/**
 * @typedef {{ workload: string, label: string, runs: number, failures: string[], figures: Record<FigureName, number | null>,
 *   each: Record<FigureName, Figure[]> }} Row
 */

/** @param {readonly Figure[]} values */
export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

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
  newcomer: (/** @type {Source} */ { waits }) => median(waits ?? []),
  newcomerMost: (/** @type {Source} */ { waits }) => (waits ? Math.max(...waits.map((wait) => wait ?? Infinity)) : null),
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
    else row.reports.push({ ...run.report, foreign: run.foreign, waits: run.waits });
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
      figures: /** @type {Row["figures"]} */ (Object.fromEntries(all.map(([name, values]) => [name, median(values)]))),
      each: /** @type {Row["each"]} */ (Object.fromEntries(all)),
    };
  });
}

/** Returns a row of the table, or undefined. @param {Row[]} table @param {string} workload @param {string} label */
export const find = (table, workload, label) => table.find((row) => row.workload === workload && row.label === label);
