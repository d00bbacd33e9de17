// @ts-check
/**
 * The subscriptions that the live page needs: every event where one is looked at singly, the newest at a rate where only the eye reads
 * it, and nothing of what nobody sees.
 *
 * Owns: this rule. Does not own: requesting them (`link.js`) or their effect (`market.js`). Pure.
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("../clients/js/protocol.js").Limits} Limits */
/** @typedef {{ channels: readonly Channel[], max_hz?: number, isFollowed?: boolean }} Wish the subscriptions of one symbol; with `max_hz` in mode `latest`; `isFollowed`: only because the key has no more */
/** @typedef {ReadonlyMap<string, Wish>} Wishes by symbol */
/** @typedef {number | "all"} Pace the most updates of a row a second; "all" for every event */

/**
 * @typedef {object} Need
 * @property {string | null} charted
 * @property {Interval} interval
 * @property {readonly { symbol: string, interval: Interval }[]} [further] bars of charts beside the first, and of a compared symbol
 * @property {boolean} isHidden whether the page is hidden
 * @property {readonly string[]} seen rows in sight
 * @property {readonly string[]} unseen rows out of sight whose figures are needed all the same
 * @property {Pace} pace of the rows in sight
 * @property {ReadonlyMap<string, readonly Channel[]>} watched what alerts watch; they need every event, also in a hidden page
 */

/** The greatest rate of what is out of sight; the title of a hidden page is rewritten once a second at most. */
export const UNSEEN_HZ = 1;
/** Corrections and cancellations have no mode `latest`: the next snapshot includes them. @type {readonly Channel[]} */
const ROW = ["trades", "quotes"];
/** @type {readonly Channel[]} */
const WHOLE = [...ROW, "corrections", "cancels"];
/** The channels that have a mode `latest`: of the others every event counts. @type {readonly Channel[]} */
const RATED = [...ROW, "bars.1d.ny"];

/**
 * Returns the subscriptions of a page: every event of the charted symbols and of what alerts watch, the newest events of the other rows;
 * of a hidden page only the price in its title, and the alerts.
 * @param {Need} need
 * @returns {Wishes}
 */
export function wishesOf({ charted, interval, further = [], isHidden, seen, unseen, pace, watched }) {
  /** @type {Map<string, Wish>} */
  const wishes = new Map();
  // The server's limit of symbols cuts the end off: first what may not be missing.
  if (charted !== null && isHidden) wishes.set(charted, { channels: ["trades"], max_hz: UNSEEN_HZ });
  const charts = charted === null ? further : [{ symbol: charted, interval }, ...further];
  for (const { symbol } of isHidden ? [] : charts) wishes.set(symbol, { channels: [...WHOLE, ...barsOf(symbol, charts)] });
  for (const [symbol, channels] of watched) {
    const own = isHidden ? (symbol === charted ? ["trades"] : []) : (wishes.get(symbol)?.channels ?? WHOLE);
    wishes.set(symbol, { channels: /** @type {Channel[]} */ ([...new Set([...own, ...channels])]) });
  }
  if (isHidden) return wishes;
  const slow_hz = pace === "all" ? UNSEEN_HZ : Math.min(pace, UNSEEN_HZ);
  for (const [symbols, hz] of /** @type {const} */ ([[seen, pace], [unseen, slow_hz]])) {
    for (const symbol of symbols) {
      if (!wishes.has(symbol)) wishes.set(symbol, hz === "all" ? { channels: WHOLE } : { channels: ROW, max_hz: hz });
    }
  }
  return wishes;
}

/**
 * Returns the subscriptions that a key permits: in mode `latest` if it has a rate, and without the channels that it lacks.
 * @param {Wishes} wishes
 * @param {Partial<Limits>} limits
 * @returns {Wishes}
 */
export function permitted(wishes, { channels, max_hz }) {
  if (channels === undefined && max_hz === undefined) return wishes;
  const kept = [...wishes].map(([symbol, wish]) => {
    const own = wish.channels.filter((channel) => (channels?.includes(channel) ?? true) && (max_hz === undefined || RATED.includes(channel)));
    return /** @type {const} */ ([symbol, { ...wish, channels: own, ...(max_hz === undefined ? {} : { max_hz: Math.min(wish.max_hz ?? max_hz, max_hz), isFollowed: wish.max_hz === undefined }) }]);
  });
  return new Map(kept.filter(([, wish]) => wish.channels.length > 0));
}

/** Returns the channels of every row and chart that a key lacks, or with its rate cannot have. @param {Partial<Limits>} limits @returns {readonly Channel[]} */
export function lacking({ channels, max_hz }) {
  return WHOLE.filter((channel) => channels?.includes(channel) === false || (max_hz !== undefined && !RATED.includes(channel)));
}

/** @param {string} symbol @param {readonly { symbol: string, interval: Interval }[]} charts @returns {Channel[]} */
function barsOf(symbol, charts) {
  const intervals = new Set(charts.filter((chart) => chart.symbol === symbol).map((chart) => chart.interval));
  // A bar of a minute changes after its end if a trade of it is reported late, corrected or cancelled.
  return [...intervals].flatMap((interval) => /** @type {Channel[]} */ (interval === "1m" ? ["bars.1m", "bars.1m.updated"] : [`bars.${interval}`]));
}
