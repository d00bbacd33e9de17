// @ts-check
/**
 * What a client of the comparison asks for, and how an address says it.
 *
 * Owns: the parameters. Does not own: who asks (`websocket.js`, `eventstream.js`, `poll.js`, `crowd.js`).
 */

/** @typedef {{ symbols: string[], channels: string[], max_hz: number | null, interval_ms: number }} Wish */
/** @typedef {import("../protocol.js").Position} Position */

/** Returns the parameters of a stream or a poll. @param {Wish} wish @param {string} client */
export function queryOf(wish, client) {
  const mode = wish.max_hz === null ? "all" : "latest";
  return new URLSearchParams({ symbols: wish.symbols.join(","), channels: wish.channels.join(","), mode, client });
}

/** Writes a cursor for a query. @param {Position} position */
export function cursorText(position) {
  return `${position.epoch}:${position.offset}`;
}

/** Returns how long a client waits between two polls, in milliseconds. @param {"long_poll" | "short_poll"} transport @param {Wish} wish */
export function pollInterval(transport, wish) {
  if (transport === "short_poll") return wish.interval_ms;
  // A long poll asks again at once, unless it wants the newest values at a rate.
  return wish.max_hz === null ? 0 : 1_000 / wish.max_hz;
}
