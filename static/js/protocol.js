// @ts-check
/**
 * The messages of the protocol, which are those of the client library, and the answers over HTTP as types.
 *
 * Owns: the shape of the answers. Does not own: connections, or the effect of a message (`market.js`).
 * Times are whole microseconds since 1970-01-01 UTC; prices are US dollars; sizes and volumes are shares.
 */

/** @typedef {import("../clients/js/protocol.js").Bar} Bar */
/** @typedef {import("../clients/js/protocol.js").BarMessage} BarMessage */
/** @typedef {import("../clients/js/protocol.js").Cancel} Cancel */
/** @typedef {import("../clients/js/protocol.js").Channel} Channel */
/** @typedef {import("../clients/js/protocol.js").Correction} Correction */
/** @typedef {import("../clients/js/protocol.js").Day} Day */
/** @typedef {import("../clients/js/protocol.js").ErrorMessage} ErrorMessage */
/** @typedef {import("../clients/js/protocol.js").Event} Event */
/** @typedef {import("../clients/js/protocol.js").Interval} Interval */
/** @typedef {import("../clients/js/protocol.js").Message} Message */
/** @typedef {import("../clients/js/protocol.js").PollAnswer} PollAnswer */
/** @typedef {import("../clients/js/protocol.js").Position} Position */
/** @typedef {import("../clients/js/protocol.js").Problem} Problem */
/** @typedef {import("../clients/js/protocol.js").Quote} Quote */
/** @typedef {import("../clients/js/protocol.js").Snapshot} Snapshot */
/** @typedef {import("../clients/js/protocol.js").Trade} Trade */

/** @typedef {{ symbol: string, name: string, sector: string }} Listing */
/** @typedef {{ symbol: string, interval: Interval, epoch: string, offset: number, bars: Bar[] }} BarsAnswer of `/api/v1/bars` */
/** @typedef {Position & { snapshots: Snapshot[] }} SnapshotAnswer of `/api/v1/snapshot` */

/** @typedef {"websocket" | "sse" | "long_poll" | "short_poll"} Transport */
/** @typedef {{ wire: number, payload: number, framing: number, headers: number, tls: number }} Bytes */
/** @typedef {{ requests: number, connections: number, events: number, bytes_up: Bytes, bytes_down: Bytes, cpu_us: number }} Cost */
/** @typedef {Record<Transport, Cost>} Costs */
/** @typedef {{ client: string, transports: Costs }} TrafficAnswer of `/api/v1/traffic` */

export { channelOf, EVERY, INTERVALS, isEvent, SUBPROTOCOL } from "../clients/js/protocol.js";

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
