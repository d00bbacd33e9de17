// @ts-check
// Measures a replay without a pace: events a second into the hubs without clients, then to clients without loss, and the memory of the server
// over the file: one client of all symbols, 100 of twenty symbols each, 1,000 of five each. Then 1,000 clients of a replay at ten times its speed.
//
//     node benches/replay.mjs [--events N] [--symbols N] [--sessions 1,100,1000] [--paced-s N] [--server FILE] [--out FILE]
//
// The file has N events of as many symbols, four quotes for each trade, a millisecond apart; it is written to target/replay and removed.
// Memory is flat if the most in the last three tenths of the file is at most a tenth above the most in the three tenths before. The exit
// code is 1 if it is not, or if a client misses an event; 2 if the measurement failed.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child } from "./compare/child.mjs";
import { TARGET } from "./compare/paths.mjs";
import { steady, write } from "./replay/file.mjs";
import { cpu, end, feed, megabytes, metric, removeAtEnd, resume, serve, succeeded, until } from "./replay/server.mjs";

/** @typedef {import("./replay/server.mjs").Server} Server */

const FOLDER = join(TARGET, "replay");
const GROWN_MAX = 1.1;
/** From here on the rings of the server are full: those of one-second bars have 3,000 of each symbol. */
const FULL_FROM = 0.4;
const LATER_FROM = 0.7;
/** Longer than any replay here. */
const LOAD_S = 3_600;
const PACED_SPEED = 10;
/** The symbols of each client, by the number of clients: each event then has 1, 4 or 10 receivers. @type {Readonly<Record<string, string>>} */
const PER_SESSION = { 1: "*", 100: "20", 1000: "5" };
const OPTIONS = /** @type {const} */ ({
  events: { type: "string", default: "10000000" },
  symbols: { type: "string", default: "500" },
  sessions: { type: "string", default: "1,100,1000" },
  "paced-s": { type: "string", default: "20" },
  out: { type: "string" },
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
});

removeAtEnd(FOLDER);

const { values: chosen } = parseArgs({ options: OPTIONS });
const [events, symbols] = [Number(chosen.events), Number(chosen.symbols)];

/** Starts a replay that waits. @param {string} file @param {string} speed @param {string[]} [args] */
function paused(file, speed, args = []) {
  return serve(chosen.server, ["replay", file, "--speed", speed, "--paused", "--original-time", ...args]);
}

/** Plays the file to its end. @param {Server} server */
async function play({ url, child }) {
  const [begun, cpuBefore] = [performance.now(), cpu(child)];
  await resume(url);
  /** @type {{ position: number, rss: number }[]} */
  const memory = [];
  for (let state = "running"; state !== "ended"; await sleep(100)) {
    const now = await feed(url);
    state = now.state;
    memory.push({ position: now.position, rss: megabytes(child) });
  }
  const seconds = (performance.now() - begun) / 1_000;
  const most = (/** @type {number} */ from, /** @type {number} */ to) => Math.max(...memory.filter(({ position }) => position >= from && position <= to).map(({ rss }) => rss));
  return { seconds, events_per_s: events / seconds, cpu_seconds: cpu(child) - cpuBefore, rss_before_mb: most(FULL_FROM, LATER_FROM), rss_later_mb: most(LATER_FROM, 1) };
}

/**
 * Opens sessions to a server, lets it play, and returns what they have received.
 * @template T @param {Server} server @param {string} sessions @param {() => Promise<T>} played
 */
async function listened(server, sessions, played) {
  const each = PER_SESSION[sessions] ?? "5";
  const wanted = each === "*" ? ["--symbols", "*"] : ["--symbols", `SYM000..SYM${String(symbols - 1).padStart(3, "0")}`, "--symbols-per-session", each];
  const args = ["--url", `${server.url.replace("http", "ws")}/ws`, "--sessions", sessions, "--channels", "trades,quotes", ...wanted];
  const load = new Child(join(TARGET, "release", "tickcast-load"), [...args, "--warmup-s", "0", "--duration-s", String(LOAD_S), "--json"]);
  await until(
    async () => (await metric(server.url, "tickcast_sessions")) === Number(sessions) || !load.isAlive,
    () => `no sessions: ${load.errors}`,
  );
  await sleep(500);
  const result = await played();
  load.kill("SIGINT");
  await load.ended;
  if (load.output === "") throw new Error(`no report: ${load.errors}`);
  const { window, completeness, lag, failures } = JSON.parse(load.output);
  await end(server);
  return { sessions: Number(sessions), symbols_each: each, ...result, delivered: window.events, completeness, lag, failures };
}

/** @param {string} file @param {string} sessions */
async function withClients(file, sessions) {
  const server = await paused(file, "max", ["--lossless"]);
  const found = await listened(server, sessions, () => play(server));
  return { ...found, delivered_per_s: found.delivered / found.seconds };
}

/** @param {string} file @param {string} sessions */
async function paced(file, sessions) {
  const server = await paused(file, String(PACED_SPEED));
  const seconds = Number(chosen["paced-s"]);
  const found = await listened(server, sessions, async () => {
    const before = cpu(server.child);
    await resume(server.url);
    await sleep(seconds * 1_000);
    return { speed: PACED_SPEED, seconds, cpu_fraction: (cpu(server.child) - before) / seconds };
  });
  return { ...found, delivered_per_s: found.delivered / seconds };
}

/** @param {{ lag: { skipped: number }, failures: string[] }} client */
function isComplete({ lag, failures }) {
  return failures.length === 0 && lag.skipped === 0;
}

async function run() {
  mkdirSync(FOLDER, { recursive: true });
  const [csv, dbn] = [join(FOLDER, "events.csv"), join(FOLDER, "events.dbn")];
  await write(csv, steady(events), symbols);
  await succeeded(new Child(chosen.server, ["convert", csv, dbn]));
  rmSync(csv);
  const alone = await paused(dbn, "max");
  const hubs = await play(alone);
  await end(alone);
  console.log(JSON.stringify({ hubs }, null, 2));
  const clients = [];
  for (const sessions of chosen.sessions.split(",")) {
    clients.push(await withClients(dbn, sessions));
    console.log(JSON.stringify(clients.at(-1), null, 2));
  }
  const atPace = await paced(dbn, "1000");
  const results = { events, symbols, hubs, clients, paced: atPace };
  console.log(JSON.stringify(atPace, null, 2));
  if (chosen.out) writeFileSync(chosen.out, `${JSON.stringify(results, null, 2)}\n`);
  const isFlat = [hubs, ...clients].every(({ rss_before_mb, rss_later_mb }) => rss_later_mb <= GROWN_MAX * rss_before_mb);
  const areComplete = [...clients, atPace].every(isComplete);
  console.log(`memory ${isFlat ? "is flat" : "grows"}; the clients ${areComplete ? "have every event" : "miss events"}`);
  process.exitCode = isFlat && areComplete ? 0 : 1;
}

await run().catch((err) => {
  console.error(`replay.mjs: ${err.message}`);
  process.exitCode = 2;
});
