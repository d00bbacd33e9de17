// @ts-check
// One hostile client: sends as many expensive requests as its budget permits, and discards the answers. When it is refused for their cost
// it waits as long as it is told to, and then goes on, because a refused request costs the server nearly nothing. It uses raw sockets and
// prepared requests, so that it needs little CPU itself.
//
//     node benches/hostile/attack.mjs KIND PORT [ADDRESS] [DELAY_MS]     until SIGTERM; ADDRESS is the one that it connects from
//
// At its end it prints how many connections it has opened, and how often it was refused, as JSON.
import { get } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The least time between two connections, without which refused ones would be repeated in a busy loop. */
const BACK_MS = 50;
/** How far back a cursor goes: a little less than the server's ring (history.events_max). */
const EVENTS_BACK = 250_000;
/** The requests of one connection. */
const ANSWERS = 8;
/** What says how long to wait: an error of the stream, in milliseconds, and an answer over HTTP, in seconds. */
const WAITS = /** @type {const} */ ([['"retry_after_ms":', 1], ["retry-after: ", 1_000]]);

const [, , kind, port, localAddress = "127.0.0.1", delayMs = "0"] = process.argv;
const waste = Buffer.allocUnsafe(1 << 20);
const count = { connections: 0, refused: 0, bytes: 0 };
process.on("SIGTERM", () => process.stdout.write(`${JSON.stringify(count)}\n`, () => process.exit(0)));

/** Returns the time to wait that an answer names, in milliseconds; 0 for none. @param {Buffer} bytes */
function waitIn(bytes) {
  for (const [mark, unitMs] of WAITS) {
    const at = bytes.indexOf(mark);
    if (at >= 0) return Number.parseInt(bytes.toString("latin1", at + mark.length, at + mark.length + 8), 10) * unitMs;
  }
  return 0;
}

/**
 * Connects and sends `head`. `onWait` is told how long to wait, whenever the server says so.
 * @param {string} head @param {() => void} onEnd @param {(ms: number) => void} onWait
 */
function open(head, onEnd, onWait) {
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    socket.destroy();
    onEnd();
  };
  const callback = (/** @type {number} */ length) => {
    count.bytes += length;
    const ms = waitIn(waste.subarray(0, length));
    if (ms > 0) {
      count.refused += 1;
      onWait(ms);
    }
    return true;
  };
  const socket = connect({ host: "127.0.0.1", port: Number(port), localAddress, onread: { buffer: waste, callback } });
  count.connections += 1;
  socket.on("connect", () => socket.write(head)).on("end", end).on("error", end).on("close", end);
  return socket;
}

/** Requests a path over and over, on `parallel` connections. @param {string} path @param {number} parallel */
function requests(path, parallel) {
  const ask = (/** @type {string} */ connection) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n\r\n`;
  const head = ask("keep-alive").repeat(ANSWERS - 1) + ask("close");
  const one = () => {
    let again = performance.now() + BACK_MS;
    const later = () => setTimeout(one, Math.max(0, again - performance.now()));
    open(head, later, (ms) => {
      again = performance.now() + ms;
    });
  };
  for (let index = 0; index < parallel; index += 1) one();
}

/** A text frame with the mask 0, which leaves the text as it is. @param {object} message */
function frame(message) {
  const text = Buffer.from(JSON.stringify(message));
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), text]);
}

const HANDSHAKE = `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Sends these frames over and over on one WebSocket, which reconnects when it is closed. @param {Buffer} bytes @param {number} everyMs */
function frames(bytes, everyMs) {
  const one = () => {
    let again = 0;
    const timer = setInterval(() => performance.now() >= again && socket.writableLength < 1 << 20 && socket.write(bytes), everyMs);
    const end = () => {
      clearInterval(timer);
      setTimeout(one, Math.max(BACK_MS, again - performance.now()));
    };
    const socket = open(HANDSHAKE, end, (ms) => {
      again = performance.now() + ms;
    });
  };
  one();
}

/** Returns a cursor near the end of the server's ring. @returns {Promise<{ epoch: string, offset: number }>} */
function oldest() {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, localAddress, path: "/api/v1/snapshot?symbols=AAPL" }, async (response) => {
      const { epoch, offset } = JSON.parse(Buffer.concat(await response.toArray()).toString());
      resolve({ epoch, offset: Math.max(0, offset - EVENTS_BACK) });
    });
    request.on("error", reject);
  });
}

const CHANNELS = ["trades", "quotes", "bars.1s", "bars.1m", "bars.1d"];

await sleep(Number(delayMs));
/** Asked for before the attack, which uses up the connections of its address. */
const after = await oldest();

/** @type {Record<string, () => void>} */
const means = {
  /** The largest subscription, as often as one session may ask. */
  subscribes: () => frames(frame({ action: "subscribe", symbols: ["*"], channels: CHANNELS }), 5),
  /** Every second a burst of requests that go back as far as one can for what seldom comes. */
  cursors: () => {
    const [symbols, channels] = [["AAPL"], ["bars.1h"]];
    const pair = [frame({ action: "subscribe", symbols, channels, after }), frame({ action: "unsubscribe", symbols, channels })];
    frames(Buffer.concat(Array(500).fill(pair).flat()), 1_000);
  },
  /** Everything that has happened, again and again. */
  recoveries: () => {
    const symbols = ["*"];
    const pair = [frame({ action: "subscribe", symbols, channels: CHANNELS, after }), frame({ action: "unsubscribe", symbols })];
    frames(Buffer.concat(pair), 1_000);
  },
  /** A thousand long answers about bars at the same time, and as many short ones. */
  bars: () => requests("/api/v1/bars?symbol=AAPL&interval=1m&limit=3000", 1_000),
  "short-bars": () => requests("/api/v1/bars?symbol=AAPL&interval=1m&limit=1", 1_000),
  /** A hundred snapshots of every symbol at the same time, and lists of them, of this server and of a vendor's dialect. */
  snapshots: () => requests("/api/v1/snapshot", 100),
  lists: () => {
    requests("/api/v1/symbols", 50);
    requests("/v2/snapshot/locale/us/markets/stocks/tickers?apiKey=tickcast", 50);
  },
  /** 300 polls with an old cursor at the same time. */
  polls: () => requests(`/api/v1/poll?symbols=AAPL&channels=bars.1h&wait_ms=0&after=${after.epoch}:${after.offset}`, 300),
};

for (const begin of kind === "everything" ? Object.values(means) : [means[kind]]) begin();
