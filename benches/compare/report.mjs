// @ts-check
// Results as text: for the terminal, and as docs/BENCHMARKS.md. Computes nothing but ratios.
import { BUSY, find, isFull } from "./medians.mjs";
import { verdicts } from "./verdict.mjs";
import { workloads } from "./workloads.mjs";

/** @typedef {import("./medians.mjs").Figure} Figure */
/** @typedef {import("./medians.mjs").Row} Row */
/** @typedef {import("./medians.mjs").Run} Run */
/** @typedef {[title: string, cell: (row: Row, table: Row[]) => string]} Column */

/** @param {Figure} value @param {number} digits */
const fixed = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
/** @param {Figure} value */
const count = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"));
/** @param {Figure} value */
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(0)} %`);
/** @param {number | null} micros */
const millis = (micros) => fixed(micros === null ? null : micros / 1000, 2);

/** @param {Row} row */
const serversCore = (row) => percent(row.figures.serverCpu) + (isFull(row) ? " (full)" : "");

/** The window that a row writes in, as its label says: rows are compared with the floor that has the same. @param {Row[]} table @param {string} workload @param {string} label */
const floorOf = (table, workload, label) =>
  (workload !== "hot" && ((label.startsWith("tickcast") && !label.includes("=")) || label.includes("20 ms")) && find(table, workload, "floor, 20 ms window")) ||
  find(table, workload, "floor");

/** The part of a label of growth that says how many sessions there were. */
const SESSIONS = /[^ ]+ sessions$/;
/** The row of the floor with as many sessions. @param {Row[]} table @param {Row} row */
const floorAsLarge = (table, { label }) => find(table, "growth", `floor, 20 ms window, ${label.match(SESSIONS)?.[0]}`);
/** The row of the same server with 1,000 sessions. @param {Row[]} table @param {Row} row */
const smaller = (table, { label }) => find(table, "growth", label.replace(SESSIONS, "1,000 sessions"));

/** @type {Record<string, Column[]> & { load: Column[] }} */
const COLUMNS = {
  load: [
    ["server", ({ label }) => label],
    ["CPU µs per delivery", ({ figures }) => fixed(figures.cpuMicros, 2)],
    ["of it in the kernel", ({ figures }) => fixed(figures.systemMicros, 2)],
    ["÷ floor", (row, table) => fixed(over(row, floorOf(table, row.workload, row.label)), 2)],
    ["÷ uWebSockets", (row, table) => fixed(over(row, find(table, row.workload, "uwebsockets")), 2)],
    ["p50 ms", ({ figures }) => millis(figures.p50)],
    ["p99 ms", ({ figures }) => millis(figures.p99)],
    ["p99.9 ms", ({ figures }) => millis(figures.p999)],
    ["deliveries/s", ({ figures }) => count(figures.eventsPerSecond)],
    ["per read", ({ figures }) => fixed(figures.eventsPerRead, 1)],
    ["bytes each", ({ figures }) => count(figures.bytesPerEvent)],
    ["server's core", serversCore],
    ["load µs", ({ figures }) => fixed(figures.loadMicros, 2)],
    ["load's core", ({ figures }) => percent(figures.loadCpu)],
    ["others", ({ figures }) => percent(figures.foreign)],
  ],
  capacity: [
    ["server", ({ label }) => label],
    ["deliveries/s", ({ figures }) => count(figures.capacity)],
    ["÷ uWebSockets", (row, table) => fixed(over(row, find(table, row.workload, "uwebsockets"), "capacity"), 2)],
    ["each round", ({ each }) => each.capacity.map(count).join(", ")],
    ["a higher rate failed for", ({ stops }) => stops.join(", ")],
    ["p50 ms", ({ figures }) => millis(figures.p50)],
    ["p99 ms", ({ figures }) => millis(figures.p99)],
    ["CPU µs per delivery", ({ figures }) => fixed(figures.cpuMicros, 2)],
    ["server's core", serversCore],
    ["load's core", ({ figures }) => percent(figures.loadCpu)],
  ],
  growth: [
    ["server", ({ label }) => label],
    ["CPU µs per delivery", ({ figures }) => fixed(figures.cpuMicros, 2)],
    ["of it in the kernel", ({ figures }) => fixed(figures.systemMicros, 2)],
    ["÷ 1,000 sessions", (row, table) => fixed(over(row, smaller(table, row)), 2)],
    ["÷ floor as large", (row, table) => fixed(over(row, floorAsLarge(table, row)), 2)],
    ["p50 ms", ({ figures }) => millis(figures.p50)],
    ["p99 ms", ({ figures }) => millis(figures.p99)],
    ["deliveries/s", ({ figures }) => count(figures.eventsPerSecond)],
    ["per read", ({ figures }) => fixed(figures.eventsPerRead, 2)],
    ["dropped", ({ each }) => count(Math.max(0, ...each.dropped.map((dropped) => dropped ?? 0)))],
    ["server's core", serversCore],
    ["load's core", ({ figures }) => percent(figures.loadCpu)],
    ["others", ({ figures }) => percent(figures.foreign)],
  ],
  storm: [
    ["", ({ label }) => label],
    ["p50 ms", ({ figures }) => millis(figures.p50)],
    ["p99 ms", ({ figures }) => millis(figures.p99)],
    ["p99.9 ms", ({ figures }) => millis(figures.p999)],
    ["new client waits ms, median", ({ figures }) => fixed(figures.newcomer, 1)],
    ["at most", ({ figures }) => fixed(figures.newcomerMost, 1)],
    ["own delay at most", ({ figures }) => fixed(figures.newcomerOwn, 1)],
    ["server's core", serversCore],
  ],
  idle: [
    ["server", ({ label }) => label],
    ["resident KiB per session", ({ figures }) => fixed(figures.residentPerSession === null ? null : figures.residentPerSession / 1024, 1)],
  ],
  stalled: [
    ["server", ({ label }) => label],
    ["p50 ms", ({ figures }) => millis(figures.p50)],
    ["p99 ms", ({ figures }) => millis(figures.p99)],
    ["resident growth MiB", ({ figures }) => fixed(figures.residentGrowth === null ? null : figures.residentGrowth / 2 ** 20, 1)],
    ["kernel growth MiB", ({ figures }) => fixed(figures.tcpGrowth === null ? null : figures.tcpGrowth / 2 ** 20, 1)],
    ["stalled ended", ({ figures }) => count(figures.stalledEnded)],
    ["CPU µs per delivery", ({ figures }) => fixed(figures.cpuMicros, 2)],
    ["load's core", ({ figures }) => percent(figures.loadCpu)],
  ],
};

/** @param {Row} row @param {Row | undefined} other @param {import("./medians.mjs").FigureName} figure */
function over(row, other, figure = "cpuMicros") {
  const [a, b] = [row.figures[figure], other?.figures[figure]];
  return a && b ? a / b : null;
}

/** @param {Row[]} table @param {string} workload */
function cells(table, workload) {
  const columns = COLUMNS[workload] ?? COLUMNS.load;
  const rows = table.filter((row) => row.workload === workload);
  return [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row, table)))];
}

/** @param {Row[]} table */
const names = (table) => workloads.filter(({ name }) => table.some((row) => row.workload === name));

/** Returns the tables in columns of equal width. @param {Row[]} table */
export function terminal(table) {
  const parts = names(table).map(({ name, about }) => {
    const lines = cells(table, name);
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    const text = lines.map((line) => line.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  "));
    const failures = table.filter((row) => row.workload === name).flatMap(({ label, failures }) => failures.map((each) => `  ! ${label}: ${each}`));
    return [`\n${name}: ${about}`, ...text, ...failures].join("\n");
  });
  const lines = verdicts(table).map(({ workload, bar, met, said }) => `${met === null ? "OPEN  " : met ? "met   " : "MISSED"}  ${workload}: ${bar}: ${said}`);
  return [...parts, "", ...lines].join("\n");
}

/** @param {string[][]} lines */
const markdown = (lines) => [lines[0], lines[0].map((_, column) => (column ? "--:" : "---")), ...lines.slice(1)].map((line) => `| ${line.join(" | ")} |`).join("\n");

/** Returns a sentence about the length of the measurements of a workload. @param {Run[]} runs @param {string} workload */
function lengths(runs, workload) {
  const loads = runs.flatMap((run) => (run.workload === workload && "load" in run && run.load.includes("--duration-s") ? [run.load[run.load.indexOf("--duration-s") + 1]] : []));
  return `Each measurement: ${[...new Set(loads)].join(" or ")} s.`;
}

/** Returns a sentence about the rate that was set for the machine, with a space before it. @param {Run[]} runs @param {string} workload */
function rates(runs, workload) {
  const rounds = new Map(runs.flatMap((run) => (run.workload === workload && run.pace ? [[run.round, run.pace]] : [])));
  if (rounds.size === 0) return "";
  const each = [...rounds.values()].map(({ sessions, eventsPerSecond, factor, floorCpu }) =>
    `${count(sessions)} clients and ${fixed(eventsPerSecond, eventsPerSecond < 100 ? 1 : 0)} events/s (${fixed(factor, 2)} times; the floor's core before: ${percent(floorCpu)})`);
  return ` The pace, in each round: ${each.join("; ")}.`;
}

/** Returns how often a workload was measured. @param {Run[]} runs @param {string} name */
function roundsOf(runs, name) {
  const counts = new Map();
  for (const { workload, label } of runs) {
    if (workload === name) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return ` ${most === 1 ? "One round." : `${most} rounds.`}`;
}

/** @typedef {{ quick: boolean, rounds: number, minutes: number, machine: ReturnType<typeof import("./machine.mjs").machine>, runs: Run[] }} Results */

/** Returns the page. @param {Results} results @param {Row[]} table */
export function page({ machine, rounds, minutes, runs }, table) {
  const { versions } = machine;
  const sections = names(table).map(({ name, about }) => {
    const failures = table.filter((row) => row.workload === name && row.failures.length > 0);
    const notes = failures.map(({ label, failures }) => `- ${label}: ${failures.join("; ")}`).join("\n");
    return `## ${name}\n\n${about}. ${lengths(runs, name)}${roundsOf(runs, name)}${rates(runs, name)}\n\n${markdown(cells(table, name))}\n${notes ? `\nFailures that the load generator reported:\n\n${notes}\n` : ""}`;
  });
  const lines = verdicts(table).map(({ workload, bar, met, said }) => [workload, bar, said, met === null ? "no verdict" : met ? "met" : "**missed**"]);
  const example = runs.filter((run) => "load" in run).find((run) => run.workload === "watchlist" && run.label === "tickcast");
  return `# Benchmarks

Generated by \`node benches/compare.mjs\`: edit that program, not this page. ${machine.date}, commit ${[...new Set(runs.map((run) => run.commit))].join(", ")}.

${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, Linux ${machine.kernel}; ${versions.rustc}. Each figure is the median
of ${rounds} rounds (idle, stalled, ws and axum: one; a section says so if it has fewer); a round measures every server once (${minutes.toFixed(0)} minutes in all). The server is pinned to one core, the load
generator (\`tickcast-load\`) to the other; all traffic is on loopback. "CPU µs per delivery" is the CPU time of the server's whole
process, user and kernel, divided by the events that arrived at clients. "load" is the CPU time of the load generator, "others"
the share of a core that all other processes of the machine used during the measurement.

Before each round of hot, watchlist, watchlist-0, sparse, one-symbol and storm the floor sets the pace: it runs for a few seconds, and the rate of events,
or in hot and sparse the number of clients, is multiplied such that the floor (in watchlist the one with the window) uses a third of its core. In sparse the rate
of events stays, because with more of them for each client it would not be sparse. A row whose server used
more than ${100 * BUSY} % of its core is marked "full" and decides no bar: the server joins writes in its queues, and its CPU per delivery is too low. In capacity
the rate is doubled, then bisected to 6 %; "load" means that the load generator's core was full, so the capacity is at least as high.
A row in which a server dropped sessions decides no bar either. In growth as many events are delivered to more clients, and the floor shows how much of the
growth is the kernel's. This machine permits ${Number.isFinite(machine.files_max) ? count(machine.files_max) : "any number of"} open files of a process.
In storm, the client that connects has ${machine.cores > 2 ? "a core of its own" : "no core of its own: the time for which it waited for the CPU (own delay) is taken off"}.

## Goals

${markdown([["workload", "bar", "measured", ""], ...lines])}

${sections.join("\n")}
## The servers

All servers send the same bytes, unless a row names a dialect of a vendor: text frames that contain a JSON array of trades, about 112 bytes each. All generate trades at random
times (hot: at a fixed rate), uniformly over the symbols, with the time at which they were due as the time stamp, and check for due
trades every millisecond (hot: every 10). Sources: \`benches/peers\`.

- **tickcast**: \`server.workers=1\`, trades only; \`feed.extra_symbols\` generated symbols, and 30 built-in ones with the same rate of events
  to which no client subscribes, so \`feed.events_per_second\` is the workload's rate times (symbols + 30) / symbols. In hot, one row has the default window, and
  one has \`push.coalesce_ms=0\`, with the same 100 writes a second as the other servers; in both \`feed.step_ms=10\`, which is the step of the other servers.
  In watchlist it also serves the clients of vendors in their dialects; the load generator counts their trades and does not read the times.
- **floor**: a bare epoll loop, one \`send\` for each socket and step, or for each window, which starts and ends as tickcast's does.
- **uWebSockets.js** ${versions.uwebsockets} (npm \`uwebsockets\`) on Node ${versions.node}: the trades of a step joined into one frame for each session;
  with one symbol the library's publish, which is faster in that case. "20 ms steps" is the same program with a timer of 20 ms.
- **Bun** ${versions.bun} (npm \`bun\`): the same as uWebSockets.js.
- **ws** ${versions.ws} (npm) on Node ${versions.node}: a loop over the sessions; each text is created once, and joined in the same way.
- **axum** ${versions.axum}, tokio ${versions.tokio}: a broadcast channel for each symbol, a task for each session that merges its channels.

## Where the time goes

A profile (\`perf\`, CPU clock, 2026-11-26) of 500 clients on all 30 symbols, default window, 10 µs for a write of 20 events: 76 % in the kernel
(63 % below \`sendto\`, of which 27 % is the delivery to the reader over loopback in the same call), 21 % in the server itself, 2 % in libc: 3.4 % routing,
6 % the write pass and the encoding of frames from the outbox, 1.7 % the write itself, 1.9 % the readiness of tokio's socket, the rest below
0.8 % each. Before, with the session as the body of an HTTP response, 25 % were in user space, of them 4 % the HTTP/1 dispatcher, 3 % tokio,
2 % copies. What is left between tickcast and the floor at the same number of writes is about 1.4 µs a write of ten events: the outbox of
each session (its queue, window and cursor), which the floor does not have.

With more than 50 events a second for each session most events wait for a window, and the median is about half the window. With fewer, as in sparse, most events
are written at once.

uWebSockets with steps of 20 ms in user code needs nearly the CPU of tickcast's default: the difference is due to the window.

Bars that are missed or met by a hair (2026-11-26): one start of the server differs from the next by more than the bar is wide. Three runs of watchlist
side by side with the floor gave 1.20, 1.06 and 1.44 times the floor, while the floor itself stayed within 4 %: the same program, the same load.
A session has an outbox, subscriptions and a socket at different places of memory, a client of the floor only a socket; so where the allocator
puts them probably counts. Huge pages do not change it: the medians of six more starts each, side by side, were 1.24 times the floor as configured,
1.24 with jemalloc's \`thp:always\`, and 1.17 with one arena and its metadata in huge pages too; one start of the floor differed from the next by
more than that. Sparse is at the limit because nearly each write has one event: there
the kernel's part is 82 %, and the outbox costs what the window cannot save. In growth the floor, which has no outbox, grows by a half too: with 19,000 sockets their
state in the kernel is no longer in the cache, so a bar of 1.25 is below what a write to a cold socket costs on this machine.

An idle session, without TLS, by allocation (bytes in the size classes of jemalloc, 2026-11-26; 5,000 sessions of one worker took 2.87 KiB each):

| allocation | bytes |
| --- | --: |
| the session's actor: its task, its context, subscriptions, limits, liveness | 768 |
| the stream of its frames, the timer of its checks, its mailbox and address | 600 |
| outbox | 384 |
| tokio's socket | 256 |
| the task of the connection | 256 |
| socket, channel and the rest of a write | 256 |
| byte and time accounts of the connection, its state, its place in the table | 350 |
| the session's place in the hub | 64 |

Before the session owned its socket it was 13.4 KiB, of which 8 were the two buffers of the HTTP dispatcher. The outbox makes rare parts
on need (positions, lag, mode \`latest\`, skipped events), and so does the socket (unsent bytes, the timer of a jam). Mailbox and context
belong to actix: an actor without them would save about 0.4 KiB.
Link-time optimisation of the whole program ("fat") saved 3 % of the CPU of each delivery.

Buffers, watchlist, two short runs each, CPU µs per delivery: as configured 3.10 and 3.24; write_buffer_bytes 8 KiB 3.14 and 3.08, 128 KiB
3.26 and 3.26; unsent_bytes_max 4 KiB 2.99 and 3.16, 128 KiB 3.22 and 3.20. The differences are noise: the sizes do not affect throughput here, so
they are chosen as a bound on unsent bytes of a slow client. They are limits and not allocations: an idle session allocates none of them.

## One hostile client

\`make hostile\`: the p99 of 100 clients (20 of 530 symbols each, 5,300 events a second) without an attack and while one client attacks, in
turn, against a release build with the default settings. Clients, server and attacker share 2 cores; the attacker runs with nice 19.
2026-11-26, medians of 3 rounds of 5 s (\`--seconds 5\`). The oldest cursor is 250,000 events back.

| attack | p99 ms | at most ms | moved | server, share of a core |
| --- | --: | --: | --: | --: |
| quiet | 21.3 | 26.0 | | 13 % |
| subscribes: \`"*"\` of five channels, 200 a second | 21.2 | 25.1 | 0 % | 19 % |
| cursors: bursts of 1,000 requests, from the oldest cursor | 21.2 | 24.9 | 0 % | 13 % |
| bars: 1,000 connections that ask for 3,000 bars | 21.6 | 26.9 | 1 % | 48 % |
| short-bars: 1,000 connections that ask for one bar | 21.4 | 26.6 | 0 % | 48 % |
| polls: 300 connections with an old cursor | 21.4 | 25.9 | 1 % | 31 % |

Before answers over HTTP had a bound for each turn of a worker (\`server.turn_answers_max\`), \`bars\` took 150 % of a core, and the p99 was
144 and 48 ms in two rounds on a busy machine, against 22 ms without an attack, and 30 and 22 ms during the same attack on another server.
On a machine whose CPUs are full the p99 without an attack varies from 21 to 700 ms: use an idle machine, or \`--realtime\`.

## Commands

    make bench                                    # everything on this page except the hostile client
    node benches/compare.mjs --workload hot       # one workload
    node benches/compare.mjs --workload hot --rounds 1 --no-build   # one round of it with the programs that are there
    node benches/compare.mjs --quick              # a smoke test
    make hostile                                  # one hostile client, five minutes
    node benches/hostile.mjs --realtime           # the same on a machine with other load, as root

The commands of one measurement (watchlist, tickcast):

    ${example ? [...Object.entries(example.env).map(([name, value]) => `${name}=${value}`), "taskset -c 0 tickcast --port 0"].join(" ") : ""}
    ${example ? `taskset -c 1 tickcast-load ${example.load.join(" ")}` : ""}
`;
}
