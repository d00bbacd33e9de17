// @ts-check
/**
 * The subscriptions that the live page needs.
 *
 * Owns: this rule. Does not own: requesting them (`link.js`) or their effect (`market.js`). Pure.
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {{ channels: readonly Channel[], max_hz?: number }} Wish the subscriptions of one symbol; with `max_hz` in mode `latest` */
/** @typedef {ReadonlyMap<string, Wish>} Wishes by symbol */

/** The rate for a hidden page, whose title is rewritten once a second at most. */
const HIDDEN_HZ = 1;
/** @type {readonly Channel[]} */
const CHANNELS = ["trades", "quotes", "corrections", "cancels"];

/**
 * Returns the subscriptions of a page: trades, what corrects them, and quotes of its watchlist, and the charted bars; of a hidden page
 * only the price in its title.
 * @param {readonly string[]} watch
 * @param {string | null} charted
 * @param {Interval} interval
 * @param {boolean} isHidden
 * @returns {Wishes}
 */
export function wishesOf(watch, charted, interval, isHidden) {
  if (isHidden) return new Map(charted ? [[charted, { channels: ["trades"], max_hz: HIDDEN_HZ }]] : []);
  // The charted symbol comes first, so that the server's limit of symbols never cuts it off.
  const ordered = [...watch].sort((left, right) => Number(right === charted) - Number(left === charted));
  return new Map(ordered.map((symbol) => {
    /** @type {Channel[]} */
    const bars = symbol === charted ? [`bars.${interval}`] : [];
    return [symbol, { channels: [...CHANNELS, ...bars] }];
  }));
}
