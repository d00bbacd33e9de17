// @ts-check
// Checks how each transport of the comparison, the extra clients and the reference clock reconnect after a break, and when they give up.
// Sockets, streams, answers and timers are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { addressAs } from "../js/tickets.js";
import { Cursor } from "../js/compare/cursor.js";
import { Crowd } from "../js/compare/crowd.js";
import { ANSWER_EVENTS_MAX } from "../js/compare/poll.js";
import { ReferenceClock } from "../js/compare/reference.js";
import { openSource } from "../js/compare/transports.js";
import { snapshot, trade } from "./messages.js";

/** @type {import("../js/compare/query.js").Wish} */
const WISH = { symbols: ["AAPL", "MSFT"], channels: ["trades"], max_hz: null, interval_ms: 1_000 };
const AFTER = { epoch: "a", offset: 10 };
const BACKOFF_MS = 15_000;

/** A target whose listeners the test calls. */
class Fake extends EventTarget {
  static OPEN = 1;
  static CLOSED = 2;
  readyState = 1;
  /** @type {{ action: string, after?: { epoch: string, offset: number } }[]} */
  sent = [];
  /** @param {string | URL} address */
  constructor(address) {
    super();
    this.address = String(address);
  }
  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.tell("close", { code: 1000, reason: "" });
  }
  /** @param {string} type */
  tell(type, values = {}) {
    const event = Object.assign(new Event(type), values);
    /** @type {this & Record<string, ((event: object) => void) | undefined>} */ (this)[`on${type}`]?.(event);
    this.dispatchEvent(event);
  }
  /** @param {({ type: string, id?: string } & Record<string, unknown>)[]} messages */
  say(...messages) {
    this.tell("message", { data: JSON.stringify(messages), lastEventId: messages.at(-1).id ?? "" });
  }
}
class FakeSocket extends Fake {
  /** @type {FakeSocket[]} */
  static made = [];
  /** @param {string | URL} address */
  constructor(address) {
    super(address);
    FakeSocket.made.push(this);
  }
}
class FakeStream extends Fake {
  /** @type {FakeStream[]} */
  static made = [];
  /** @param {string | URL} address */
  constructor(address) {
    super(address);
    FakeStream.made.push(this);
  }
}

/** Requests that wait for an answer. @type {{ url: string, query: URLSearchParams, answer: (status: number, body: object) => void, fail: () => void }[]} */
const requests = [];
/** @param {string} url @param {{ signal: AbortSignal }} options @returns {Promise<Response>} */
const fakeFetch = (url, { signal }) => new Promise((resolve, reject) => {
  /** @param {number} status @param {object} body */
  const answer = (status, body) => resolve(new Response(JSON.stringify(body), { status }));
  const request = { url, query: new URLSearchParams(url.split("?")[1]), answer, fail: () => reject(new TypeError("fetch failed")) };
  signal.addEventListener("abort", () => reject(signal.reason));
  requests.push(request);
});
const NATIVE = { fetch: globalThis.fetch };

// The server asks for no key, and the page knows it.
globalThis.fetch = async () => new Response(null, { status: 204 });
await addressAs("");
globalThis.fetch = NATIVE.fetch;

beforeEach(() => {
  FakeSocket.made.length = FakeStream.made.length = requests.length = 0;
  Object.assign(globalThis, { WebSocket: FakeSocket, EventSource: FakeStream, fetch: fakeFetch, location: { href: "http://localhost/compare" } });
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
});
afterEach(() => {
  mock.timers.reset();
  Object.assign(globalThis, NATIVE);
});

/** Lets everything run that is ready. */
async function settle() {
  for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}
/** @param {number} ms */
async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

/** Opens a source whose calls are written to a log. @param {import("../js/protocol.js").Transport} transport */
function open(transport, wish = WISH) {
  /** @type {(string | number)[]} */
  const log = [];
  const source = openSource(transport, wish, AFTER, "desk-1", {
    opened: (recovered, epoch) => log.push(`opened ${recovered} ${epoch}`),
    take: (messages) => log.push(...messages.filter((message) => message.type === "trade").map((message) => message.offset)),
    reached: () => {},
    lost: ({ kind }) => log.push(`lost ${kind}`),
    failed: ({ kind, detail }) => log.push(`failed ${kind} ${detail}`),
  });
  return { source, log };
}
/** @param {string} epoch */
const welcome = (epoch) => ({ type: "welcome", epoch, heartbeat_ms: 15_000 });
/** @param {boolean} [recovered] */
const subscribed = (recovered) => ({ type: "subscribed", recovered });

test("a broken WebSocket reconnects with its last cursor", async () => {
  const { source, log } = open("websocket");
  const [first] = FakeSocket.made;
  first.tell("open");
  assert.deepEqual(first.sent[0].after, AFTER);
  first.say(welcome("a"), subscribed(true), trade(5, 11), trade(6, 14));
  first.tell("close", { code: 1006, reason: "" });
  await settle();
  assert.equal(FakeSocket.made.length, 1, "not at once");
  await pass(BACKOFF_MS);
  const second = FakeSocket.made[1];
  second.tell("open");
  assert.deepEqual(second.sent[0].after, { epoch: "a", offset: 14 });
  first.say(trade(9, 99));
  second.say(welcome("a"), subscribed(true), trade(7, 15));
  assert.deepEqual(log, ["opened true a", 11, 14, "lost closed", "opened true a", 15]);
  await source.close();
  await pass(BACKOFF_MS);
  assert.equal(FakeSocket.made.length, 2, "not after the end");
});

test("after a void cursor a WebSocket has a cursor again when all snapshots have come", async () => {
  const { source, log } = open("websocket");
  const again = async () => {
    FakeSocket.made.at(-1).tell("close", { code: 4003, reason: "" });
    await settle();
    await pass(BACKOFF_MS);
    FakeSocket.made.at(-1).tell("open");
    return FakeSocket.made.at(-1).sent[0].after;
  };
  /** @param {string} symbol */
  const snapshotOf = (symbol) => snapshot({}, { symbol, offset: 3 });
  FakeSocket.made[0].tell("open");
  assert.deepEqual(await again(), AFTER);
  FakeSocket.made.at(-1).say(welcome("b"), subscribed(false), snapshotOf("AAPL"));
  assert.equal(await again(), undefined, "one of two snapshots is no cursor");
  FakeSocket.made.at(-1).say(welcome("b"), subscribed(), snapshotOf("AAPL"), snapshotOf("MSFT"), trade(2, 4));
  assert.deepEqual(await again(), { epoch: "b", offset: 4 });
  const moved = { type: "epoch", epoch: "c", offset: 9, moved: true };
  FakeSocket.made.at(-1).say(welcome("b"), subscribed(true), trade(3, 8), moved, snapshotOf("AAPL"));
  assert.equal(await again(), undefined, "a replay has moved, and a snapshot is missing");
  FakeSocket.made.at(-1).say(welcome("c"), subscribed(), snapshotOf("AAPL"), snapshotOf("MSFT"));
  FakeSocket.made.at(-1).say({ ...moved, epoch: "d" }, snapshotOf("AAPL"), snapshotOf("MSFT"), trade(2, 10));
  assert.deepEqual(await again(), { epoch: "d", offset: 10 });
  assert.ok(log.includes("opened false b"), log.join());
  await source.close();
});

test("after a restart of the server a WebSocket reconnects without its cursor", async () => {
  const { source, log } = open("websocket");
  FakeSocket.made[0].tell("open");
  FakeSocket.made[0].say(welcome("a"), subscribed(true), { type: "goodbye", reason: "shutdown", retry_after_ms: 840 });
  FakeSocket.made[0].tell("close", { code: 1001, reason: "" });
  await settle();
  await pass(840 + 250);
  const second = FakeSocket.made[1];
  second.tell("open");
  assert.equal(second.sent[0].after, undefined);
  second.say(welcome("b"), subscribed(undefined), snapshot({}, { symbol: "AAPL", offset: 3 }), snapshot({}, { symbol: "MSFT", offset: 3 }), trade(2, 4));
  assert.deepEqual(log, ["opened true a", "lost closed", "opened false b", 4]);
  await source.close();
});

test("after a flood a WebSocket reconnects after five seconds with its cursor", async () => {
  const { source } = open("websocket");
  FakeSocket.made[0].tell("open");
  FakeSocket.made[0].say(welcome("a"), subscribed(true), trade(5, 11));
  FakeSocket.made[0].tell("close", { code: 4000, reason: "too many requests a second" });
  await settle();
  await pass(4_990);
  assert.equal(FakeSocket.made.length, 1);
  await pass(5_010);
  FakeSocket.made[1].tell("open");
  assert.deepEqual(FakeSocket.made[1].sent[0].after, { epoch: "a", offset: 11 });
  await source.close();
});

test("a WebSocket whose messages the server rejects does not reconnect", async () => {
  const { log } = open("websocket");
  FakeSocket.made[0].tell("open");
  FakeSocket.made[0].say(welcome("a"));
  FakeSocket.made[0].tell("close", { code: 1009, reason: "message too big" });
  await settle();
  await pass(BACKOFF_MS);
  assert.deepEqual(log, ["failed closed 1009 message too big"]);
  assert.equal(FakeSocket.made.length, 1);
});

test("a WebSocket does not reconnect after an error message", async () => {
  const { log } = open("websocket");
  const [socket] = FakeSocket.made;
  socket.tell("open");
  socket.say(welcome("a"), { type: "error", code: "limit_exceeded", message: "too many symbols" });
  await settle();
  await pass(BACKOFF_MS);
  assert.deepEqual(log, ["failed refused too many symbols"]);
  assert.equal(FakeSocket.made.length, 1);
});

test("a WebSocket that never answers is given up and tried again", async () => {
  const clock = mock.method(performance, "now", () => 0);
  const { source, log } = open("websocket");
  clock.mock.mockImplementation(() => 6_000);
  await pass(600);
  assert.deepEqual(log, ["lost timeout"]);
  await pass(BACKOFF_MS);
  assert.equal(FakeSocket.made.length, 2);
  clock.mock.restore();
  await source.close();
});

test("with max_hz the cursor stays one interval behind", () => {
  const cursor = new Cursor(AFTER, 1);
  cursor.take([trade(5, 1_000), trade(6, 2_000)]);
  assert.deepEqual(cursor.position, AFTER, "an event of the second before may be held back");
  cursor.take([trade(7, 2_300)]);
  assert.deepEqual(cursor.position, { epoch: "a", offset: 1_000 });
});

test("an event stream refused by an error status is opened again with its last cursor", async () => {
  const { source, log } = open("sse");
  const [first] = FakeStream.made;
  first.say(welcome("a"), subscribed(true), { ...trade(5, 11), id: "a:11" });
  first.readyState = 0;
  first.tell("error");
  first.tell("error");
  first.readyState = FakeStream.CLOSED;
  first.tell("error");
  await pass(BACKOFF_MS);
  assert.equal(new URLSearchParams(FakeStream.made[1].address.split("?")[1]).get("after"), "a:11");
  FakeStream.made[1].say(welcome("b"), subscribed(false));
  assert.deepEqual(log, ["opened true a", 11, "lost unreachable", "opened false b"]);
  await source.close();
});

/** @param {number} offset @param {import("../js/protocol.js").Message[]} messages */
const answer = (offset, messages, recovered = true, epoch = "a") => ({ epoch, offset, cursor: `${epoch}:${offset}`, recovered, messages });

for (const transport of /** @type {const} */ (["long_poll", "short_poll"])) {
  test(`a ${transport} that fails is repeated with the same cursor`, async () => {
    const { source, log } = open(transport);
    requests.shift().answer(200, answer(11, [trade(5, 11)]));
    await settle();
    await pass(1_000);
    requests.shift().fail();
    await settle();
    assert.equal(requests.length, 0, "not at once");
    await pass(BACKOFF_MS);
    requests.shift().answer(503, { title: "draining" });
    await settle();
    await pass(BACKOFF_MS);
    assert.equal(requests[0].query.get("after"), "a:11");
    requests.shift().answer(200, answer(2, [], false, "b"));
    await settle();
    assert.deepEqual(log, ["opened true a", 11, "lost unreachable", "opened false b"]);
    const closed = source.close();
    await settle();
    requests.shift()?.answer(200, answer(2, [], true, "b"));
    await closed;
  });
}

test("a poll refused with 404 does not retry and names the cause", async () => {
  const { log } = open("long_poll");
  requests.shift().answer(404, { code: "unknown_symbol", detail: "no such symbol: XX", symbols: ["XX"] });
  await settle();
  await pass(BACKOFF_MS);
  assert.deepEqual(log, ["opened true a", "failed unknown_symbol XX"]);
  assert.equal(requests.length, 0);
});

test("a short poll with a full answer is repeated at once, at the end too", async () => {
  const { source } = open("short_poll");
  const full = Array.from({ length: ANSWER_EVENTS_MAX }, (_, index) => trade(5 + index, 11 + index));
  requests.shift().answer(200, answer(1_034, full));
  await settle();
  assert.equal(requests[0].query.get("after"), "a:1034", "without waiting for the interval");
  requests.shift().answer(200, answer(1_040, []));
  await settle();
  assert.equal(requests.length, 0, "now it waits");
  const closed = source.close();
  await settle();
  requests.shift().answer(200, answer(2_064, full));
  await settle();
  assert.equal(requests[0].query.get("after"), "a:2064");
  requests.shift().answer(200, answer(2_070, []));
  await closed;
});

test("extra clients are counted while they are served, reconnect, and use the mode of the run", async () => {
  const crowd = new Crowd(2, { ...WISH, max_hz: 4 }, AFTER, "desk-1-x");
  for (const socket of FakeSocket.made) {
    socket.tell("open");
    socket.say(welcome("a"), subscribed(true));
  }
  assert.deepEqual(crowd.served, { websocket: 2, sse: 0, long_poll: 0, short_poll: 0 });
  FakeSocket.made[0].tell("close", { code: 1006, reason: "" });
  await settle();
  assert.equal(crowd.served.websocket, 1);
  FakeSocket.made[1].say({ type: "error", code: "limit_exceeded", message: "too many" });
  await settle();
  assert.equal(crowd.served.websocket, 0, "that one has ended for good");
  for (const wait of ["1000", "1000", "0", "0"]) {
    const request = requests.shift();
    assert.deepEqual([request.query.get("mode"), request.query.get("wait_ms")], ["latest", wait]);
    request.answer(200, answer(11, []));
    await settle();
    await pass(500);
  }
  assert.deepEqual([crowd.served.long_poll, crowd.served.short_poll], [2, 2]);
  requests.shift().fail();
  await settle();
  assert.deepEqual([crowd.served.long_poll, crowd.served.short_poll], [0, 0], "they share a connection");
  await pass(BACKOFF_MS);
  requests.shift().answer(200, answer(12, []));
  await settle();
  assert.equal(crowd.served.long_poll, 1);
  await crowd.close();
});

test("the reference clock reconnects if its socket breaks or does not answer", async () => {
  const clock = new ReferenceClock();
  for (const end of [(/** @type {FakeSocket} */ socket) => socket.tell("close"), () => pass(5_000)]) {
    const socket = FakeSocket.made.at(-1);
    socket.tell("open");
    socket.say({ type: "pong", ts: Date.now() * 1_000, server_ts: Date.now() * 1_000 });
    const before = FakeSocket.made.length;
    await pass(600);
    await end(socket);
    await pass(BACKOFF_MS);
    assert.equal(FakeSocket.made.length, before + 1);
    assert.ok(clock.estimate, "what was known serves meanwhile");
  }
  clock.close();
});
