// @ts-check
// One measurement: starts a server on core 0 and the load generator on core 1, and returns its report.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Child } from "./child.mjs";
import { TARGET } from "./paths.mjs";
import { FOREIGN_MAX, quiet, watch } from "./quiet.mjs";
import { servers } from "./servers.mjs";
import { storm } from "./storm.mjs";

const SERVER_CORE = "0";
const LOAD_CORE = "1";
const START_MS_MAX = 20_000;
const END_MS_MAX = 6_000;
/** The most time for connecting, warming up and checking, in addition to the measurement. */
const LOAD_MS_EXTRA = 60_000;
const WARMUP_S = 1;
const CONNECT_RATE = 2_500;
/** How often a measurement that other processes disturbed is repeated, and the longest wait for an idle machine before it. */
const TRIES = 3;
const QUIET_MS_MAX = 60_000;

const QUICK_STORM = { sessions: 250, afterS: 0.2, staysS: 0.6, goesS: 0.2 };

/** Starts a program on one core. @param {string} core @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function start(core, command, args, env) {
  return new Child("taskset", ["-c", core, command, ...args], env);
}

/** @param {Child} child */
async function end(child) {
  if (!child.isAlive) return;
  child.kill("SIGTERM");
  if ((await Promise.race([child.ended, sleep(END_MS_MAX, "late")])) === "late") {
    child.kill("SIGKILL");
    await child.ended;
  }
}

/** Returns the port from the server's output. @param {Child} child @param {RegExp} pattern */
async function port(child, pattern) {
  for (const limit = Date.now() + START_MS_MAX; Date.now() < limit; ) {
    const found = `${child.output}\n${child.errors}`.match(pattern);
    if (found) return Number(found[1]);
    const ended = await Promise.race([child.ended, sleep(20, null)]);
    if (ended !== null) throw new Error(`the server has ended with ${ended}: ${child.errors}`);
  }
  throw new Error("the server does not say that it listens");
}

/**
 * Returns the arguments of the load generator.
 * @param {{ load: import("./workloads.mjs").Load, seconds: number }} variant
 * @param {{ url: string, pid: number | undefined, subscribe: string | null }} target
 * @param {boolean} quick
 */
export function loadArguments({ load, seconds }, { url, pid, subscribe }, quick) {
  const scaled = (/** @type {number} */ count) => String(quick ? Math.max(1, Math.floor(count / 20)) : count);
  const args = ["--url", url, "--pid", String(pid), "--json", "--allow-lag", "--connect-rate", String(CONNECT_RATE)];
  args.push("--duration-s", String(seconds), "--warmup-s", String(quick ? 0.5 : WARMUP_S), "--channels", "trades");
  if (load.sessions) args.push("--sessions", scaled(load.sessions), "--symbols", load.symbols ?? "", "--symbols-per-session", String(load.perSession));
  if (load.idle) args.push("--idle", scaled(load.idle));
  if (load.stalled) args.push("--stalled", scaled(load.stalled));
  if (subscribe !== null) args.push("--subscribe", load.sessions ? subscribe : "");
  return args;
}

/** @typedef {import("./medians.mjs").Measured} Measured */
/** @typedef {import("./workloads.mjs").Variant} Variant */

/** Returns one measurement. @param {Variant} variant @param {{ quick: boolean, seconds: number | null }} options @returns {Promise<Measured>} */
export async function measure(variant, options) {
  for (let attempt = 1; ; attempt += 1) {
    if (!options.quick) await quiet(QUIET_MS_MAX);
    const result = await measureOnce(variant, options);
    if ("error" in result || options.quick || result.foreign <= FOREIGN_MAX || attempt === TRIES) return result;
    console.error(`  disturbed: others used ${(100 * result.foreign).toFixed(0)} % of a core`);
  }
}

/** @param {Variant} whole @param {{ quick: boolean, seconds: number | null }} options @returns {Promise<Measured>} */
async function measureOnce(whole, { quick, seconds }) {
  const variant = quick && whole.storm ? { ...whole, storm: { ...whole.storm, ...QUICK_STORM } } : whole;
  const length = seconds ?? (quick ? Math.min(1, variant.seconds) : variant.seconds);
  const how = servers[variant.server]({ ...variant.market, env: variant.env });
  const server = start(SERVER_CORE, how.command, how.args, how.env);
  try {
    const url = `ws://127.0.0.1:${await port(server, how.listening)}${how.path}`;
    const args = loadArguments({ ...variant, seconds: length }, { url, pid: server.pid, subscribe: how.subscribe }, quick);
    const generator = join(TARGET, "release", "tickcast-load");
    const load = start(LOAD_CORE, generator, args);
    const waits = variant.storm ? storm(variant.storm, url, (args) => start(LOAD_CORE, generator, args)) : null;
    const watched = watch(server.pid, load.pid);
    const late = sleep(length * 1_000 + LOAD_MS_EXTRA, "late", { ref: false });
    const code = await Promise.race([load.ended, late]);
    const foreign = watched.stop();
    await end(load);
    if (code === "late") return { error: "the load generator took too long" };
    if (code !== 0 && code !== 1) return { error: `the load generator ended with ${code}: ${load.errors}` };
    return { report: JSON.parse(load.output), env: how.env, load: args, foreign, waits: await waits };
  } catch (err) {
    return { error: String(err) };
  } finally {
    await end(server);
  }
}
