// @ts-check
// Starts a server for a measurement of a replay, gives it orders, and reads what it costs. Measures nothing.
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { Child, endAll } from "../compare/child.mjs";

const START_MS_MAX = 60_000;

/** @typedef {{ url: string, child: Child }} Server */
/** @typedef {{ state: string, position: number, market_ts: number, file_ts: number, from: number, to: number }} Feed */

/** When this program ends, or is ended: ends its children, and removes the folder. @param {string} folder */
export function removeAtEnd(folder) {
  process.on("exit", () => {
    endAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
}

/** Waits for a condition. @param {() => boolean | Promise<boolean>} holds @param {() => string} complaint */
export async function until(holds, complaint) {
  for (const limit = Date.now() + START_MS_MAX; !(await holds()); await sleep(20)) {
    if (Date.now() > limit) throw new Error(complaint());
  }
}

/** @param {Child} child */
export async function succeeded(child) {
  const code = await child.ended;
  if (code !== 0) throw new Error(`exit code ${code}: ${child.errors}`);
}

/** Starts a server on a free port. @param {string} program @param {string[]} args @param {NodeJS.ProcessEnv} [env] @returns {Promise<Server>} */
export async function serve(program, args, env = {}) {
  const child = new Child(program, [...args, "--port", "0"], env);
  let url = "";
  await until(
    () => {
      url = child.errors.match(/listening url=(http:\/\/127\.0\.0\.1:\d+)\//)?.[1] ?? "";
      return url !== "" || !child.isAlive;
    },
    () => `the server does not listen: ${child.errors}`,
  );
  if (url === "") throw new Error(`the server has ended: ${child.errors}`);
  return { url, child };
}

/** @param {Server} server */
export async function end({ child }) {
  child.kill("SIGTERM");
  await child.ended;
}

/** @param {string} url @returns {Promise<Feed>} */
export async function feed(url) {
  return /** @type {Feed} */ (await (await fetch(`${url}/api/v1/feed`)).json());
}

/** Lets a paused replay begin. @param {string} url */
export async function resume(url) {
  const answer = await fetch(`${url}/api/v1/feed/resume`, { method: "POST" });
  if (!answer.ok) throw new Error(`resume: ${answer.status} ${await answer.text()}`);
}

/**
 * Lets a paused replay begin, by a request that takes as little time as possible. Returns the moments (`performance.now()`) between which it
 * began: before the request was written, and when the answer had come.
 * @param {string} url
 */
export async function begin(url) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  await once(socket, "connect");
  const request = (/** @type {string} */ line) => `${line} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 0\r\n\r\n`;
  // Another request before, so that the server has the connection.
  socket.write(request("GET /api/v1/feed"));
  await once(socket, "data");
  const sent = performance.now();
  socket.write(request("POST /api/v1/feed/resume"));
  const [answer] = await once(socket, "data");
  const answered = performance.now();
  socket.destroy();
  if (!String(answer).startsWith("HTTP/1.1 200 ")) throw new Error(`resume: ${answer}`);
  return { sent, answered };
}

/** A number of `/metrics`. @param {string} url @param {string} name */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name} (\\d+)$`, "m"))?.[1] ?? Number.NaN);
}

/** @param {Child} child */
export function megabytes(child) {
  const found = readFileSync(`/proc/${child.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m);
  return Number(found?.[1]) / 1_024;
}

/** CPU seconds of the process. @param {Child} child */
export function cpu(child) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
