// @ts-check
// Searches for the capacity of a server: the highest rate at which its latency is low and nothing is lost.
import { attempt, quietMachine } from "./measure.mjs";
import { UNFINISHED } from "./medians.mjs";
import { FOREIGN_MAX } from "./quiet.mjs";
import { scaled } from "./workloads.mjs";

/** The highest p99 latency, in microseconds. */
const P99_MAX = 45_000;
/** The least part of the offered events that must arrive: the market is random, and a measurement short. */
const ARRIVED_MIN = 0.95;
/** A load generator that uses more of its core is the limit, and not the server. */
const GENERATOR_MAX = 0.85;
/** How far apart the highest rate that passed and the lowest that failed may be at the end. */
const PRECISION = 1.06;
/** The steps of the search until there is a rate that passed and one that failed: in the first round, and in the others. */
const [FIRST_STEP, NEXT_STEP] = [2, 1.25];
/** The most measurements of one search. */
const STEPS_MAX = 12;
const QUICK_STEPS_MAX = 3;

/** @typedef {import("./medians.mjs").Measured} Measured */
/** @typedef {import("./medians.mjs").Report} Report */
/** @typedef {import("./workloads.mjs").Variant} Variant */
/** @typedef {import("./measure.mjs").Options} Options */

/** Returns why a measurement does not pass, or null. @param {Report} report @param {number} offered deliveries a second */
function fault(report, offered) {
  const { window, latency_us: latency, completeness, generator, failures } = report;
  if (generator.cpu_fraction > GENERATOR_MAX) return "load";
  if (failures.length > 0) return failures[0];
  if (completeness.missing > 0) return "lost";
  if (!latency || latency.p99 > P99_MAX) return "p99";
  return window.events_per_s < ARRIVED_MIN * offered ? "behind" : null;
}

/** Returns the deliveries a second that a variant asks for. @param {Variant} variant @param {boolean} quick */
const offered = ({ market, load }, quick) => (market.eventsPerSecond * (load.sessions ?? 0) * (load.perSession ?? 0)) / market.symbols / (quick ? 20 : 1);

/**
 * Returns the measurement at the highest rate that passed, with the search.
 * @param {Variant} variant @param {number | undefined} before the factor that was found in the previous round @param {Options} options
 * @returns {Promise<Measured>}
 */
export async function capacity(variant, before, options) {
  if (options.isPatient) await quietMachine();
  const step = before ? NEXT_STEP : FIRST_STEP;
  /** @type {{ factor: number, fault: string | null }[]} */
  const steps = [];
  /** @type {Measured | null} */
  let best = null;
  let [passed, failed, factor] = [0, Infinity, before ?? 1];
  let repeated = false;
  while (steps.length < (options.quick ? QUICK_STEPS_MAX : STEPS_MAX)) {
    const faster = scaled(variant, "events", factor);
    const result = await attempt(faster, options);
    if ("error" in result && !best) return result;
    const why = "error" in result ? "no report" : fault(result.report, offered(faster, options.quick));
    if (why && !repeated && options.isPatient && !("error" in result) && result.foreign > FOREIGN_MAX) {
      // Another process may have caused it.
      repeated = true;
      continue;
    }
    repeated = false;
    steps.push({ factor, fault: why });
    const rate = "error" in result ? "" : `, ${Math.round(result.report.window.events_per_s).toLocaleString("en-US")} deliveries/s`;
    console.error(`  ${factor.toFixed(2)} times the rate${rate}: ${why ?? "passed"}`);
    if (why) failed = factor;
    else [passed, best] = [factor, result];
    if (failed / passed <= PRECISION) break;
    factor = passed === 0 ? failed / step : failed === Infinity ? passed * step : Math.sqrt(passed * failed);
  }
  const stop = steps.find((each) => each.factor === failed)?.fault ?? UNFINISHED;
  return best ? { ...best, capacity: { factor: passed, stop, steps } } : { error: `no rate passed: ${stop}` };
}
