// @ts-check
/**
 * Fetches what was traded of a symbol between the beginning of a day and a moment in it, so that the average price of the day is known
 * although the chart begins later.
 *
 * Owns: this sum. Does not own: the request (`rest.js`).
 */

/** @typedef {import("./overlay.js").Seed} Seed */

import { addShares } from "../candles.js";
import { INTERVAL_US } from "../protocol.js";
import { fetchBars } from "../rest.js";

/**
 * @param {string} symbol
 * @param {number} before_us the moment, in microseconds
 * @returns {Promise<Seed>} the average price and the volume, 0 if there was none
 * @throws if the server does not answer
 */
export async function fetchSeed(symbol, before_us) {
  const start_us = before_us - (before_us % INTERVAL_US["1d"]);
  const limit = Math.max(1, Math.ceil((before_us - start_us) / INTERVAL_US["1m"]));
  const { bars } = await fetchBars(symbol, "1m", { before: before_us, limit });
  let [volume, amount] = [0, 0];
  // The minute of the moment itself may be in the chart in part, and counts with the part before it only as a whole.
  for (const bar of bars) {
    if (bar.ts < start_us || bar.ts + INTERVAL_US["1m"] > before_us) continue;
    volume = addShares(volume, bar.volume);
    amount += bar.volume * bar.vwap;
  }
  return { before_us, volume, price: volume > 0 ? amount / volume : 0 };
}
