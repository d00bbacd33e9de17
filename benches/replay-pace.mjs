// @ts-check
// Measures how late the events of a replay reach a client: their arrival after the moment at which they are due.
//
//     node benches/replay-pace.mjs [--speeds 1,10,100] [--seconds N] [--rate N] [--server FILE] [--out FILE]
//
// An event is due so long after the beginning of the replay as the file has it after its first event, divided by the speed. The beginning is
// the moment before the client sends the order `resume`, so the way of the order counts as lateness, too (`order_ms` bounds it). Both clocks
// are monotonic. The file has --rate events a second of 100 symbols, at random times. The client compares the time of each event with the
// file, and notices one that is missing or comes before it is due.
//
// Each speed is measured without a coalescing window, where the server writes each step at once; speed 1 with the default settings, too.
// Beside each run is what the same client sees of the simulator at the same rate: arrival after the event's own time, which includes the
// steps of the feed (`feed.step_ms`), the sockets and the client, but no file. `timer_ms` is how late a timer of a millisecond is in the
// client meanwhile.
//
// The exit code is 1 if the p99 at speed 1 is over two milliseconds, or if an event is missing or early; 2 if the measurement failed.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child } from "./compare/child.mjs";
import { TARGET } from "./compare/paths.mjs";
import { random, write } from "./replay/file.mjs";
import { listen } from "./replay/listener.mjs";
import { begin, cpu, end, feed, removeAtEnd, serve, succeeded, until } from "./replay/server.mjs";

const FOLDER = join(TARGET, "replay-pace");
const SYMBOLS = 100;
const LATE_P99_MS_MAX = 2;
/** After the end of the file, for what is still on its way. */
const REST_MS = 1_000;
const MINUTE_MICROS = 60_000_000;
const NO_WINDOW = { TICKCAST__PUSH__COALESCE_MS: "0" };
const OPTIONS = /** @type {const} */ ({
  speeds: { type: "string", default: "1,10,100" },
  seconds: { type: "string", default: "20" },
  rate: { type: "string", default: "1000" },
  out: { type: "string" },
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
});

removeAtEnd(FOLDER);

const { values: chosen } = parseArgs({ options: OPTIONS });
const [seconds, rate] = [Number(chosen.seconds), Number(chosen.rate)];

/** @param {Float64Array} late in milliseconds, in the order of arrival */
function figures(late) {
  const rounded = (/** @type {number} */ value) => Math.round(value * 1_000) / 1_000;
  const at = (/** @type {Float64Array} */ sorted, /** @type {number} */ share) => rounded(sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)]);
  const third = Math.floor(late.length / 3);
  const [sorted, early, last] = [late.toSorted(), late.subarray(0, third).toSorted(), late.subarray(-third).toSorted()];
  const drift = rounded(at(last, 0.5) - at(early, 0.5));
  return { events: late.length, min_ms: at(sorted, 0), p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99), p99_9_ms: at(sorted, 0.999), max_ms: at(sorted, 1), drift_ms: drift };
}

/** Listens to all trades and quotes. @param {string} url @param {(message: any, arrived: number) => void} onEvent */
async function subscribe(url, onEvent) {
  let isSubscribed = false;
  /** @type {string | undefined} */
  let failure;
  const session = await listen(url, (messages, arrived) => {
    for (const message of messages) {
      if (message.type === "trade" || message.type === "quote") onEvent(message, arrived);
      if (message.type === "subscribed") isSubscribed = true;
      if (message.type === "lag" || message.type === "error") failure ??= JSON.stringify(message);
    }
  });
  session.send({ action: "subscribe", symbols: ["*"], channels: ["trades", "quotes"] });
  await until(
    () => isSubscribed || session.ended !== undefined,
    () => "no answer to the subscription",
  );
  return { session, failure: () => failure ?? session.ended };
}

/** Lets some time pass, and returns how late timers were in it. @param {number} ms */
async function timed(ms) {
  const timers = monitorEventLoopDelay({ resolution: 1 });
  timers.enable();
  await sleep(ms);
  timers.disable();
  const late = (/** @type {number} */ nanos) => Math.round(nanos / 1_000) / 1_000 - 1;
  return { p50: late(timers.percentile(50)), p99: late(timers.percentile(99)) };
}

/** @param {string} file @param {Float64Array} times @param {number} speed @param {NodeJS.ProcessEnv} env */
async function replayed(file, times, speed, env) {
  const events = Math.min(Math.round(seconds * rate * speed), times.length);
  const server = await serve(chosen.server, ["replay", file, "--speed", String(speed), "--paused"], env);
  const { market_ts, file_ts, from } = await feed(server.url);
  const shift = market_ts - file_ts;
  if (file_ts !== from || from !== times[0] || shift % MINUTE_MICROS !== 0) throw new Error(`the replay begins at ${file_ts} and ${market_ts}`);
  const late = new Float64Array(events);
  let [arrivals, foreign] = [0, 0];
  const { session, failure } = await subscribe(server.url, (event, arrived) => {
    if (arrivals >= events) return;
    foreign += Number(event.ts !== times[arrivals] + shift);
    late[arrivals] = arrived - (event.ts - shift - from) / speed / 1_000;
    arrivals += 1;
  });
  const before = cpu(server.child);
  const { sent, answered } = await begin(server.url);
  const timers = await timed((times[events - 1] - from) / speed / 1_000 + REST_MS);
  const used = cpu(server.child) - before;
  if (arrivals < events || foreign > 0) throw new Error(`${arrivals} of ${events} events have come, ${foreign} are others: ${failure()}`);
  session.close();
  await end(server);
  const order_ms = Math.round((answered - sent) * 1_000) / 1_000;
  return { order_ms, late: figures(late.map((ms) => ms - sent)), timer_ms: timers, server_cpu: Math.round((used / seconds) * 1_000) / 1_000 };
}

/** @param {number} speed the rate is that of a replay of this speed @param {NodeJS.ProcessEnv} env */
async function simulated(speed, env) {
  const args = { TICKCAST__FEED__EVENTS_PER_SECOND: String(rate * speed), TICKCAST__FEED__EXTRA_SYMBOLS: String(SYMBOLS), ...env };
  const server = await serve(chosen.server, [], args);
  /** @type {number[]} */
  const late = [];
  let isMeasured = false;
  const { session, failure } = await subscribe(server.url, (event, arrived) => {
    if (isMeasured) late.push(performance.timeOrigin + arrived - event.ts / 1_000);
  });
  await sleep(REST_MS);
  isMeasured = true;
  const timers = await timed(seconds * 1_000);
  if (failure() !== undefined) throw new Error(`the simulator: ${failure()}`);
  session.close();
  await end(server);
  return { late: figures(Float64Array.from(late)), timer_ms: timers };
}

async function run() {
  const speeds = chosen.speeds.split(",").map(Number);
  const times = random(Math.ceil(Math.max(...speeds) * seconds * rate), rate);
  mkdirSync(FOLDER, { recursive: true });
  const [csv, dbn] = [join(FOLDER, "events.csv"), join(FOLDER, "events.dbn")];
  await write(csv, times, SYMBOLS);
  await succeeded(new Child(chosen.server, ["convert", csv, dbn]));
  rmSync(csv);
  const runs = [...speeds.map((speed) => ({ speed, window: 0, env: NO_WINDOW })), { speed: 1, window: "default", env: {} }];
  const results = [];
  let isGood = true;
  for (const { speed, window, env } of runs) {
    const [replay, simulator] = [await replayed(dbn, times, speed, env), await simulated(speed, env)];
    results.push({ speed, coalesce_ms: window, replay, simulator });
    console.log(JSON.stringify(results.at(-1)));
    isGood &&= replay.late.min_ms >= 0 && (speed !== 1 || window !== 0 || replay.late.p99_ms <= LATE_P99_MS_MAX);
  }
  if (chosen.out) writeFileSync(chosen.out, `${JSON.stringify(results, null, 2)}\n`);
  console.log(isGood ? `on time: p99 at most ${LATE_P99_MS_MAX} ms at speed 1` : "late or early");
  process.exitCode = isGood ? 0 : 1;
}

await run().catch((err) => {
  console.error(`replay-pace.mjs: ${err.message}`);
  process.exitCode = 2;
});
