// @ts-check
/**
 * The subscriptions that the live page needs, and the requests that change the present subscriptions into them.
 *
 * Owns: those two rules. Does not own: sending the requests (`feed.js`) or their effect (`market.js`). Pure.
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {{ channels: readonly Channel[], max_hz?: number }} Wish the subscriptions of one symbol; with `max_hz` in mode `latest` */
/** @typedef {ReadonlyMap<string, Wish>} Wishes by symbol */
/** @typedef {import("./protocol.js").Request} Request */

/** The rate for a hidden page, whose title is rewritten once a second at most. */
const HIDDEN_HZ = 1;

/**
 * Returns the subscriptions of a page: trades and quotes of its watchlist and the charted bars; of a hidden page only the price in its
 * title.
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
    const channels = symbol === charted ? ["trades", "quotes", `bars.${interval}`] : ["trades", "quotes"];
    return [symbol, { channels }];
  }));
}

/**
 * Returns the requests that change the subscriptions `asked` into `wanted`.
 * @param {Wishes} asked
 * @param {Wishes} wanted
 * @returns {Request[]}
 */
export function changesOf(asked, wanted) {
  const gone = [...asked.keys()].filter((symbol) => !wanted.has(symbol));
  /** @type {Request[]} */
  const requests = gone.length > 0 ? [{ action: "unsubscribe", symbols: gone }] : [];
  /** @type {Map<string, Request>} */
  const alike = new Map();
  /** @param {Omit<Request, "symbols">} request @param {string} symbol */
  const put = (request, symbol) => {
    const key = JSON.stringify(request);
    const present = alike.get(key);
    if (present) present.symbols.push(symbol);
    else alike.set(key, { ...request, symbols: [symbol] });
  };
  for (const [symbol, { channels, max_hz }] of wanted) {
    const before = asked.get(symbol);
    const dropped = before?.channels.filter((channel) => !channels.includes(channel)) ?? [];
    if (dropped.length > 0) put({ action: "unsubscribe", channels: dropped }, symbol);
    const isSameMode = before?.max_hz === max_hz;
    const added = channels.filter((channel) => !isSameMode || !before?.channels.includes(channel));
    const mode = max_hz === undefined ? {} : { mode: /** @type {const} */ ("latest"), max_hz };
    if (added.length > 0) put({ action: "subscribe", channels: added, ...mode }, symbol);
  }
  // Unsubscribing first makes room within the server's limit.
  const order = [...alike.values()].sort((left, right) => Number(left.action === "subscribe") - Number(right.action === "subscribe"));
  return [...requests, ...order];
}
