// @ts-check
// What access control costs: a delivery, on a server of before and on this one without and with keys; and a handshake with each way in.
//
//     node benches/access.mjs deliveries --old FILE [--rounds N] [--seconds N]    FILE is the server of before
//     node benches/access.mjs handshakes [--sessions N] [--rounds N]
//     node benches/access.mjs revocation [--sessions N] [--rounds N]
//
// The third takes a key away while it has --sessions sessions, and says when they are gone, and how late events of the sessions of another key come
// meanwhile; there server and load generator share all cores.
//
// Each round starts each server anew, in another order, and the medians over the rounds are compared: one start differs from the next by more
// than access control costs. The server has core 0, the load generator core 1.
import { createPrivateKey, createSign, generateKeyPairSync, createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child, endAll } from "./compare/child.mjs";
import { median } from "./compare/medians.mjs";
import { TARGET } from "./compare/paths.mjs";
import { quiet } from "./compare/quiet.mjs";

const START_MS_MAX = 20_000;
/** Ticks of `/proc/PID/stat` in microseconds. */
const TICK_US = 10_000;
/** The longest wait for an idle machine before each start. */
const QUIET_MS = 5_000;
const SECRET = "a secret of a measurement";
const AUDIENCE = "tickcast";
const MARKET = {
  TICKCAST__SERVER__WORKERS: "1",
  TICKCAST__FEED__EXTRA_SYMBOLS: "500",
  TICKCAST__FEED__EVENTS_PER_SECOND: "5300",
  TICKCAST__FEED__QUOTES_PER_TRADE: "0",
};
const OPTIONS = /** @type {const} */ ({
  old: { type: "string" },
  new: { type: "string", default: join(TARGET, "release", "tickcast") },
  rounds: { type: "string", default: "12" },
  seconds: { type: "string", default: "5" },
  sessions: { type: "string", default: "10000" },
});

const folder = mkdtempSync(join(tmpdir(), "tickcast-access-"));
process.on("exit", () => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** Writes a file. Returns its path. @param {string} name @param {string} content */
function file(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicKey = file("public.pem", pair.publicKey.export({ type: "spki", format: "pem" }).toString());
const digest = createHash("sha256").update(SECRET).digest("hex");
const DESK = `[[keys]]\nid = "desk"\nsecret_sha256 = "${digest}"\nsymbols = ["SYM*", "A*", "M?FT"]\n`;
const keysFile = file("keys.toml", DESK);

/** A token as an issuer of the field makes it. */
function token() {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: "https://login.example.com/realms/desk", sub: "f3b1c9d2-7c1e-4f0e-9d7a-1c2b3a4d5e6f", aud: [AUDIENCE, "account"],
    iat: 1_764_200_000, exp: 4_102_444_800, jti: "6f1c7a52-0d3b-4f0a-8d53-3f3a3a8b9a10", azp: "desk",
    tickcast: { symbols: ["SYM*", "A*", "M?FT"], channels: ["trades", "bars.*"] },
  };
  const text = `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}`;
  const key = createPrivateKey(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key).toString("base64url")}`;
}

const BASIC = `Authorization: Basic ${Buffer.from(`desk:${SECRET}`).toString("base64")}`;
const BEARER = `Authorization: Bearer ${token()}`;
const KEYS = { TICKCAST__AUTH__REQUIRED: "true", TICKCAST__AUTH__KEYS_FILE: keysFile };
const TOKENS = { TICKCAST__AUTH__REQUIRED: "true", TICKCAST__AUTH__JWT__PUBLIC_KEYS: publicKey, TICKCAST__AUTH__JWT__AUDIENCE: AUDIENCE };

/** @typedef {{ label: string, server: string, env?: Record<string, string>, header?: string }} Variant */

/** Returns the CPU time of a process in microseconds. @param {number | undefined} pid */
function used(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return (user + system) * TICK_US;
}

/** Starts a server and waits until it listens. Returns it with its port. @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} env */
async function start(command, args, env) {
  await quiet(QUIET_MS);
  const child = new Child(command, [...args, "--port", "0"], env);
  for (const limit = Date.now() + START_MS_MAX; !/listening url/.test(child.errors); await sleep(20)) {
    if (Date.now() > limit || !child.isAlive) throw new Error(`the server does not listen: ${child.errors}`);
  }
  return { child, port: child.errors.match(/listening url=http:\/\/127\.0\.0\.1:(\d+)\//)?.[1] };
}

/** Starts the server, runs the load generator, and ends the server. Returns the report, and the CPU time of the server. @param {Variant} variant @param {string[]} load */
async function run({ server, env = {}, header }, load) {
  const { child, port } = await start("taskset", ["-c", "0", server], { ...MARKET, ...env });
  const args = ["-c", "1", join(TARGET, "release", "tickcast-load"), "--url", `ws://127.0.0.1:${port}/ws`, "--pid", String(child.pid), "--json", ...load];
  const before = used(child.pid);
  const generator = new Child("taskset", header ? [...args, "--header", header] : args);
  const code = await generator.ended;
  const cpu = used(child.pid) - before;
  child.kill("SIGKILL");
  await child.ended;
  if (code !== 0 && code !== 1) throw new Error(`tickcast-load ended with ${code}: ${generator.errors}`);
  return { report: JSON.parse(generator.output), cpu };
}

/**
 * Measures each variant in each round, in an order that changes. Prints the medians, and how far each is above the first.
 * @param {Variant[]} variants @param {number} rounds @param {string[]} load
 * @param {Record<string, (result: Awaited<ReturnType<typeof run>>) => number>} figures
 */
async function compare(variants, rounds, load, figures) {
  /** @type {Map<string, Record<string, number>[]>} */
  const all = new Map(variants.map(({ label }) => [label, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = variants.map((_, index) => variants[(index + round) % variants.length]);
    for (const variant of round % 2 ? order.reverse() : order) {
      const result = await run(variant, load);
      const values = Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, figure(result)]));
      all.get(variant.label)?.push(values);
      const words = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      console.error(`round ${round + 1}: ${variant.label}: ${words.join(", ")}`);
    }
  }
  const of = (/** @type {string} */ label, /** @type {string} */ name) => median((all.get(label) ?? []).map((values) => values[name])) ?? NaN;
  for (const { label } of variants) {
    const words = Object.keys(figures).map((name) => {
      const [value, first] = [of(label, name), of(variants[0].label, name)];
      const ratios = (all.get(label) ?? []).map((values, round) => values[name] / (all.get(variants[0].label) ?? [])[round][name] - 1);
      return `${name} ${value.toFixed(2)} (${(100 * (value / first - 1)).toFixed(1)} %, in pairs ${(100 * (median(ratios) ?? NaN)).toFixed(1)} %)`;
    });
    console.log(`${label.padEnd(28)} ${words.join("; ")}`);
  }
}

/**
 * Takes a key with so many idle sessions away. Returns when they were gone, and the latency of events of the 100 sessions of another key, in
 * milliseconds.
 * @param {string} server @param {number} sessions
 */
async function revoke(server, sessions) {
  const left = DESK.replace("desk", "left").replace(digest, createHash("sha256").update("left").digest("hex"));
  const path = file("two.toml", DESK + left);
  const { child, port } = await start(server, [], { TICKCAST__AUTH__REQUIRED: "true", TICKCAST__AUTH__KEYS_FILE: path });
  const load = (/** @type {string[]} */ ...args) =>
    new Child(join(TARGET, "release", "tickcast-load"), ["--url", `ws://127.0.0.1:${port}/ws`, "--json", "--allow-lag", ...args]);
  const open = () => readdirSync(`/proc/${child.pid}/fd`).length;
  const before = open();
  const gone = load("--idle", String(sessions), "--connect-rate", "3000", "--header", BASIC, "--duration-s", "60");
  while (open() < before + sessions) await sleep(50);
  const others = load("--sessions", "100", "--symbols", "AAPL,MSFT", "--symbols-per-session", "2", "--duration-s", "6",
    "--header", `Authorization: Basic ${Buffer.from("left:left").toString("base64")}`);
  await sleep(3_000);
  writeFileSync(path, left);
  const begun = performance.now();
  child.kill("SIGHUP");
  while (open() > before + 200) await sleep(5);
  const ms = performance.now() - begun;
  await others.ended;
  const { latency_us: latency, completeness } = JSON.parse(others.output);
  gone.kill("SIGKILL");
  child.kill("SIGKILL");
  await child.ended;
  return { ms, p50: latency.p50 / 1_000, most: latency.max / 1_000, missing: completeness.missing };
}

const { values: chosen, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
const rounds = Number(chosen.rounds);
if (positionals[0] === "deliveries" && chosen.old) {
  const load = ["--allow-lag", "--connect-rate", "2500", "--warmup-s", "1", "--sessions", "1000", "--symbols", "SYM000..SYM499", "--duration-s", chosen.seconds];
  /** @type {Variant[]} */
  const variants = [
    { label: "before", server: chosen.old },
    { label: "now, without keys", server: chosen.new },
    { label: "now, with a key", server: chosen.new, env: KEYS, header: BASIC },
  ];
  await compare(variants, rounds, load, {
    "CPU µs": ({ report }) => report.server.cpu_us_per_event,
    "user µs": ({ report }) => report.server.cpu_user_us_per_event,
    "core": ({ report }) => report.server.cpu_fraction,
  });
} else if (positionals[0] === "handshakes") {
  const sessions = Number(chosen.sessions);
  const load = ["--connect-rate", "0", "--warmup-s", "0", "--duration-s", "0.1", "--idle", chosen.sessions];
  const capacity = { TICKCAST__SERVER__CONNECTIONS_MAX: String(sessions + 1) };
  /** @type {Variant[]} */
  const variants = [
    { label: "without a key", server: chosen.new, env: capacity },
    { label: "with a key", server: chosen.new, env: { ...capacity, ...KEYS }, header: BASIC },
    { label: "RS256, remembered", server: chosen.new, env: { ...capacity, ...TOKENS }, header: BEARER },
    { label: "RS256, each time verified", server: chosen.new, env: { ...capacity, ...TOKENS, TICKCAST__AUTH__CACHE_MAX: "0" }, header: BEARER },
  ];
  await compare(variants, rounds, load, {
    "CPU µs": ({ cpu }) => cpu / sessions,
    "a second on one core": ({ cpu }) => (sessions / cpu) * 1e6,
  });
} else if (positionals[0] === "revocation") {
  for (let round = 1; round <= rounds; round += 1) {
    const { ms, p50, most, missing } = await revoke(chosen.new, Number(chosen.sessions));
    console.log(`round ${round}: gone in ${ms.toFixed(0)} ms; events of others: p50 ${p50.toFixed(1)} ms, at most ${most.toFixed(1)} ms, ${missing} missing`);
  }
} else {
  console.error("deliveries --old FILE, handshakes, or revocation");
  process.exitCode = 2;
}
