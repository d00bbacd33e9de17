// @ts-check
// The goals of the project and whether the results meet them. Measures nothing.
import { find } from "./medians.mjs";

const KIB = 1024;
const MIB = 1024 * KIB;

/** @typedef {import("./medians.mjs").FigureName} FigureName */
/** @typedef {import("./medians.mjs").Row} Row */
/** @typedef {{ workload: string, bar: string, judge: (table: Row[]) => { met: boolean, said: string } | null }} Bar */

const times = (/** @type {number} */ value) => `${value.toFixed(2)} times`;
const ms = (/** @type {number} */ micros) => `${(micros / 1000).toFixed(2)} ms`;

/**
 * A bar on the ratio of one figure of two rows.
 * @type {(workload: string, ours: string, theirs: string, figure: FigureName, most: number, what: string, format: (value: number) => string) => Bar}
 */
const ratio = (workload, ours, theirs, figure, most, what, format) => ({
  workload,
  bar: what,
  judge(table) {
    const [a, b] = [find(table, workload, ours)?.figures[figure], find(table, workload, theirs)?.figures[figure]];
    if (!a || !b) return null;
    return { met: a / b <= most, said: `${times(a / b)} (${format(a)} against ${format(b)})` };
  },
});

const micros = (/** @type {number} */ value) => `${value.toFixed(2)} µs`;

/**
 * A bar on one figure.
 * @type {(workload: string, label: string, figure: FigureName, limit: number, what: string, format: (value: number) => string) => Bar}
 */
const most = (workload, label, figure, limit, what, format) => ({
  workload,
  bar: what,
  judge(table) {
    const value = find(table, workload, label)?.figures[figure];
    return value === null || value === undefined ? null : { met: value <= limit, said: format(value) };
  },
});

const HOT = "tickcast, coalesce_ms=10";
const NO_WINDOW = "tickcast, coalesce_ms=0";
const [QUIET, STALLED] = ["tickcast, nobody stalled", "tickcast, 100 stalled"];

/** @type {Bar[]} */
const bars = [
  ...[["tickcast", "default config"], [HOT, "as many writes as the other servers"]].flatMap(([label, how]) => [
    ratio("hot", label, "floor", "cpuMicros", 1.15, `${how}: CPU per delivery at most 1.15 times the floor`, micros),
    ratio("hot", label, "uwebsockets", "cpuMicros", 1, `${how}: CPU per delivery below uWebSockets`, micros),
    ratio("hot", label, "bun", "cpuMicros", 1, `${how}: CPU per delivery below Bun`, micros),
  ]),
  ratio("watchlist", "tickcast", "uwebsockets", "cpuMicros", 0.55, "default config: at most 0.55 times uWebSockets' CPU per delivery", micros),
  most("watchlist", "tickcast", "p99", 45_000, "default config: p99 latency at most 45 ms", ms),
  ratio("watchlist", "tickcast", "floor, 20 ms window", "cpuMicros", 1.35, "default config: CPU at most 1.35 times the floor with the same window", micros),
  ratio("watchlist", NO_WINDOW, "uwebsockets", "cpuMicros", 1.15, "coalesce_ms=0: CPU at most 1.15 times uWebSockets", micros),
  most("sparse", "tickcast", "p50", 2_000, "default config: median latency under 2 ms", ms),
  ratio("sparse", "tickcast", "uwebsockets", "cpuMicros", 1.1, "default config: CPU per delivery at most 1.1 times uWebSockets", micros),
  ratio("one-symbol", "tickcast", "floor", "p99", 1.3, "p99 latency at most 1.3 times the floor's", ms),
  ratio("one-symbol", "tickcast", "uwebsockets", "p99", 1, "p99 latency below uWebSockets'", ms),
  most("idle", "tickcast", "residentPerSession", 11 * KIB, "at most 11 KiB resident per session", (value) => `${(value / KIB).toFixed(1)} KiB`),
  ratio("storm", "tickcast, storm", "tickcast, calm", "p99", 1.5, "the p99 of the connected clients rises by less than half", ms),
  most("storm", "tickcast, storm", "newcomerMost", 100, "every new client is connected in under 100 ms", (value) => `${value.toFixed(0)} ms at most`),
  {
    workload: "stalled",
    bar: "under 20 MB more resident memory",
    judge(table) {
      const [a, b] = [find(table, "stalled", STALLED)?.figures, find(table, "stalled", QUIET)?.figures];
      if (!a || !b) return null;
      const more = ((a.residentGrowth ?? 0) - (b.residentGrowth ?? 0)) / MIB;
      return { met: more < 20, said: `${more.toFixed(1)} MiB more, and ${(((a.tcpGrowth ?? 0) - (b.tcpGrowth ?? 0)) / MIB).toFixed(1)} MiB in the kernel` };
    },
  },
  {
    workload: "stalled",
    bar: "all closed in time",
    judge(table) {
      const ended = find(table, "stalled", STALLED)?.figures.stalledEnded;
      return ended === null || ended === undefined ? null : { met: ended >= 100, said: `${ended} of 100 closed within the measurement` };
    },
  },
  {
    workload: "stalled",
    bar: "the p99 of 500 healthy clients changes by less than 10 %",
    judge(table) {
      const [a, b] = [find(table, "stalled", STALLED)?.figures.p99, find(table, "stalled", QUIET)?.figures.p99];
      return a && b ? { met: a / b < 1.1, said: `${(100 * (a / b - 1)).toFixed(1)} % (${ms(b)} to ${ms(a)})` } : null;
    },
  },
];

/** Returns the verdict on every bar that these results can judge. @param {Row[]} table */
export const verdicts = (table) => bars.flatMap(({ workload, bar, judge }) => {
  const verdict = judge(table);
  return verdict ? [{ workload, bar, ...verdict }] : [];
});
