// @ts-check
// The figures of each run, and their medians over the rounds.

export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined && Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The figures that are shown, of one report of the load generator. */
const FIGURES = {
  cpuMicros: ({ server }) => server?.cpu_us_per_event,
  systemMicros: ({ server }) => server?.cpu_system_us_per_event,
  userMicros: ({ server }) => server?.cpu_user_us_per_event,
  serverCpu: ({ server }) => server?.cpu_fraction,
  eventsPerSecond: ({ window }) => window.events_per_s,
  eventsPerRead: ({ window }) => window.events_per_read,
  bytesPerEvent: ({ window }) => (window.events > 0 ? window.bytes / window.events : null),
  p50: ({ latency_us }) => latency_us?.p50,
  p99: ({ latency_us }) => latency_us?.p99,
  p999: ({ latency_us }) => latency_us?.p99_9,
  residentPerSession: ({ server }) => server?.rss_per_session_bytes,
  residentGrowth: ({ server }) => server && server.rss_peak_bytes - server.rss_before_bytes,
  tcpGrowth: ({ server }) => server && server.tcp_peak_bytes - server.tcp_before_bytes,
  stalledEnded: ({ sessions }) => sessions.stalled_ended,
  loadMicros: ({ generator }) => generator.cpu_us_per_event,
  loadCpu: ({ generator }) => generator.cpu_fraction,
  foreign: ({ foreign }) => foreign,
  newcomer: ({ waits }) => median(waits ?? []),
  newcomerMost: ({ waits }) => (waits ? Math.max(...waits.map((wait) => wait ?? Infinity)) : null),
  missing: ({ completeness }) => completeness.missing,
};

/** Returns rows `{ workload, label, runs, failures, figures, spread }` in the order of the runs. */
export function medians(runs) {
  const rows = new Map();
  for (const run of runs) {
    const key = `${run.workload}\n${run.label}`;
    if (!rows.has(key)) rows.set(key, { workload: run.workload, label: run.label, reports: [], errors: [] });
    const row = rows.get(key);
    if (run.error) row.errors.push(run.error);
    else row.reports.push({ ...run.report, foreign: run.foreign, waits: run.waits });
  }
  return [...rows.values()].map(({ workload, label, reports, errors }) => {
    const all = Object.entries(FIGURES).map(([name, figure]) => [name, reports.map(figure)]);
    const failures = [...new Set([...errors, ...reports.flatMap((report) => report.failures)])];
    return {
      workload,
      label,
      runs: reports.length,
      failures,
      figures: Object.fromEntries(all.map(([name, values]) => [name, median(values)])),
      each: Object.fromEntries(all),
    };
  });
}

/** Returns a row of the table, or undefined. */
export const find = (table, workload, label) => table.find((row) => row.workload === workload && row.label === label);
