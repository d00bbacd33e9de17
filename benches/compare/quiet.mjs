// @ts-check
// Measures the CPU time of all processes other than the server and the load generator: above a limit, it spoils a measurement.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const SAMPLE_MS = 200;
const PROBE_MS = 600;
/** The most CPU time of other processes, as a share of one core, that does not spoil a measurement. */
export const FOREIGN_MAX = 0.1;

/** Returns the busy time of all cores, in ticks. */
function busy() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].trim().split(/\s+/).slice(1).map(Number);
  return user + nice + system + irq + softirq + steal;
}

/** Returns the CPU time of a process in ticks, or null if it has ended. @param {number} pid */
function used(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
    return user + system;
  } catch {
    return null;
  }
}

const TICKS_PER_SECOND = 100;

/**
 * Watches the machine until stop() is called, which returns the CPU time of other processes as a share of one core.
 * @param {(number | undefined)[]} pids of the processes under test; undefined for one that could not start
 */
export function watch(...pids) {
  const all = [process.pid, ...pids].filter((pid) => pid !== undefined);
  const ticksOfAll = () => all.reduce((/** @type {number | null} */ sum, pid) => {
    const ticks = used(pid);
    return sum === null || ticks === null ? null : sum + ticks;
  }, 0);
  const first = ticksOfAll() ?? 0;
  const [start, before] = [performance.now(), busy()];
  let [own, end, after] = [first, start, before];
  const timer = setInterval(() => {
    const ticks = ticksOfAll();
    // The last ticks of a process that has ended cannot be read, so the last moment that counts is one at which all were there.
    if (ticks !== null) [own, end, after] = [ticks, performance.now(), busy()];
  }, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return end > start ? Math.max(0, after - before - (own - first)) / TICKS_PER_SECOND / ((end - start) / 1000) : 0;
    },
  };
}

/** Waits until other processes are idle, for `waitMs` at the most. Returns whether they are. @param {number} waitMs @param {(number | undefined)[]} pids */
export async function quiet(waitMs, ...pids) {
  for (const limit = Date.now() + waitMs; ; ) {
    const watched = watch(...pids);
    await sleep(PROBE_MS);
    if (watched.stop() <= FOREIGN_MAX) return true;
    if (Date.now() > limit) return false;
  }
}
