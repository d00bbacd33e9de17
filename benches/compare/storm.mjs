// @ts-check
// A storm during a measurement: many clients connect at once and later disconnect at once, while single new clients connect one after the
// other (knock.mjs). Returns how long the new clients waited.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { ROOT } from "./paths.mjs";

const KNOCK = join(ROOT, "benches", "compare", "knock.mjs");
/** Connections before the storm, so that the first of them, for which the program is compiled, is not part of it. */
const BEFORE_MS = 500;

/** @typedef {import("./child.mjs").Child} Child */
/** @typedef {import("./knock.mjs").Wait} Wait */

/**
 * Starts `sessions` idle clients with load() after `afterS` seconds, kills them `staysS` seconds later without a close, and connects
 * new clients with knock() for another `goesS`. Returns how long each new client waited, or null if it was not connected.
 *
 * @param {import("./workloads.mjs").Storm} storm @param {string} url
 * @param {{ load: (args: string[]) => Child, knock: (command: string, args: string[]) => Child }} start
 */
export async function storm({ sessions, afterS, staysS, goesS }, url, start) {
  await sleep(Math.max(0, afterS * 1000 - BEFORE_MS));
  const knocking = start.knock(process.execPath, [KNOCK, url]);
  await sleep(BEFORE_MS);
  const before = knocking.output.length;
  const crowd = start.load(["--url", url, "--idle", String(sessions), "--connect-rate", "0", "--duration-s", "60", "--json"]);
  await sleep(staysS * 1000);
  crowd.kill("SIGKILL");
  await crowd.ended;
  await sleep(goesS * 1000);
  knocking.kill("SIGKILL");
  await knocking.ended;
  const lines = knocking.output.slice(before).split("\n").slice(0, -1);
  if (lines.length === 0) throw new Error(`no new client was connected: ${knocking.errors}`);
  return lines.map((line) => /** @type {Wait | null} */ (JSON.parse(line)));
}
