// @ts-check
// Checks how often a client connects to a server that ends every connection, whatever it says: never in a tight loop, never before it
// was told to, and not in step with others. Sockets, answers, clock and randomness are the test's own.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { adviceOf } from "../closing.js";
import { Silences } from "../silences.js";
import { Client } from "../tickcast.js";

/** @typedef {{ transport: "websocket" | "http", at_ms: number, end?: End, isReady?: boolean }} Attempt */
/** @typedef {{ code: number, welcome: boolean, goodbye_ms: number | null, status: number, after_s: number | null, body?: string }} End how a server ends a connection */

const NATIVE = { WebSocket: globalThis.WebSocket, fetch: globalThis.fetch };
const MINUTE_MS = 60_000;
/** The attempts of one minute: three transports, and half the longest delay. */
const PER_MINUTE_MAX = 3 * (MINUTE_MS / 7_500 + 1);
/** Those of the first minute, whose delays begin with a quarter of a second. */
const FIRST_MINUTE_MAX = 3 * 12;

let now_ms = 0;
/** @type {Attempt[]} */
let attempts = [];
/** @type {() => End} */
let nextEnd;

/** A sequence of numbers from 0 up to 1 (mulberry32). @param {number} seed */
const numbers = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
  return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
};

class HostileSocket {
  readyState = 1;
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;
  constructor() {
    const end = nextEnd();
    attempts.push({ transport: "websocket", at_ms: now_ms, end, isReady: end.welcome });
    queueMicrotask(() => {
      /** @param {object} message */
      const say = (message) => this.onmessage?.({ data: JSON.stringify([message]) });
      if (end.welcome) say({ type: "welcome", epoch: "e1", offset: 1, heartbeat_ms: 15_000 });
      if (end.welcome && end.goodbye_ms !== null) say({ type: "goodbye", reason: "shutdown", retry_after_ms: end.goodbye_ms });
      this.onclose?.({ code: end.code, reason: "" });
    });
  }
  send() {}
  close() {}
}

const hostileFetch = async () => {
  const end = nextEnd();
  attempts.push({ transport: "http", at_ms: now_ms, end });
  if (end.status === 0) throw new TypeError("fetch failed");
  /** @type {Record<string, string>} */
  const headers = end.after_s === null ? {} : { "retry-after": String(end.after_s) };
  return new Response(end.body ?? "{}", { status: end.status, headers });
};

beforeEach(() => {
  now_ms = 0;
  attempts = [];
  Object.assign(globalThis, { WebSocket: HostileSocket, fetch: hostileFetch });
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now_ms);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  Object.assign(globalThis, NATIVE);
});

/** Lets time pass. @param {number} ms */
async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 50) {
    now_ms += 50;
    mock.timers.tick(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @param {number} minutes */
function checkPace(minutes, what = "") {
  for (let from_ms = 0; from_ms < minutes * MINUTE_MS; from_ms += 5_000) {
    const count = attempts.filter(({ at_ms }) => at_ms >= from_ms && at_ms < from_ms + MINUTE_MS).length;
    assert.ok(count <= (from_ms < MINUTE_MS ? FIRST_MINUTE_MAX : PER_MINUTE_MAX), `${count} attempts within a minute from ${from_ms} ms: ${what}`);
  }
}

/** @param {number} seed @param {readonly ("websocket" | "sse" | "poll")[]} [transports] */
function start(seed, transports = ["websocket", "sse", "poll"]) {
  const client = new Client("http://localhost/", { transports, random: numbers(seed) });
  client.subscribe("AAPL");
  client.connect();
  return client;
}

test("a server that closes at once, a thousand times, is not asked more often than its delays allow", async () => {
  for (const end of [
    { code: 1000, welcome: true, goodbye_ms: null }, { code: 1001, welcome: true, goodbye_ms: 0 }, { code: 1006, welcome: true, goodbye_ms: null },
    { code: 1006, welcome: false, goodbye_ms: null }, { code: 4004, welcome: true, goodbye_ms: 0 },
  ]) {
    attempts = [];
    now_ms = 0;
    nextEnd = () => ({ ...end, status: 0, after_s: null });
    const client = start(1);
    await pass(4 * MINUTE_MS);
    assert.ok(attempts.length >= 15, `it goes on: ${attempts.length}`);
    checkPace(4, JSON.stringify(end));
    await client.close();
  }
});

test("whatever servers say, a client obeys their delays and codes, and is never in a loop", async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    attempts = [];
    now_ms = 0;
    const random = numbers(seed);
    /** @template T @param {readonly T[]} values */
    const one = (values) => values[Math.floor(random() * values.length)];
    const isFinal = seed % 4 === 0;
    nextEnd = () => ({
      code: one([1000, 1001, 1006, 1011, 1013, 4000, 4001, 4002, 4003, 4004, ...(isFinal ? [1002, 1009, 4501] : [])]), welcome: random() < 0.7,
      goodbye_ms: one([null, null, 0, 50, 840, 20_000]), status: one([0, 200, 404, 429, 500, 503]), after_s: one([null, 0, 1, 40]), body: one(["{}", "<html>", "[]"]),
    });
    const client = start(1_000 + seed, seed % 2 === 0 ? ["websocket"] : undefined);
    await pass(3 * MINUTE_MS);
    checkPace(3, `seed ${seed}`);
    for (const [index, { at_ms, end, isReady, transport }] of attempts.entries()) {
      // Where no WebSocket gets through, the next transport is tried at once.
      if (!end || transport !== "websocket" || (!isReady && end.code === 1006)) continue;
      const next = attempts[index + 1];
      const { reconnects, delay_ms } = adviceOf(end.code);
      if (!reconnects) assert.equal(next, undefined, `seed ${seed}: an attempt after ${end.code}`);
      const least_ms = Math.max(delay_ms, isReady ? end.goodbye_ms ?? 0 : 0);
      if (next) assert.ok(next.at_ms - at_ms >= least_ms, `seed ${seed}: after ${next.at_ms - at_ms} ms instead of ${JSON.stringify(end)}`);
    }
    const isOver = attempts.some(({ end, transport }) => transport === "websocket" && end && !adviceOf(end.code).reconnects);
    if (!isOver) assert.ok(attempts.length > 4, `seed ${seed}: it goes on`);
    await client.close();
  }
});

test("clients that were told the same delay come back at different moments", async () => {
  /** @type {Set<number>} */
  const moments = new Set();
  for (let seed = 1; seed <= 20; seed += 1) {
    attempts = [];
    now_ms = 0;
    nextEnd = () => ({ code: 1001, welcome: true, goodbye_ms: 10_000, status: 0, after_s: null });
    const client = start(seed, ["websocket"]);
    await pass(12_000);
    assert.ok(attempts.length === 2 && attempts[1].at_ms >= 10_000, JSON.stringify(attempts));
    moments.add(attempts[1].at_ms);
    await client.close();
  }
  assert.ok(moments.size >= 4, `${[...moments]}`);
});

test("a better transport that is refused with a delay is tried again after it", async () => {
  const answer = JSON.stringify({ epoch: "e1", offset: 5, cursor: "e1:5", recovered: true, messages: [] });
  /** @type {number[]} */
  const refused = [];
  const fetch = /** @param {string} url */ async (url) => {
    if (!url.includes("/stream?")) return new Response(answer);
    refused.push(now_ms);
    return new Response("{}", refused.length === 1 ? { status: 403 } : { status: 503, headers: { "retry-after": "200" } });
  };
  const client = new Client("http://localhost/", { transports: ["sse", "poll"], random: () => 0, fetch: /** @type {typeof globalThis.fetch} */ (fetch) });
  client.subscribe("AAPL");
  client.connect();
  await pass(6 * MINUTE_MS);
  await client.close();
  assert.ok(refused.length === 3 && refused[2] - refused[1] >= 200_000, JSON.stringify(refused));
});

test("a server that answers long polls at once with nothing is asked twice a second", async () => {
  const answer = JSON.stringify({ epoch: "e1", offset: 5, cursor: "e1:5", recovered: true, messages: [] });
  nextEnd = () => ({ code: 1006, welcome: false, goodbye_ms: null, status: 200, after_s: null, body: answer });
  const client = start(1, ["poll"]);
  await pass(10_000);
  assert.ok(attempts.length > 10 && attempts.length < 30, `${attempts.length} polls in 10 s`);
  await client.close();
});

test("a transport is left at its second silence in a row, and tried again later each time", () => {
  const silences = new Silences(60_000);
  const delays = [0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000].map((at_ms) => [silences.note("websocket", at_ms), silences.upgradeDelay(0.5)]);
  assert.deepEqual(delays, [[false, 60_000], [true, 60_000], [true, 120_000], [true, 240_000], [true, 480_000], [true, 480_000], [true, 480_000]]);
  assert.equal(silences.note("sse", 600_000), false, "each transport counts for itself");
  assert.equal(silences.note("websocket", 1_300_000), false, "long ago");
  assert.equal(silences.upgradeDelay(0), 45_000, "with jitter");
});
