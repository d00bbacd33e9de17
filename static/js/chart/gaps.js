// @ts-check
/**
 * Finds the gaps in a row of bars: times without a trade, because the market stood still or the server was down. An interval without
 * trades has no bar, and without room for the gap the chart would join its ends as if they were neighbours.
 *
 * Owns: what counts as a gap, and how much room it has. Does not own: its look (`bands.js`). Pure.
 */

/** @typedef {import("../protocol.js").Interval} Interval */
/** @typedef {{ from: number, to: number }} Gap starts of the bars before and after it, in microseconds */

import { INTERVAL_US } from "../protocol.js";

/** This many intervals without a bar are a gap; fewer are usual for a symbol that trades seldom. */
const MISSING_LEAST = 3;
/** A gap is at least this long, in microseconds: some seconds without a trade are usual. */
const GAP_LEAST_US = 15_000_000;
/** The most places that a gap takes, each as wide as a bar: a night need not be as wide as a day. */
const SLOTS_MAX = 10;

/**
 * Returns the times of the empty places between two neighbouring bars; none if there is no gap.
 * @param {number} from start of the earlier bar, in microseconds
 * @param {number} to start of the later bar
 * @param {Interval} interval
 */
export function slotsBetween(from, to, interval) {
  const step_us = INTERVAL_US[interval];
  const missing = Math.floor((to - from) / step_us) - 1;
  if (missing < MISSING_LEAST || to - from - step_us < GAP_LEAST_US) return [];
  return Array.from({ length: Math.min(missing, SLOTS_MAX) }, (_, index) => from + (index + 1) * step_us);
}

/**
 * Returns all gaps of a row of bars, oldest first.
 * @param {readonly { ts: number }[]} bars
 * @param {Interval} interval
 * @returns {Gap[]}
 */
export function gapsOf(bars, interval) {
  /** @type {Gap[]} */
  const gaps = [];
  for (let index = 1; index < bars.length; index += 1) {
    const [from, to] = [bars[index - 1].ts, bars[index].ts];
    if (slotsBetween(from, to, interval).length > 0) gaps.push({ from, to });
  }
  return gaps;
}
