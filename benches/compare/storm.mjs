// @ts-check
// A storm during a measurement: many clients connect at once and later disconnect at once, while single new clients connect one after the
// other. Measures how long the new clients wait.
import { randomBytes } from "node:crypto";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const KNOCK_MS = 50;
const KNOCK_MS_MAX = 10_000;

/** Returns the milliseconds until a new client's handshake is answered, or null if it is refused. @param {string} url @returns {Promise<number | null>} */
function knock(url) {
  const began = performance.now();
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64") };
  return new Promise((resolve) => {
    const request = get(url.replace(/^ws/, "http"), { headers, agent: false, timeout: KNOCK_MS_MAX });
    const end = (/** @type {number | null} */ result) => {
      resolve(result);
      request.destroy();
    };
    request.on("upgrade", (_, socket) => {
      end(performance.now() - began);
      socket.destroy();
    });
    for (const failure of ["response", "timeout", "error"]) request.on(failure, () => end(null));
  });
}

/** @param {string} url @param {number} seconds @param {(number | null)[]} waits */
async function knockFor(url, seconds, waits) {
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    waits.push(await knock(url));
    await sleep(KNOCK_MS);
  }
}

/**
 * Starts `sessions` idle clients with start() after `afterS` seconds, kills them `staysS` seconds later without a close, and connects
 * new clients for another `goesS`. Returns how long each new client waited, in milliseconds, or null if it was not connected.
 *
 * @param {import("./workloads.mjs").Storm} storm @param {string} url @param {(args: string[]) => import("./child.mjs").Child} start
 */
export async function storm({ sessions, afterS, staysS, goesS }, url, start) {
  await sleep(afterS * 1000);
  /** @type {(number | null)[]} */
  const waits = [];
  const crowd = start(["--url", url, "--idle", String(sessions), "--connect-rate", "0", "--duration-s", "60", "--json"]);
  await knockFor(url, staysS, waits);
  crowd.kill("SIGKILL");
  await crowd.ended;
  await knockFor(url, goesS, waits);
  return waits;
}
