// @ts-check
// One hostile client: sends as many expensive requests as it can, and discards the answers. It uses raw sockets and prepared requests,
// so that it needs little CPU itself.
//
//     node benches/hostile/attack.mjs KIND PORT [ADDRESS]        until it is ended; ADDRESS is the one that it connects from
import { get } from "node:http";
import { connect } from "node:net";

/** The least time between two connections, without which refused ones would be repeated in a busy loop. */
const BACK_MS = 50;
/** How far back a cursor goes: a little less than the server's ring (history.events_max). */
const EVENTS_BACK = 250_000;
/** The requests of one connection. */
const ANSWERS = 8;

const [, , kind, port, localAddress = "127.0.0.1"] = process.argv;
const waste = Buffer.allocUnsafe(1 << 20);

/** @param {string} head @param {() => void} onEnd */
function open(head, onEnd) {
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    socket.destroy();
    onEnd();
  };
  const onread = { buffer: waste, callback: () => true };
  const socket = connect({ host: "127.0.0.1", port: Number(port), localAddress, onread });
  socket.on("connect", () => socket.write(head)).on("end", end).on("error", end).on("close", end);
  return socket;
}

/** Requests a path over and over, on `parallel` connections. @param {string} path @param {number} parallel */
function requests(path, parallel) {
  const ask = (/** @type {string} */ connection) => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`;
  const head = ask("keep-alive").repeat(ANSWERS - 1) + ask("close");
  const one = () => {
    const began = performance.now();
    open(head, () => setTimeout(one, Math.max(0, BACK_MS - (performance.now() - began))));
  };
  for (let index = 0; index < parallel; index += 1) one();
}

/** A text frame with the mask 0, which leaves the text as it is. @param {object} message */
function frame(message) {
  const text = Buffer.from(JSON.stringify(message));
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), text]);
}

const HANDSHAKE = `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Sends these frames over and over on one WebSocket, which reconnects when it is closed. @param {Buffer} bytes @param {number} everyMs */
function frames(bytes, everyMs) {
  const one = () => {
    const timer = setInterval(() => socket.writableLength < 1 << 20 && socket.write(bytes), everyMs);
    const socket = open(HANDSHAKE, () => {
      clearInterval(timer);
      setTimeout(one, BACK_MS);
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

/** @type {Record<string, () => void | Promise<void>>} */
const attacks = {
  /** The largest subscription, as often as one session may ask. */
  subscribes: () => frames(frame({ action: "subscribe", symbols: ["*"], channels: ["trades", "quotes", "bars.1s", "bars.1m", "bars.1d"] }), 5),
  /** Every second a burst of requests that go back as far as one can for what seldom comes. */
  cursors: async () => {
    const [symbols, channels, after] = [["AAPL"], ["bars.1h"], await oldest()];
    const pair = [frame({ action: "subscribe", symbols, channels, after }), frame({ action: "unsubscribe", symbols, channels })];
    frames(Buffer.concat(Array(500).fill(pair).flat()), 1_000);
  },
  /** A thousand long answers about bars at the same time, and as many short ones. */
  bars: () => requests("/api/v1/bars?symbol=AAPL&interval=1m&limit=3000", 1_000),
  "short-bars": () => requests("/api/v1/bars?symbol=AAPL&interval=1m&limit=1", 1_000),
  /** A hundred snapshots of every symbol at the same time. */
  snapshots: () => requests("/api/v1/snapshot", 100),
  /** 300 polls with an old cursor at the same time. */
  polls: async () => {
    const { epoch, offset } = await oldest();
    requests(`/api/v1/poll?symbols=AAPL&channels=bars.1h&wait_ms=0&after=${epoch}:${offset}`, 300);
  },
};

await attacks[kind]();
