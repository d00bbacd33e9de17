// @ts-check
// A client that connects, waits for the answer to its handshake and disconnects, again and again until it is killed:
//
//     node benches/compare/knock.mjs ws://HOST:PORT/PATH
//
// Prints a line of JSON for each connection: how long it took, and how much of that this process waited for a CPU that another process
// had, both in milliseconds; null if it was not connected.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const KNOCK_MS = 50;
const KNOCK_MS_MAX = 10_000;

/** Returns the milliseconds that the main thread of this process has been ready to run while another had the CPU. */
const delayed = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;

/** @typedef {{ ms: number, own: number }} Wait */

/** @param {URL} url @returns {Promise<Wait | null>} */
function knock(url) {
  const key = randomBytes(16).toString("base64");
  const lines = [`GET ${url.pathname} HTTP/1.1`, `Host: ${url.host}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const request = [...lines, `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n");
  return new Promise((resolve) => {
    const [began, before] = [performance.now(), delayed()];
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    const end = (/** @type {Wait | null} */ wait) => {
      resolve(wait);
      socket.destroy();
    };
    socket.setTimeout(KNOCK_MS_MAX, () => end(null));
    socket.on("connect", () => socket.write(request));
    socket.once("data", (answer) => {
      // Read at once: what is done with the answer takes time too.
      const wait = { ms: performance.now() - began, own: delayed() - before };
      end(answer.toString("latin1").startsWith("HTTP/1.1 101 ") ? wait : null);
    });
    socket.on("error", () => end(null));
    socket.on("close", () => end(null));
  });
}

const url = new URL(process.argv[2]);
for (;;) {
  console.log(JSON.stringify(await knock(url)));
  await sleep(KNOCK_MS);
}
