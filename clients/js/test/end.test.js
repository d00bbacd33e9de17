// @ts-check
// Checks what ends an iteration, and what does not: an answer that cannot be read is none, an error of a listener concerns nobody
// else, and no reader waits for ever.
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { readFrame } from "../protocol.js";
import { Client, ClosedError } from "../tickcast.js";
import { snapshot, trade } from "./messages.js";
import { Socket } from "./socket.js";

const WELCOME = { type: "welcome", epoch: "e1", offset: 90, heartbeat_ms: 15_000 };
const POLL = { epoch: "e1", offset: 5, cursor: "e1:5", recovered: true, messages: /** @type {object[]} */ ([]) };

/** @type {Client[]} */
const clients = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  mock.restoreAll();
});

/** @param {readonly import("../protocol.js").Transport[]} transports @param {(url: string) => unknown} [fetch] */
function start(transports, fetch) {
  const options = { transports, WebSocket: Socket, ...(fetch ? { fetch: /** @param {string} url */ async (url) => fetch(url) } : {}) };
  const client = new Client("http://localhost/", /** @type {import("../options.js").Options} */ (/** @type {unknown} */ (options)));
  clients.push(client);
  client.connect();
  return client;
}

/** Returns why the first connection of a client ends. @param {Client} client */
const failureOf = (client) => new Promise((resolve) => {
  client.on("status", ({ failure }) => failure && resolve(failure.cause));
});

test("an answer to a poll without one of its keys is garbage", async () => {
  for (const key of Object.keys(POLL)) {
    for (const bad of /** @type {unknown[]} */ ([{ ...POLL, [key]: undefined }, { ...POLL, [key]: null }, null, [POLL]])) {
      const answers = [POLL, bad];
      const client = start(["poll"], () => new Response(JSON.stringify(answers.shift())));
      client.subscribe("AAPL");
      assert.equal(await failureOf(client), "garbage", JSON.stringify(bad));
    }
  }
  for (const bad of [{}, { epoch: 7 }, null]) assert.equal(await failureOf(start(["sse"], () => new Response(JSON.stringify(bad)))), "garbage");
});

test("an event of a stream that lacks a key is garbage", async () => {
  for (const bad of [{ type: "welcome" }, { type: "goodbye" }]) {
    const stream = () => new Response(`id: e1:5\ndata: ${JSON.stringify([bad])}\n\n`, { headers: { "content-type": "text/event-stream" } });
    const client = start(["sse"], (url) => (url.includes("/stream?") ? stream() : new Response(JSON.stringify(POLL))));
    client.subscribe("AAPL");
    assert.equal(await failureOf(client), "garbage", JSON.stringify(bad));
  }
});

test("a message with a value of another kind is garbage", () => {
  for (const [good, bad] of /** @type {[object, object][]} */ ([
    [WELCOME, { epoch: 7 }], [WELCOME, { offset: "5" }], [WELCOME, { heartbeat_ms: "15" }],
    [{ type: "goodbye", reason: "full" }, { reason: [] }], [{ type: "goodbye", reason: "full" }, { retry_after_ms: "soon" }],
    [{ type: "subscribed" }, { id: [] }], [{ type: "error", code: "bad_request" }, { symbols: [[]] }], [{ type: "error", code: "bad_request" }, { symbols: 5 }],
    [trade(1, 2), { skipped: "1" }], [snapshot({ trades: 1 }), { seq: { trades: "1" } }],
  ])) {
    assert.deepEqual(readFrame(JSON.stringify([good])), [good]);
    assert.throws(() => readFrame(JSON.stringify([{ ...good, ...bad }])), SyntaxError, JSON.stringify(bad));
  }
});

test("an error of a listener is reported, and keeps no message from anyone", async () => {
  /** @type {unknown[]} */
  const reported = [];
  mock.method(globalThis, "queueMicrotask", /** @param {() => void} task */ (task) => {
    Promise.resolve().then(task).catch((err) => reported.push(err.message));
  });
  const client = start(["websocket"]);
  client.subscribe("AAPL");
  const messages = client.messages();
  client.on("welcome", () => { throw new Error("mine"); });
  client.on("status", () => { throw new Error("mine, too"); });
  await Promise.resolve();
  Socket.last.say(WELCOME, { type: "heartbeat", offset: 95 });
  await client.close();
  /** @type {string[]} */
  const seen = [];
  for await (const { type } of messages) seen.push(type);
  assert.deepEqual(seen, ["open", "welcome", "heartbeat"]);
  assert.deepEqual([...new Set(reported)].sort(), ["mine", "mine, too"]);
});

test("the state of a replay is not taken for the status of the client", async () => {
  const client = start(["websocket"]);
  client.subscribe("AAPL");
  /** @type {unknown[]} */
  const seen = [];
  client.on("status", ({ state }) => seen.push(state));
  client.on("feed", ({ feed }) => seen.push(feed));
  await Promise.resolve();
  Socket.last.say(WELCOME, { type: "status", feed: "paused", epoch: "e1", offset: 95, file_ts: 1, from: 0, to: 2, speed: 1 });
  await client.close();
  assert.deepEqual(seen.filter((each) => each === undefined), []);
  assert.ok(seen.includes("paused"), String(seen));
});

test("an error of the library ends the iteration", async () => {
  // A response without headers.
  const client = start(["poll"], () => ({ ok: false, status: 500 }));
  await assert.rejects(async () => {
    for await (const _ of client) { /* until the end */ }
  }, TypeError);
  assert.equal(client.status.state, "closed");
});

test("an iteration that begins after the end ends, too, and the first end counts", async () => {
  const client = start(["websocket"]);
  const before = client.messages();
  Socket.last.onclose({ code: 4500, reason: "no" });
  for (const messages of [client.messages(), before]) {
    await client.close();
    await assert.rejects(async () => {
      for await (const _ of messages) { /* until the end */ }
    }, ClosedError);
  }
  assert.deepEqual(await client.messages().next(), { done: true, value: undefined });
});
