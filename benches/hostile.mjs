// @ts-check
// Measures how far one hostile client raises the p99 latency of a thousand others, in phases with and without it that alternate.
//
//     node benches/hostile.mjs [--rounds N] [--seconds N] [--attack KIND]… [--control] [--fill-s N] [--quiet-ms N] [--server FILE]
//                               [--realtime] [--sessions N] [--symbols N] [--moved-max SHARE] [--unlimited] [--out FILE]
//
// The hostile client comes from an address of its own, for which the limits of `[limits]` hold, and does its worst within its budget: all
// means at once (`everything`), or with --attack each of these in a phase of its own. With --unlimited it has no budget, as on a server whose
// clients are all exempt. With --control each attack is also made on a second server: the change of the p99 then is due to the shared
// machine, not to the server. With --realtime (as root) servers and load generator get a real-time priority, so that other processes do
// not disturb them. --out writes the figures of each phase as JSON. The exit code is 1 if an attack raises the median of the p99 over the
// phases by a tenth or more (--moved-max), 2 if the measurement failed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child, endAll } from "./compare/child.mjs";
import { median } from "./compare/medians.mjs";
import { TARGET } from "./compare/paths.mjs";
import { quiet, watch } from "./compare/quiet.mjs";

const ATTACKS = ["everything", "subscribes", "cursors", "recoveries", "bars", "short-bars", "polls", "snapshots", "lists"];
/** The addresses of the load generator, which has no limits, and of a limited attack. */
const [FRIENDLY, HOSTILE] = ["127.0.0.1", "127.0.0.2"];
/** A market of 10,000 symbols takes some seconds. */
const START_MS_MAX = 60_000;
/** The clients connect and warm up in this time; then their latency is measured, and the attack begins with what it has saved. */
const WARM_UP_MS = 3_500;
const MARKET = {
  TICKCAST__FEED__EVENTS_PER_SECOND: "5300",
  TICKCAST__FEED__QUOTES_PER_TRADE: "0",
};
const OPTIONS = /** @type {const} */ ({
  rounds: { type: "string", default: "10" },
  seconds: { type: "string", default: "10" },
  attack: { type: "string", multiple: true },
  control: { type: "boolean", default: false },
  // The time until the server's ring is full.
  "fill-s": { type: "string", default: "50" },
  // The longest wait for an idle machine before each measurement.
  "quiet-ms": { type: "string", default: "30000" },
  realtime: { type: "boolean", default: false },
  // The measured clients.
  sessions: { type: "string", default: "1000" },
  // Generated symbols.
  symbols: { type: "string", default: "10000" },
  // The most relative rise of the p99.
  "moved-max": { type: "string", default: "0.1" },
  unlimited: { type: "boolean", default: false },
  out: { type: "string" },
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
});

process.on("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** The servers' processes. @type {(number | undefined)[]} */
const servers = [];

/** @typedef {{ realtime: boolean, seconds: string, server: string, "quiet-ms": string, sessions: string, symbols: string, unlimited: boolean }} Chosen */

/**
 * Returns a program and its arguments, with a real-time priority if that is chosen.
 * @param {Chosen} chosen @param {string} priority @param {string} program @param {string[]} args
 */
const prior = ({ realtime }, priority, program, args) =>
  /** @type {[string, string[]]} */ (realtime ? ["chrt", ["-r", priority, program, ...args]] : [program, args]);

/** @param {Chosen} chosen */
async function server(chosen) {
  const child = new Child(...prior(chosen, "1", chosen.server, ["--port", "0"]), { ...MARKET, TICKCAST__FEED__EXTRA_SYMBOLS: chosen.symbols, TICKCAST__LIMITS__EXEMPT: FRIENDLY });
  servers.push(child.pid);
  for (const limit = Date.now() + START_MS_MAX; Date.now() < limit; await sleep(20)) {
    const found = child.errors.match(/listening url=http:\/\/127\.0\.0\.1:(\d+)\//);
    if (found) return { port: found[1], pid: child.pid };
  }
  throw new Error(`the server does not listen: ${child.errors}`);
}

/**
 * Measures the latency of the clients of `victim`, in milliseconds, while one client attacks `attacked`, and the CPU time of the victim and of
 * processes that take no part, as a share of one core.
 * @param {Pick<Cell, "victim" | "kind" | "attacked">} cell @param {Chosen} chosen
 */
async function measure({ victim, kind, attacked }, chosen) {
  await quiet(Number(chosen["quiet-ms"]), ...servers);
  // A low priority, so that it does not slow down the load generator.
  const program = join(import.meta.dirname, "hostile", "attack.mjs");
  const from = chosen.unlimited ? FRIENDLY : HOSTILE;
  const attack = kind && new Child("nice", ["-n", "19", process.execPath, program, kind, attacked.port, from, String(WARM_UP_MS)]);
  const args = ["--url", `ws://127.0.0.1:${victim.port}/ws`, "--pid", String(victim.pid), "--json", "--allow-lag"];
  args.push("--sessions", chosen.sessions, "--duration-s", chosen.seconds);
  const load = new Child(...prior(chosen, "2", join(TARGET, "release", "tickcast-load"), args));
  const watched = watch(...new Set([victim, load, ...(attack ? [attack, attacked] : [])].map(({ pid }) => pid)));
  const code = await load.ended;
  const others = watched.stop();
  if (attack) {
    const died = await Promise.race([attack.ended, sleep(0, null)]);
    if (died !== null) throw new Error(`the attack ended with ${died}: ${attack.errors}`);
    attack.kill("SIGTERM");
    await attack.ended;
  }
  if (code !== 0 && code !== 1) throw new Error(`tickcast-load ended with ${code}: ${load.errors}`);
  /** @type {import("./compare/medians.mjs").Report} */
  const { latency_us: latency, server: used } = JSON.parse(load.output);
  if (!latency || !used) throw new Error("tickcast-load reported no latency");
  return { p50: latency.p50 / 1_000, p99: latency.p99 / 1_000, most: latency.max / 1_000, cpu: used.cpu_fraction, others, hostile: attack ? JSON.parse(attack.output) : null };
}

/** @typedef {Awaited<ReturnType<typeof server>>} Server */
/** @typedef {Awaited<ReturnType<typeof measure>>} Result */
/** @typedef {{ label: string, kind: string | null, attacked: Server, isControl?: boolean, victim: Server, results: Result[] }} Cell */

const ms = (/** @type {number} */ number) => number.toFixed(1).padStart(7);
const percent = (/** @type {number} */ number, digits = 0) => `${(100 * number).toFixed(digits)} %`.padStart(6);

/** Prints the table. Returns whether every attack moves the p99 by less than the limit. @param {Cell[]} cells @param {number} movedMax */
function report(cells, movedMax) {
  /** @param {Cell} cell @param {"p50" | "p99" | "most" | "cpu" | "others"} name */
  const figure = ({ results }, name) => median(results.map((result) => result[name])) ?? NaN;
  const calm = figure(cells[0], "p99");
  console.log(`${" ".repeat(28)} p50 ms  p99 ms  at most   moved  server  others`);
  let met = true;
  for (const cell of cells) {
    const moved = figure(cell, "p99") / calm - 1;
    const isMet = !cell.kind || cell.isControl || moved < movedMax;
    met &&= isMet;
    const numbers = [ms(figure(cell, "p50")), ms(figure(cell, "p99")), ms(figure(cell, "most")), ` ${percent(moved, 1)}`];
    const shares = [percent(figure(cell, "cpu")), percent(figure(cell, "others"))];
    console.log(`${cell.label.padEnd(28)}${numbers.join(" ")}  ${shares.join("  ")}${isMet ? "" : "  too much"}`);
  }
  return met;
}

async function run() {
  const { values: chosen } = parseArgs({ options: OPTIONS });
  const kinds = chosen.attack ?? ["everything"];
  const unknown = kinds.find((kind) => !ATTACKS.includes(kind));
  if (unknown) throw new Error(`there is no attack '${unknown}': ${ATTACKS.join(", ")}`);
  const victim = await server(chosen);
  const other = chosen.control && (await server(chosen));
  const attacks = kinds.flatMap((kind) => [
    { label: kind, kind, attacked: victim },
    ...(other ? [{ label: `${kind}, another server`, kind, attacked: other, isControl: true }] : []),
  ]);
  /** @type {Cell[]} */
  const cells = [{ label: "quiet", kind: null, attacked: victim }, ...attacks].map((cell) => ({ ...cell, victim, results: [] }));
  await sleep(Number(chosen["fill-s"]) * 1_000);
  for (let round = 1; round <= Number(chosen.rounds); round += 1) {
    for (const cell of cells) {
      const result = await measure(cell, chosen);
      cell.results.push(result);
      const { p99, cpu, others, hostile } = result;
      const attack = hostile ? `; ${hostile.connections} connections, ${hostile.refused} refusals, ${(hostile.bytes / 1e6).toFixed(0)} MB` : "";
      console.error(`round ${round}: ${cell.label}: p99 ${p99.toFixed(1)} ms, server${percent(cpu)}, others${percent(others)} of a core${attack}`);
    }
  }
  if (chosen.out) writeFileSync(chosen.out, JSON.stringify(cells.map(({ label, results }) => ({ label, results })), null, 1));
  return report(cells, Number(chosen["moved-max"]));
}

const code = await run().then(
  (met) => (met ? 0 : 1),
  (err) => {
    console.error(`hostile: ${err.message}`);
    return 2;
  },
);
process.exit(code);
