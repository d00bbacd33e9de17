// @ts-check
// The side-by-side benchmark: tickcast against the servers of benches/peers, on this machine, over loopback.
//
//     node benches/compare.mjs                     the whole matrix, three rounds, then docs/BENCHMARKS.md (about 25 minutes)
//     node benches/compare.mjs --quick             a smoke run of everything, small and short; writes nothing
//     node benches/compare.mjs --workload hot --rounds 1 [--server NAME]…
//
// This file reads the command line and runs the steps. compare/workloads.mjs has the workloads, compare/servers.mjs the servers,
// compare/measure.mjs one measurement, compare/pace.mjs and compare/capacity.mjs its rate, compare/report.mjs and compare/verdict.mjs the page.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { parseArgs } from "node:util";

import { build } from "./compare/build.mjs";
import { capacity } from "./compare/capacity.mjs";
import { endAll } from "./compare/child.mjs";
import { machine } from "./compare/machine.mjs";
import { measure } from "./compare/measure.mjs";
import { RESULTS, PAGE, ROOT } from "./compare/paths.mjs";
import { medians } from "./compare/medians.mjs";
import { pace } from "./compare/pace.mjs";
import { page, terminal } from "./compare/report.mjs";
import { scaled, variants, workloads } from "./compare/workloads.mjs";

/** @typedef {import("./compare/medians.mjs").Run} Run */
/** @typedef {import("./compare/report.mjs").Results} Results */

const HELP = `usage: node benches/compare.mjs [options]
  --quick            small and short, to see that everything works; writes no page
  --workload NAME    only this one; may be given several times: ${workloads.map(({ name }) => name).join(", ")}
  --server NAME      only this server; may be given several times
  --rounds N         rounds, 1 to 20 [default: 3, with --quick 1]
  --seconds N        length of each measurement instead of the workload's own
  --no-wait          neither wait for an idle machine nor repeat what other processes disturbed, to see that full sizes work
  --no-build         use what has been built
  --from FILE        measure nothing, make the page from these results; several times to join workloads measured one by one
  --results FILE     where the results go [default: ${relative(ROOT, RESULTS)}]
  --page FILE        where the page goes [default: docs/BENCHMARKS.md after a whole matrix, else nowhere]`;

/** Ends the process with a message about the mistake in the command line. @param {string} message @returns {never} */
function usage(message) {
  console.error(`compare: ${message}\n${HELP}`);
  process.exit(2);
}

function options() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        workload: { type: "string", multiple: true, default: [] },
        server: { type: "string", multiple: true, default: [] },
        rounds: { type: "string" },
        seconds: { type: "string" },
        "no-wait": { type: "boolean", default: false },
        "no-build": { type: "boolean", default: false },
        from: { type: "string", multiple: true, default: [] },
        results: { type: "string", default: RESULTS },
        page: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (err) {
    usage(err instanceof Error ? err.message : String(err));
  }
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) usage("--rounds must be a whole number from 1 to 20");
  const seconds = values.seconds === undefined ? null : Number(values.seconds);
  if (seconds !== null && !(seconds >= 0.5 && seconds <= 120)) usage("--seconds must be 0.5 to 120");
  for (const name of values.workload) {
    if (!workloads.some((workload) => workload.name === name)) usage(`there is no workload '${name}'`);
  }
  /** @type {Set<string>} */
  const known = new Set(workloads.flatMap((workload) => variants(workload).map((variant) => variant.server)));
  for (const name of values.server) if (!known.has(name)) usage(`there is no server '${name}': ${[...known].join(", ")}`);
  return { ...values, rounds, seconds, isPatient: !values.quick && !values["no-wait"] };
}

/** @typedef {ReturnType<typeof options>} Options */

/** Returns the workloads with their chosen variants. @param {Options} options */
function matrix({ workload: names, server: servers }) {
  const chosen = workloads.filter(({ name }) => names.length === 0 || names.includes(name));
  return chosen
    .map((workload) => ({ workload, cells: variants(workload).filter(({ server }) => servers.length === 0 || servers.includes(server)) }))
    .filter(({ cells }) => cells.length > 0);
}

/** @typedef {import("./compare/workloads.mjs").Workload} Workload */
/** @typedef {import("./compare/workloads.mjs").Variant} Variant */

/**
 * Measures the chosen variants of a workload once. @param {Workload} workload @param {Variant[]} cells @param {number} round
 * @param {Run[]} before of the previous rounds @param {Options} chosen @param {(message: string) => void} say @returns {Promise<Run[]>}
 */
async function measureRound(workload, cells, round, before, chosen, say) {
  const same = before.filter((run) => run.workload === workload.name);
  const here = cells.filter(({ rounds = workload.rounds ?? Infinity }) => round <= rounds);
  if (here.length === 0) return [];
  say(workload.name);
  const found = await pace(workload, same.findLast((run) => run.pace)?.pace ?? undefined, chosen);
  const { commit } = machine();
  /** @type {Run[]} */
  const runs = [];
  for (const cell of here) {
    say(`${workload.name}, ${cell.label}`);
    const variant = found && workload.pace ? scaled(cell, workload.pace.by, found.factor) : cell;
    const last = same.findLast((run) => run.label === cell.label && "capacity" in run);
    const report = workload.isCapacity
      ? await capacity(variant, last && "capacity" in last ? last.capacity?.factor : undefined, chosen)
      : await measure(variant, chosen);
    const rate = found && { ...found, eventsPerSecond: variant.market.eventsPerSecond, sessions: variant.load.sessions ?? 0 };
    runs.push({ round, workload: workload.name, label: cell.label, commit, pace: rate, ...report });
  }
  return runs;
}

/** @param {Options} chosen @returns {Promise<Results>} */
async function run(chosen) {
  await build({ skip: chosen["no-build"] });
  /** @type {Run[]} */
  const runs = [];
  const started = Date.now();
  const minutes = () => (Date.now() - started) / 60_000;
  for (let round = 1; round <= chosen.rounds; round += 1) {
    const say = (/** @type {string} */ message) => console.error(`[${minutes().toFixed(1)} min] round ${round}/${chosen.rounds}: ${message}`);
    for (const { workload, cells } of matrix(chosen)) runs.push(...(await measureRound(workload, cells, round, runs, chosen, say)));
  }
  return { quick: chosen.quick, rounds: chosen.rounds, minutes: minutes(), machine: machine(), runs };
}

const chosen = options();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    endAll();
    process.exit(130);
  });
}
process.on("exit", endAll);

/** Joins the results of several calls. @param {string[]} files @returns {Results} */
function joined(files) {
  const parts = files.map((file) => /** @type {Results} */ (JSON.parse(readFileSync(file, "utf8"))));
  const minutes = parts.reduce((sum, part) => sum + part.minutes, 0);
  return { ...parts[0], minutes, quick: parts.some((part) => part.quick), runs: parts.flatMap((part) => part.runs) };
}

const results = chosen.from.length > 0 ? joined(chosen.from) : await run(chosen);
if (chosen.from.length === 0) {
  mkdirSync(dirname(chosen.results), { recursive: true });
  writeFileSync(chosen.results, JSON.stringify(results, null, 1));
}
const table = medians(results.runs);
console.log(terminal(table));
const whole = chosen.workload.length === 0 && chosen.server.length === 0 && !results.quick;
const target = chosen.page ?? (whole ? PAGE : null);
if (target) {
  writeFileSync(target, page(results, table));
  console.log(`written: ${target}`);
}
const failed = results.runs.filter((each) => "error" in each);
for (const each of failed) console.error(`failed: ${each.workload}, ${each.label}, round ${each.round}: ${each.error}`);
process.exitCode = failed.length > 0 ? 1 : 0;
