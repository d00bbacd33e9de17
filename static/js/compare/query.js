// @ts-check
/**
 * The subscription of the clients of a comparison, and its query parameters.
 *
 * Owns: the parameters. Does not own: the clients (`websocket.js`, `eventstream.js`, `poll.js`, `crowd.js`).
 */

/** @typedef {{ symbols: string[], channels: string[], max_hz: number | null, interval_ms: number }} Wish */
/** @typedef {import("../protocol.js").Position} Position */

/** Returns the parameters of a stream or a poll. @param {Wish} wish @param {string} client */
export function queryOf(wish, client) {
  const mode = wish.max_hz === null ? "all" : "latest";
  return new URLSearchParams({ symbols: wish.symbols.join(","), channels: wish.channels.join(","), mode, client });
}

/** Returns a cursor as a query parameter. @param {Position} position */
export function cursorText(position) {
  return `${position.epoch}:${position.offset}`;
}

/** Returns the pause between two polls, in milliseconds. @param {"long_poll" | "short_poll"} transport @param {Wish} wish */
export function pollInterval(transport, wish) {
  if (transport === "short_poll") return wish.interval_ms;
  // A long poll follows at once, except in mode `latest`, whose rate the client keeps itself.
  return wish.max_hz === null ? 0 : 1_000 / wish.max_hz;
}
