// @ts-check
// Checks that the client tells what the server permits, and takes a snapshot of a key that lacks channels.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { readFrame } from "../protocol.js";
import { Client } from "../tickcast.js";
import { Socket } from "./socket.js";

const LIMITS = { symbols: 100, max_hz: 10, channels: ["trades", "bars.1m"], delay_ms: 900_000 };
/** @type {Client[]} */
const clients = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  Socket.all = [];
});

/** @param {Record<string, unknown>} options */
function start(options) {
  const client = new Client("http://localhost/", /** @type {import("../options.js").Options} */ (/** @type {unknown} */ ({ WebSocket: Socket, ...options })));
  clients.push(client);
  client.connect();
  return client;
}

test("the limits of the last welcome are known before anything is subscribed, and those of a renewal replace them", () => {
  const client = start({ transports: ["websocket"] });
  assert.deepEqual([client.limits, client.symbols_max], [null, Infinity]);
  /** @type {unknown[]} */
  const seen = [];
  client.on("open", () => seen.push(client.limits));
  Socket.last.say({ type: "welcome", epoch: "e1", offset: 90, heartbeat_ms: 15_000, limits: LIMITS });
  assert.deepEqual([seen, client.symbols_max], [[LIMITS], 100]);
  Socket.last.say({ type: "auth", name: "desk7", limits: { symbols: 7 } });
  assert.deepEqual([client.limits, client.symbols_max], [{ symbols: 7 }, 7]);
});

test("a poll that is refused for what the key lacks is given up, and told", async () => {
  const problem = { code: "forbidden_mode", detail: "mode latest" };
  const options = { transports: ["poll"], fetch: /** @param {string} url */ async (url) => (url.includes("poll?") ? Response.json(problem, { status: 403 }) : Response.json({ epoch: "e1" })) };
  const client = start(options);
  client.subscribe("AAPL");
  const error = await new Promise((resolve, reject) => {
    client.on("error", resolve);
    client.on("status", ({ failure }) => failure && reject(new Error(`the connection has failed: ${failure.cause}`)));
  });
  assert.deepEqual([error.code, error.message], ["forbidden_mode", "mode latest"]);
});

test("a snapshot without the channels that the key lacks is no garbage", () => {
  const quotes = { type: "snapshot", symbol: "AAPL", offset: 5, ts: 1, bid: 1, bid_size: 1, ask: 2, ask_size: 1, prev_close: 1, seq: { quotes: 4 } };
  assert.deepEqual(readFrame(JSON.stringify([quotes])), [quotes]);
  assert.throws(() => readFrame(JSON.stringify([{ ...quotes, price: "1" }])), SyntaxError);
});
