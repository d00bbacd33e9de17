// @ts-check
// One measurement: starts a server on core 0 and the load generator on core 1, and returns its report.
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Child } from "./child.mjs";
import { CERTIFICATE, ROOT, TARGET } from "./paths.mjs";
import { FOREIGN_MAX, quiet, watch } from "./quiet.mjs";
import { servers } from "./servers.mjs";
import { storm } from "./storm.mjs";

const SERVER_CORE = "0";
const LOAD_CORE = "1";
/** A core of its own for the client that connects in a storm; with two cores it shares one, and its own delay is taken off. */
const KNOCK_CORE = cpus().length > 2 ? "2" : LOAD_CORE;
const START_MS_MAX = 20_000;
const END_MS_MAX = 6_000;
/** The most time for connecting, warming up and checking, in addition to the measurement. */
const LOAD_MS_EXTRA = 60_000;
const WARMUP_S = 1;
const CONNECT_RATE = 2_500;
/** How often a measurement that other processes disturbed is repeated, and the longest wait for an idle machine before it. */
const TRIES = 3;
const QUIET_MS_MAX = 60_000;

const GENERATOR = join(TARGET, "release", "tickcast-load");
const SECURE = join(ROOT, "benches", "compare", "secure.mjs");
const SECURE_ENV = {
  TICKCAST__SERVER__TLS__CERT: join(CERTIFICATE, "cert.pem"),
  TICKCAST__SERVER__TLS__KEY: join(CERTIFICATE, "key.pem"),
  TICKCAST__SERVER__TLS__PORT: "0",
};
const SECURE_LISTENING = /tls_url=https:\/\/127\.0\.0\.1:(\d+)\//;

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
 * @param {{ url: string, pid: number | undefined, speaks: string[] }} target
 * @param {boolean} quick
 */
export function loadArguments({ load, seconds }, { url, pid, speaks }, quick) {
  const scaled = (/** @type {number} */ count) => String(quick ? Math.max(1, Math.floor(count / 20)) : count);
  const args = ["--url", url, "--pid", String(pid), "--json", "--allow-lag", "--connect-rate", String(CONNECT_RATE)];
  args.push("--duration-s", String(seconds), "--warmup-s", String(quick ? 0.5 : WARMUP_S), "--channels", "trades");
  if (load.sessions) args.push("--sessions", scaled(load.sessions), "--symbols", load.symbols ?? "", "--symbols-per-session", String(load.perSession));
  if (load.idle) args.push("--idle", scaled(load.idle));
  if (load.stalled) args.push("--stalled", scaled(load.stalled));
  if (speaks.length > 0) args.push(...(load.sessions ? speaks : ["--subscribe", ""]));
  return args;
}

/** @typedef {import("./medians.mjs").Measured} Measured */
/** @typedef {import("./workloads.mjs").Variant} Variant */
/** @typedef {{ quick: boolean, isPatient: boolean, seconds: number | null }} Options patient: waits for an idle machine, and repeats what is disturbed */

/** Waits until other processes are idle, or for a minute. */
export const quietMachine = () => quiet(QUIET_MS_MAX);

/** Returns one measurement, the last of several if other processes disturb it. @param {Variant} variant @param {Options} options @returns {Promise<Measured>} */
export async function measure(variant, options) {
  for (let tries = 1; ; tries += 1) {
    if (options.isPatient) await quietMachine();
    const result = await attempt(variant, options);
    if ("error" in result || !options.isPatient || result.foreign <= FOREIGN_MAX || tries === TRIES) return result;
    console.error(`  disturbed: others used ${(100 * result.foreign).toFixed(0)} % of a core`);
  }
}

/** Returns one measurement, even if it is disturbed. @param {Variant} whole @param {Options} options @returns {Promise<Measured>} */
export async function attempt(whole, { quick, seconds }) {
  const variant = quick && whole.storm ? { ...whole, storm: { ...whole.storm, ...QUICK_STORM } } : whole;
  const length = seconds ?? (quick ? Math.min(1, variant.seconds) : variant.seconds);
  const { secure } = variant.load;
  const env = secure ? { ...variant.env, ...SECURE_ENV } : variant.env;
  const how = servers[variant.server]({ ...variant.market, env, dialect: variant.dialect });
  const server = start(SERVER_CORE, how.command, how.args, how.env);
  try {
    const address = `127.0.0.1:${await port(server, secure ? SECURE_LISTENING : how.listening)}${how.path}`;
    const url = `ws://${address}`;
    const args = secure
      ? [SECURE, `wss://${address}`, String(quick ? Math.floor(secure / 20) : secure), String(server.pid), String(length)]
      : loadArguments({ ...variant, seconds: length }, { url, pid: server.pid, speaks: how.speaks }, quick);
    const load = start(LOAD_CORE, secure ? process.execPath : GENERATOR, args);
    const clients = {
      load: (/** @type {string[]} */ args) => start(LOAD_CORE, GENERATOR, args),
      knock: (/** @type {string} */ command, /** @type {string[]} */ args) => start(KNOCK_CORE, command, args),
    };
    const waits = variant.storm ? storm(variant.storm, url, clients) : null;
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
