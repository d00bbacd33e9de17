// @ts-check
/**
 * What the page asks the server for, as a whole, and the requests that lead there from what was asked before.
 *
 * Owns: those two rules. Does not own: sending (`feed.js`) or what is followed because of it (`market.js`). Pure.
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {{ channels: readonly Channel[], max_hz?: number }} Wish with `max_hz` the newest values only, at this rate */
/** @typedef {ReadonlyMap<string, Wish>} Wishes by symbol */
/** @typedef {{ action: "subscribe" | "unsubscribe", symbols: string[], channels?: Channel[], mode?: "latest", max_hz?: number }} Request */

/** The rate of a page that nobody sees: its title is written no oftener. */
const HIDDEN_HZ = 1;

/**
 * Returns what a page needs: everything of its watchlist and the bars of the chart; while it is hidden, the price in its title.
 * @param {readonly string[]} watch
 * @param {string | null} charted
 * @param {Interval} interval
 * @param {boolean} isHidden
 * @returns {Wishes}
 */
export function wishesOf(watch, charted, interval, isHidden) {
  if (isHidden) return new Map(charted ? [[charted, { channels: ["trades"], max_hz: HIDDEN_HZ }]] : []);
  // The charted symbol first: where the server sends fewer symbols than are listed, it is not the one to go without.
  const ordered = [...watch].sort((left, right) => Number(right === charted) - Number(left === charted));
  return new Map(ordered.map((symbol) => {
    /** @type {Channel[]} */
    const channels = symbol === charted ? ["trades", "quotes", `bars.${interval}`] : ["trades", "quotes"];
    return [symbol, { channels }];
  }));
}

/**
 * Returns the requests that make the server send what is wanted instead of what was asked for.
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
  // What is given up first makes room for what is new.
  const order = [...alike.values()].sort((left, right) => Number(left.action === "subscribe") - Number(right.action === "subscribe"));
  return [...requests, ...order];
}
