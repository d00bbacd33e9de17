// @ts-check
/**
 * The messages and answers of the `tickcast.v1` protocol as types, and the two functions that classify messages.
 *
 * Owns: the shape of every message. Does not own: sockets, or the effect of a message (`market.js`).
 * Times are whole microseconds since 1970-01-01 UTC; prices are US dollars; sizes and volumes are shares.
 */

/** @typedef {"1s" | "1m" | "5m" | "15m" | "1h" | "1d"} Interval */
/** @typedef {"trades" | "quotes" | `bars.${Interval}`} Channel */

/**
 * @typedef {object} Bar
 * @property {number} ts start of the bar
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 * @property {number} volume
 * @property {number} trades
 * @property {number} vwap
 * @property {boolean} final false while the bar is still open
 */

/**
 * @typedef {{ type: "welcome", epoch: string, offset: number, heartbeat_ms: number, limits?: { symbols: number },
 *             server_ts?: number, market_ts?: number, speed?: number }} Welcome
 */
/**
 * @typedef {{ type: "trade", symbol: string, seq: number, offset: number, ts: number, price: number, size: number,
 *             skipped?: number }} Trade `skipped`, in mode `latest`: how many older events of the topic this one replaces
 */
/**
 * @typedef {{ type: "quote", symbol: string, seq: number, offset: number, ts: number,
 *             bid: number, bid_size: number, ask: number, ask_size: number, skipped?: number }} Quote
 */
/** @typedef {Bar & { type: "bar", symbol: string, interval: Interval, seq: number, offset: number, skipped?: number }} BarMessage */
/**
 * @typedef {{ type: "snapshot", symbol: string, offset: number, ts: number, price: number, size: number,
 *             bid: number, bid_size: number, ask: number, ask_size: number, open: number, high: number, low: number,
 *             prev_close: number, volume: number, seq: Record<string, number> }} Snapshot
 */
/** @typedef {{ type: "day", symbol: string, seq: number, offset: number, ts: number, prev_close: number }} Day the beginning of a day of UTC */
/** @typedef {{ type: "subscribed", id?: number | string, subscriptions: { symbol: string, channels: string[] }[], recovered?: boolean }} Subscribed */
/** @typedef {{ type: "lag", skipped: number, since_offset: number }} Lag */
/** @typedef {{ type: "heartbeat", ts: number, offset: number }} Heartbeat */
/** @typedef {{ type: "pong", id?: number | string, ts: number, server_ts: number, market_ts?: number, offset: number }} Pong */
/** @typedef {{ type: "error", id?: number | string, code: string, message: string, symbols?: string[] }} ErrorMessage */
/** @typedef {{ type: "goodbye", reason: string, retry_after_ms?: number }} Goodbye */
/** @typedef {Trade | Quote | BarMessage} Event */
/** @typedef {Event | Welcome | Snapshot | Day | Subscribed | Lag | Heartbeat | Pong | ErrorMessage | Goodbye} Message */


/** @typedef {{ epoch: string, offset: number }} Position a cursor: every subscribed event up to it has come */
/**
 * @typedef {{ action: "subscribe" | "unsubscribe", symbols: string[], channels?: string[], mode?: "all" | "latest", max_hz?: number,
 *             after?: Position }} Request
 */

/** @typedef {{ symbol: string, name: string, sector: string }} Listing */
/** @typedef {{ symbol: string, interval: Interval, epoch: string, offset: number, bars: Bar[] }} BarsAnswer of `/api/v1/bars` */
/** @typedef {Position & { snapshots: Snapshot[] }} SnapshotAnswer of `/api/v1/snapshot` */
/** @typedef {Position & { cursor: string, recovered: boolean, messages: Message[] }} PollAnswer of `/api/v1/poll` */
/** @typedef {{ type?: string, title?: string, status?: number, detail?: string, code?: string, symbols?: string[] }} Problem an error over HTTP (RFC 9457) */

/** @typedef {"websocket" | "sse" | "long_poll" | "short_poll"} Transport */
/** @typedef {{ wire: number, payload: number, framing: number, headers: number, tls: number }} Bytes */
/** @typedef {{ requests: number, connections: number, events: number, bytes_up: Bytes, bytes_down: Bytes, cpu_us: number }} Cost */
/** @typedef {Record<Transport, Cost>} Costs */
/** @typedef {{ client: string, transports: Costs }} TrafficAnswer of `/api/v1/traffic` */

export const SUBPROTOCOL = "tickcast.v1.json";

/** @type {readonly Interval[]} */
export const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "1d"];

const SECOND_US = 1_000_000;

/** Length of each interval, in microseconds. @type {Readonly<Record<Interval, number>>} */
export const INTERVAL_US = {
  "1s": SECOND_US,
  "1m": 60 * SECOND_US,
  "5m": 300 * SECOND_US,
  "15m": 900 * SECOND_US,
  "1h": 3_600 * SECOND_US,
  "1d": 86_400 * SECOND_US,
};

/**
 * Returns the channel that an event came on.
 * @param {Event} event
 * @returns {Channel}
 */
export function channelOf(event) {
  if (event.type === "trade") return "trades";
  if (event.type === "quote") return "quotes";
  return `bars.${event.interval}`;
}

/**
 * Returns whether a message is a market event, which carries a `seq` and an `offset`.
 * @param {Message} message
 * @returns {message is Event}
 */
export function isEvent(message) {
  return message.type === "trade" || message.type === "quote" || message.type === "bar";
}
