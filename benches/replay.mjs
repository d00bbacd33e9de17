// @ts-check
// Measures a replay without a pace: events a second into the hubs without clients, then to one client of all symbols without loss, and the
// memory of the server over the file.
//
//     node benches/replay.mjs [--events N] [--symbols N] [--server FILE] [--out FILE]
//
// The file has N events of as many symbols, four quotes for each trade, a millisecond apart; it is written to target/replay and removed.
// Memory is flat if the most in the last three tenths of the file is at most a tenth above the most in the three tenths before. The exit
// code is 1 if it is not, or if the client misses an event; 2 if the measurement failed.
import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child, endAll } from "./compare/child.mjs";
import { TARGET } from "./compare/paths.mjs";

const FOLDER = join(TARGET, "replay");
const START_MS_MAX = 60_000;
const GROWN_MAX = 1.1;
/** From here on the rings of the server are full: those of one-second bars have 3,000 of each symbol. */
const FULL_FROM = 0.4;
const LATER_FROM = 0.7;
const FIRST_TS = 1_764_599_400_000_000;
const SPACING_MICROS = 1_000;
const OPTIONS = /** @type {const} */ ({
  events: { type: "string", default: "10000000" },
  symbols: { type: "string", default: "500" },
  out: { type: "string" },
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
});

process.on("exit", () => {
  endAll();
  rmSync(FOLDER, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** Writes the table of tickcast. @param {string} path @param {number} events @param {number} symbols */
async function write(path, events, symbols) {
  const file = createWriteStream(path, { highWaterMark: 1 << 20 });
  file.write("type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size\n");
  const cents = Array.from({ length: symbols }, (_, each) => 10_000 + 37 * each);
  const names = cents.map((_, each) => `SYM${String(each).padStart(3, "0")}`);
  // A linear congruential generator: the file is the same each time.
  let random = 1;
  let lines = "";
  for (let place = 0; place < events; place++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const symbol = (random >>> 8) % symbols;
    cents[symbol] = Math.max(cents[symbol] + ((random >>> 20) % 3) - 1, 100);
    const [price, size] = [cents[symbol], 1 + ((random >>> 12) % 300)];
    const ts = FIRST_TS + place * SPACING_MICROS;
    const dollars = (/** @type {number} */ each) => (each / 100).toFixed(2);
    lines += place % 5 === 0 ? `trade,${names[symbol]},${ts},${dollars(price)},${size},,,,\n` : `quote,${names[symbol]},${ts},,,${dollars(price - 1)},${size},${dollars(price + 1)},${size}\n`;
    if (lines.length > 1 << 20 || place === events - 1) {
      if (!file.write(lines)) await once(file, "drain");
      lines = "";
    }
  }
  file.end();
  await once(file, "close");
}

/** @param {Child} child */
async function succeeded(child) {
  const code = await child.ended;
  if (code !== 0) throw new Error(`exit code ${code}: ${child.errors}`);
}

/** @param {string} program @param {string} file @param {string[]} args */
async function serve(program, file, args) {
  const child = new Child(program, ["replay", file, "--speed", "max", "--paused", "--original-time", "--port", "0", ...args]);
  for (const limit = Date.now() + START_MS_MAX; Date.now() < limit; await sleep(20)) {
    const found = child.errors.match(/listening url=(http:\/\/127\.0\.0\.1:\d+)\//);
    if (found) return { url: found[1], child };
  }
  throw new Error(`the server does not listen: ${child.errors}`);
}

/** @param {Child} child @param {string} key */
function megabytes(child, key) {
  const found = readFileSync(`/proc/${child.pid}/status`, "utf8").match(new RegExp(`^${key}:\\s+(\\d+) kB`, "m"));
  return Number(found?.[1]) / 1_024;
}

/** CPU seconds of the process. @param {Child} child */
function cpu(child) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Plays the file to its end. @param {{ url: string, child: Child }} server */
async function play({ url, child }) {
  const feed = async () => /** @type {{ state: string, position: number }} */ (await (await fetch(`${url}/api/v1/feed`)).json());
  const [begun, cpuBefore] = [performance.now(), cpu(child)];
  const answer = await fetch(`${url}/api/v1/feed/resume`, { method: "POST" });
  if (!answer.ok) throw new Error(`resume: ${answer.status} ${await answer.text()}`);
  /** @type {{ position: number, rss: number }[]} */
  const memory = [];
  for (let state = "running"; state !== "ended"; await sleep(100)) {
    const now = await feed();
    state = now.state;
    memory.push({ position: now.position, rss: megabytes(child, "VmRSS") });
  }
  const seconds = (performance.now() - begun) / 1_000;
  const most = (/** @type {number} */ from, /** @type {number} */ to) => Math.max(...memory.filter(({ position }) => position >= from && position <= to).map(({ rss }) => rss));
  return { seconds, cpu_seconds: cpu(child) - cpuBefore, rss_before_mb: most(FULL_FROM, LATER_FROM), rss_later_mb: most(LATER_FROM, 1) };
}

/** @param {string} url */
async function sessions(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(text.match(/^tickcast_sessions (\d+)$/m)?.[1] ?? Number.NaN);
}

/** @param {string} program @param {string} file */
async function withClient(program, file) {
  const server = await serve(program, file, ["--lossless"]);
  const args = ["--url", `${server.url.replace("http", "ws")}/ws`, "--sessions", "1", "--symbols", "*", "--channels", "trades,quotes"];
  const load = new Child(join(TARGET, "release", "tickcast-load"), [...args, "--warmup-s", "0", "--duration-s", "600", "--json"]);
  for (const limit = Date.now() + START_MS_MAX; (await sessions(server.url)) !== 1; await sleep(20)) {
    if (Date.now() > limit || !load.isAlive) throw new Error(`no session: ${load.errors}`);
  }
  await sleep(500);
  const played = await play(server);
  load.kill("SIGINT");
  await load.ended;
  const report = JSON.parse(load.output);
  server.child.kill("SIGTERM");
  return { ...played, events: report.window.events, completeness: report.completeness, lag: report.lag, failures: report.failures };
}

async function run() {
  const { values: chosen } = parseArgs({ options: OPTIONS });
  const [events, symbols] = [Number(chosen.events), Number(chosen.symbols)];
  mkdirSync(FOLDER, { recursive: true });
  const [csv, dbn] = [join(FOLDER, "events.csv"), join(FOLDER, "events.dbn")];
  await write(csv, events, symbols);
  await succeeded(new Child(chosen.server, ["convert", csv, dbn]));
  rmSync(csv);
  const alone = await serve(chosen.server, dbn, []);
  const hubs = await play(alone);
  alone.child.kill("SIGTERM");
  await alone.child.ended;
  const client = await withClient(chosen.server, dbn);
  const results = { events, symbols, hubs: { events_per_s: events / hubs.seconds, ...hubs }, client: { events_per_s: events / client.seconds, ...client } };
  console.log(JSON.stringify(results, null, 2));
  if (chosen.out) writeFileSync(chosen.out, `${JSON.stringify(results, null, 2)}\n`);
  const isFlat = [hubs, client].every(({ rss_before_mb, rss_later_mb }) => rss_later_mb <= GROWN_MAX * rss_before_mb);
  const isComplete = client.failures.length === 0 && client.lag.skipped === 0;
  console.log(`memory ${isFlat ? "is flat" : "grows"}; the client ${isComplete ? "has every event" : "misses events"}`);
  process.exitCode = isFlat && isComplete ? 0 : 1;
}

await run().catch((err) => {
  console.error(`replay.mjs: ${err.message}`);
  process.exitCode = 2;
});
