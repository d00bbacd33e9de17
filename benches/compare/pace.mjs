// @ts-check
// Sets the rate of a workload by what this machine can do: the bare floor is to use a third of its core. At a rate that fills the core
// of a server, it joins writes in its queues, and the ratios of the servers say nothing.
import { attempt, quietMachine } from "./measure.mjs";
import { pacemaker, scaled } from "./workloads.mjs";

/** The share of the core that the floor is to use. */
const SHARE = 1 / 3;
/** A share as close as this needs no further try. */
const SHARE_ERROR = 0.03;
const TRIES = 3;
/** The most that one try changes the rate by: a try may be disturbed. */
const CORRECTION_MAX = 3;
const SECONDS = 1.5;
/** The least and the most that a rate is multiplied by: enough for machines from a tenth to three times as fast as the usual one. */
const [FACTOR_MIN, FACTOR_MAX] = [0.1, 3];

/** @typedef {import("./workloads.mjs").Workload} Workload */
/** @typedef {{ factor: number, floorCpu: number }} Found what the rate is multiplied by, and the share of the core that the floor used at last */

/**
 * Returns what the rate of a workload is to be multiplied by, or null if the workload has the same rate on every machine.
 * @param {Workload} workload @param {Found | undefined} before of the previous round @param {import("./measure.mjs").Options} options
 * @returns {Promise<Found | null>}
 */
export async function pace(workload, before, options) {
  const { pace } = workload;
  if (!pace) return null;
  let factor = before?.factor ?? 1;
  let floorCpu = NaN;
  if (options.isPatient) await quietMachine();
  for (let tries = options.quick ? 1 : TRIES; tries > 0; tries -= 1) {
    const result = await attempt(scaled(pacemaker(workload, pace), pace.by, factor), { ...options, seconds: SECONDS });
    if ("error" in result) throw new Error(`the floor cannot set the pace of ${workload.name}: ${result.error}`);
    floorCpu = result.report.server?.cpu_fraction ?? NaN;
    console.error(`  the floor uses ${(100 * floorCpu).toFixed(0)} % of its core at ${factor.toFixed(2)} times the rate`);
    if (!(floorCpu > 0) || Math.abs(floorCpu - SHARE) <= SHARE_ERROR) break;
    // So that the factor of the page is one that was measured.
    if (tries === 1) break;
    const correction = Math.min(CORRECTION_MAX, Math.max(1 / CORRECTION_MAX, SHARE / floorCpu));
    factor = Math.min(FACTOR_MAX, Math.max(FACTOR_MIN, factor * correction));
  }
  return { factor, floorCpu };
}
