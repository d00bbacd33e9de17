// @ts-check
// Whether the machine has been left alone: CPU time that neither the server nor the load generator has used. Measures nothing else.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const SAMPLE_MS = 200;
const PROBE_MS = 600;
/** Above this share of one core the work of others spoils a measurement. */
export const FOREIGN_MAX = 0.1;

/** Busy time of all cores in ticks. */
function busy() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].trim().split(/\s+/).slice(1).map(Number);
  return user + nice + system + irq + softirq + steal;
}

/** CPU time of a process in ticks, or null when it has ended. */
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
 * Watches until stop() is called, which returns the share of one core that others have used.
 * @param {(number | undefined)[]} pids of processes that are not others; undefined for one that could not start
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

/** Waits until nobody but these is busy, at most so long; returns whether it is so. */
export async function quiet(waitMs, ...pids) {
  for (const limit = Date.now() + waitMs; ; ) {
    const watched = watch(...pids);
    await sleep(PROBE_MS);
    if (watched.stop() <= FOREIGN_MAX) return true;
    if (Date.now() > limit) return false;
  }
}
