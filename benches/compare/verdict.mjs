// @ts-check
// The goals of the project and whether the results meet them. Measures nothing.
import { UNFINISHED, find, isFull } from "./medians.mjs";
import { GROWTH_MOST } from "./workloads.mjs";

const KIB = 1024;
const MIB = 1024 * KIB;

/** @typedef {import("./medians.mjs").FigureName} FigureName */
/** @typedef {import("./medians.mjs").Row} Row */
/** @typedef {{ met: boolean | null, said: string }} Verdict null: these figures cannot decide it */
/** @typedef {{ workload: string, bar: string, judge: (table: Row[]) => Verdict | null }} Bar */

const times = (/** @type {number} */ value) => `${value.toFixed(2)} times`;
const ms = (/** @type {number} */ micros) => `${(micros / 1000).toFixed(2)} ms`;

/**
 * Returns a verdict on figures of these rows, none if the core of a server was full or a server dropped healthy sessions in any round.
 * @param {(Row | undefined)[]} rows @param {boolean} met @param {string} said @returns {Verdict}
 */
function verdict(rows, met, said) {
  const doubts = rows.filter((row) => row !== undefined).flatMap((row) => {
    const dropped = Math.max(0, ...row.each.dropped.map((count) => count ?? 0));
    return [
      ...(isFull(row) ? [`the core of ${row.label} was ${(100 * (row.figures.serverCpu ?? 0)).toFixed(0)} % busy`] : []),
      ...(dropped > 0 ? [`${row.label} dropped ${dropped} sessions`] : []),
    ];
  });
  return doubts.length > 0 ? { met: null, said: `${said}; ${doubts.join(", ")}` } : { met, said };
}

/**
 * A bar on the ratio of one figure of two rows.
 * @type {(workload: string, ours: string, theirs: string, figure: FigureName, most: number, what: string, format: (value: number) => string) => Bar}
 */
const ratio = (workload, ours, theirs, figure, most, what, format) => ({
  workload,
  bar: what,
  judge(table) {
    const rows = [find(table, workload, ours), find(table, workload, theirs)];
    const [a, b] = rows.map((row) => row?.figures[figure]);
    if (!a || !b) return null;
    return verdict(rows, a / b <= most, `${times(a / b)} (${format(a)} against ${format(b)})`);
  },
});

const micros = (/** @type {number} */ value) => `${value.toFixed(2)} µs`;
const bytes = (/** @type {number} */ value) => `${value.toFixed(0)} bytes`;

/**
 * A bar on one figure.
 * @type {(workload: string, label: string, figure: FigureName, limit: number, what: string, format: (value: number) => string) => Bar}
 */
const most = (workload, label, figure, limit, what, format) => ({
  workload,
  bar: what,
  judge(table) {
    const row = find(table, workload, label);
    const value = row?.figures[figure];
    return value === null || value === undefined ? null : verdict([row], value <= limit, format(value));
  },
});

/** A bar on the capacity of tickcast, in times that of another server. @type {(theirs: string, name: string, least: number) => Bar} */
const capacity = (theirs, name, least) => ({
  workload: "capacity",
  bar: `at least ${least} times ${name}`,
  judge(table) {
    const [ours, other] = [find(table, "capacity", "tickcast"), find(table, "capacity", theirs)];
    const [a, b] = [ours?.figures.capacity, other?.figures.capacity];
    if (!a || !b) return null;
    const [met, limited] = [a / b >= least, (/** @type {Row | undefined} */ row) => row?.stops.some((stop) => stop === "load" || stop === UNFINISHED)];
    const said = `${times(a / b)} (${Math.round(a).toLocaleString("en-US")} deliveries/s against ${Math.round(b).toLocaleString("en-US")})`;
    // Such a capacity is at least as high as measured.
    if (limited(other) || (!met && limited(ours))) return { met: null, said: `${said}; not all of them are the server's limit` };
    return { met, said };
  },
});

/** Returns the rows of one server in the workload growth. @param {Row[]} table @param {string} server with its setting */
const grown = (table, server) => table.filter(({ workload, label }) => workload === "growth" && label.replace(/, [^ ]+ sessions$/, "") === server);

/** Returns the rows of one server with 1,000 and with the most sessions. @param {Row[]} table @param {string} server */
function ends(table, server) {
  const most = grown(table, server).reduce((/** @type {Row | undefined} */ a, b) => ((a?.figures.sessions ?? 0) > (b.figures.sessions ?? 0) ? a : b), undefined);
  const few = find(table, "growth", `${server}, 1,000 sessions`);
  const [a, b] = [most?.figures.cpuMicros, few?.figures.cpuMicros];
  return few && most && few !== most && a && b ? { few, most, a, b } : null;
}

/** @type {Bar} */
const growth = {
  workload: "growth",
  bar: `CPU for each delivery at ${GROWTH_MOST.toLocaleString("en-US")} sessions at most 1.25 times that at 1,000`,
  judge(table) {
    const [ours, floors] = [ends(table, "tickcast"), ends(table, "floor, 20 ms window")];
    if (!ours) return null;
    const { few, most, a, b } = ours;
    const beside = floors ? `; the floor: ${times(floors.a / floors.b)} (${micros(floors.a)} against ${micros(floors.b)})` : "";
    const said = `${times(a / b)} (${micros(a)} against ${micros(b)})${beside}`;
    const missing = GROWTH_MOST - (most.figures.sessions ?? 0);
    return missing > 0 ? { met: null, said: `${said}; measured with ${missing.toLocaleString("en-US")} sessions fewer` } : verdict([few, most], a / b <= 1.25, said);
  },
};

/** @type {Bar} */
const workers = {
  workload: "growth",
  bar: "two workers cost at most 1.1 times one",
  judge(table) {
    const pairs = grown(table, "tickcast, 2 workers").map((two) => [two, find(table, "growth", two.label.replace("2 workers, ", ""))]);
    const ratios = pairs.map(([two, one]) => (two?.figures.cpuMicros ?? NaN) / (one?.figures.cpuMicros ?? NaN)).filter(Number.isFinite);
    if (ratios.length === 0) return null;
    const said = pairs.map(([two, one]) => `${times((two?.figures.cpuMicros ?? NaN) / (one?.figures.cpuMicros ?? NaN))} at ${two?.label.split(", 2 workers, ")[1]}`);
    return verdict(pairs.flat(), Math.max(...ratios) <= 1.1, said.join(", "));
  },
};

const [JSON_TEXT, MESSAGE_PACK] = ["tickcast, Alpaca JSON", "tickcast, Alpaca MessagePack"];
const NO_WINDOW = "tickcast, coalesce_ms=0";
const [QUIET, STALLED] = ["tickcast, nobody stalled", "tickcast, 100 stalled"];

/** @type {Bar[]} */
const bars = [
  ratio("hot", NO_WINDOW, "floor", "cpuMicros", 1.1, "as many writes as the others: CPU per delivery at most 1.10 times the floor", micros),
  ratio("hot", NO_WINDOW, "uwebsockets", "cpuMicros", 1, "as many writes as the others: CPU per delivery below uWebSockets", micros),
  ratio("hot", NO_WINDOW, "bun", "cpuMicros", 1, "as many writes as the others: CPU per delivery below Bun", micros),
  ratio("watchlist", "tickcast", "floor, 20 ms window", "cpuMicros", 1.15, "default config: CPU at most 1.15 times the floor with the same window", micros),
  ratio("watchlist", "tickcast", "uwebsockets", "cpuMicros", 0.6, "default config: at most 0.60 times uWebSockets' CPU per delivery", micros),
  ratio("watchlist", MESSAGE_PACK, JSON_TEXT, "cpuMicros", 1.1, "Alpaca's dialect: CPU of MessagePack at most 1.1 times JSON", micros),
  ratio("watchlist", MESSAGE_PACK, JSON_TEXT, "bytesPerEvent", 0.75, "Alpaca's dialect: bytes of MessagePack at most 0.75 times JSON", bytes),
  ratio("watchlist-0", NO_WINDOW, "uwebsockets", "cpuMicros", 1.05, "coalesce_ms=0: CPU at most 1.05 times uWebSockets", micros),
  ratio("sparse", "tickcast", "uwebsockets", "cpuMicros", 1, "default config: CPU per delivery at most 1.0 times uWebSockets", micros),
  most("sparse", "tickcast", "p50", 2_000, "default config: median latency under 2 ms", ms),
  ratio("one-symbol", "tickcast", "floor", "p99", 1.15, "p99 latency at most 1.15 times the floor's", ms),
  ratio("one-symbol", "tickcast", "uwebsockets", "p99", 1, "p99 latency below uWebSockets'", ms),
  most("idle", "tickcast", "residentPerSession", 3 * KIB, "at most 3 KiB resident per session", (value) => `${(value / KIB).toFixed(1)} KiB`),
  capacity("uwebsockets", "uWebSockets", 1.5),
  capacity("bun", "Bun", 1.5),
  growth,
  workers,
  most("storm", "tickcast, storm", "newcomerMost", 100, "every new client is connected in under 100 ms", (value) => `${value.toFixed(0)} ms at most`),
  ratio("storm", "tickcast, storm", "tickcast, calm", "p99", 1.5, "the p99 of those who stream moves by less than half", ms),
  {
    workload: "stalled",
    bar: "under 20 MiB more resident memory",
    judge(table) {
      const rows = [find(table, "stalled", STALLED), find(table, "stalled", QUIET)];
      const [a, b] = rows.map((row) => row?.figures);
      if (!a || !b) return null;
      const more = ((a.residentGrowth ?? 0) - (b.residentGrowth ?? 0)) / MIB;
      return verdict(rows, more < 20, `${more.toFixed(1)} MiB more, and ${(((a.tcpGrowth ?? 0) - (b.tcpGrowth ?? 0)) / MIB).toFixed(1)} MiB in the kernel`);
    },
  },
  {
    workload: "stalled",
    bar: "all closed in time",
    judge(table) {
      const row = find(table, "stalled", STALLED);
      const ended = row?.figures.stalledEnded;
      return ended === null || ended === undefined ? null : verdict([row], ended >= 100, `${ended} of 100 closed within the measurement`);
    },
  },
  {
    workload: "stalled",
    bar: "the p99 of 500 healthy clients changes by less than 10 %",
    judge(table) {
      const rows = [find(table, "stalled", STALLED), find(table, "stalled", QUIET)];
      const [a, b] = rows.map((row) => row?.figures.p99);
      return a && b ? verdict(rows, a / b < 1.1, `${(100 * (a / b - 1)).toFixed(1)} % (${ms(b)} to ${ms(a)})`) : null;
    },
  },
];

/** Returns the verdict on every bar that these results can judge. @param {Row[]} table */
export const verdicts = (table) => bars.flatMap(({ workload, bar, judge }) => {
  const judged = judge(table);
  return judged ? [{ workload, bar, ...judged }] : [];
});
