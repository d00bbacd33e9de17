// @ts-check
// Checks that the application's token goes with every connection and request, and renews the key on the open connection.
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { Client } from "../tickcast.js";
import { snapshot, trade } from "./messages.js";
import { Socket } from "./socket.js";

const WELCOME = { type: "welcome", epoch: "e1", offset: 90, heartbeat_ms: 15_000 };
const POLL = { epoch: "e1", offset: 5, cursor: "e1:5", recovered: true, messages: /** @type {object[]} */ ([]) };
const EXPIRING = { type: "auth_expiring", expires_at: 5 };

/** @type {Client[]} */
const clients = [];
afterEach(async () => {
  mock.timers.reset();
  for (const client of clients.splice(0)) await client.close();
  Socket.all = [];
});

/** Lets everything that is due happen. */
const turn = async () => {
  for (let step = 0; step < 20; step += 1) await Promise.resolve();
};

/** @param {Record<string, unknown>} options */
function start(options) {
  const all = { transports: ["websocket"], WebSocket: Socket, ...options };
  const client = new Client("http://localhost/", /** @type {import("../options.js").Options} */ (/** @type {unknown} */ (all)));
  clients.push(client);
  client.connect();
  return client;
}

test("a WebSocket carries the token as a subprotocol, and each connection a new one", async () => {
  const tokens = ["clé/1", "2", null];
  const client = start({ token: async () => tokens.shift() });
  assert.equal(Socket.all.length, 0, "not before there is a token");
  await turn();
  client.reconnect();
  await turn();
  client.reconnect();
  await turn();
  assert.deepEqual(Socket.all.map(({ protocols }) => protocols),
    [["tickcast.v1.json", "tickcast.bearer.Y2zDqS8x"], ["tickcast.v1.json", "tickcast.bearer.Mg"], "tickcast.v1.json"]);
});

test("without the option a WebSocket is opened at once, and nothing is renewed", async () => {
  start({});
  const [socket] = Socket.all;
  assert.equal(socket.protocols, "tickcast.v1.json");
  socket.say(WELCOME, EXPIRING);
  await turn();
  assert.deepEqual(socket.renewals, []);
});

test("a request over HTTP carries the token", async () => {
  /** @type {unknown[]} */
  const seen = [];
  const fetch = async (/** @type {string} */ _url, /** @type {RequestInit} */ { headers }) => {
    seen.push(new Headers(headers).get("authorization"));
    return new Response(JSON.stringify(POLL));
  };
  let calls = 0;
  const client = start({ transports: ["poll"], fetch, token: () => `t${calls++}` });
  const isLive = new Promise((resolve) => client.on("open", resolve));
  client.subscribe("AAPL");
  await isLive;
  assert.ok(seen.length > 0 && seen.every((header) => header === "Bearer t0"), `one token for a connection: ${seen}`);
});

test("a key that ends soon is renewed on the open connection with a new token", async () => {
  let calls = 0;
  const client = start({ token: () => `t${calls++}` });
  client.subscribe("AAPL");
  await turn();
  const [socket] = Socket.all;
  socket.say(WELCOME);
  await turn();
  socket.say(EXPIRING);
  await turn();
  const [renewal] = socket.renewals;
  assert.equal(renewal.token, "t1");
  /** @type {unknown[]} */
  const seen = [];
  client.on("auth", ({ expires_at }) => seen.push(expires_at));
  socket.say({ type: "auth", id: renewal.id, name: "a", expires_at: 9 });
  assert.deepEqual([seen, client.status.state, Socket.all.length], [[9], "live", 1]);
});

test("a renewal that fails is tried again after ten seconds, and not by an abandoned connection", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {(() => string)[]} */
  const answers = [() => "a", () => { throw new Error("no network"); }, () => "b", () => "c"];
  const client = start({ token: () => answers.shift()?.() });
  await turn();
  const [socket] = Socket.all;
  socket.say(WELCOME, EXPIRING);
  await turn();
  assert.deepEqual(socket.renewals, []);
  mock.timers.tick(10_000);
  await turn();
  assert.deepEqual(socket.renewals, []);
  mock.timers.tick(1_000);
  await turn();
  const [{ id }] = socket.renewals;
  socket.say({ type: "error", id, code: "unauthorized", message: "no such key" });
  assert.equal(client.status.state, "live", "the session goes on");
  mock.timers.tick(11_000);
  await turn();
  assert.deepEqual(socket.renewals.map(({ token }) => token), ["b", "c"]);
  socket.say({ type: "error", id: socket.renewals[1].id, code: "unauthorized", message: "no such key" });
  client.pause();
  mock.timers.tick(60_000);
  await turn();
  assert.equal(socket.renewals.length, 2);
});

test("a function that throws is a failure of its own, after which the client tries again", async () => {
  const client = start({ token: () => { throw new Error("no"); } });
  const failure = await new Promise((resolve) => client.on("status", (status) => status.failure && resolve(status.failure)));
  assert.equal(failure.cause, "token");
  assert.deepEqual([client.status.state, Socket.all.length], ["reconnecting", 0]);
});

test("a symbol that the wildcard gains by a renewal begins with its snapshot", async () => {
  const client = start({ token: () => "t" });
  client.subscribe("*");
  await turn();
  const [socket] = Socket.all;
  socket.say(WELCOME);
  await turn();
  const asked = socket.sent.find(({ action }) => action === "subscribe");
  socket.say({ type: "subscribed", id: asked?.id, subscriptions: [] }, snapshot({ trades: 1 }));
  /** @type {string[]} */
  const seen = [];
  client.on("trade", ({ symbol }) => seen.push(symbol));
  socket.say({ type: "subscribed", subscriptions: [] }, snapshot({ trades: 7 }, { symbol: "MSFT", offset: 101 }));
  socket.say(trade(8, 102, { symbol: "MSFT" }), trade(2, 103));
  assert.deepEqual(seen, ["MSFT", "AAPL"]);
});
