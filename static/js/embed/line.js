// @ts-check
/**
 * The line of the closes of a day, as points of a picture that is 1,000 wide and 300 high.
 *
 * Owns: the geometry. Does not own: the bars, the element. Pure.
 */

/** @typedef {import("../protocol.js").Bar} Bar */

import { slotsBetween } from "../chart/gaps.js";
import { INTERVAL_US } from "../protocol.js";

export const WIDTH = 1_000;
export const HEIGHT = 300;
const MARGIN = 12;
export const INTERVAL = /** @type {const} */ ("15m");
/** The bars of 24 hours. */
export const BARS = 96;

/**
 * Returns the parts of the line, which is broken where trades are missing, and the height of the previous close, if there is one.
 * @param {readonly Bar[]} bars oldest first
 * @param {number | undefined} close the previous one
 * @returns {{ parts: string[], close_y: number | null, low: number, high: number }}
 */
export function lineOf(bars, close) {
  const prices = [...bars.map((bar) => bar.close), ...(close === undefined ? [] : [close])];
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const first_ts = bars[0]?.ts ?? 0;
  const length_us = Math.max(1, (bars.at(-1)?.ts ?? 0) - first_ts);
  const y = (/** @type {number} */ price) => HEIGHT - MARGIN - ((price - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
  /** @type {string[]} */
  const parts = [];
  bars.forEach((bar, index) => {
    const point = `${(((bar.ts - first_ts) / length_us) * WIDTH).toFixed(1)},${y(bar.close).toFixed(1)}`;
    const isNew = index === 0 || slotsBetween(bars[index - 1].ts, bar.ts, INTERVAL).length > 0;
    if (isNew) parts.push(point);
    else parts[parts.length - 1] += ` ${point}`;
  });
  return { parts, close_y: close === undefined ? null : y(close), low, high };
}

/**
 * Returns the bars with one more trade, at most those of a day.
 * @param {readonly Bar[]} bars
 * @param {{ ts: number, price: number, size: number }} trade
 * @returns {Bar[]}
 */
export function withTrade(bars, { ts, price, size }) {
  const start = ts - (ts % INTERVAL_US[INTERVAL]);
  const newest = bars.at(-1);
  if (newest && start < newest.ts) return [...bars];
  if (newest?.ts === start) return [...bars.slice(0, -1), { ...newest, close: price }];
  return [...bars, { ts: start, open: price, high: price, low: price, close: price, volume: size, trades: 1, vwap: price, final: false }].slice(-BARS);
}
