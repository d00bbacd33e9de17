// @ts-check
/**
 * The columns of the table of sessions: how each value is written and compared.
 *
 * Owns: columns, formats and orders. Does not own: the table. Pure.
 */

import { formatBytes } from "../bytes.js";
import { formatCount } from "../format.js";
import { mark } from "../i18n.js";

/**
 * A session as the server lists it.
 * @typedef {object} Session
 * @property {string} session
 * @property {string | null} name
 * @property {string} transport
 * @property {string} dialect
 * @property {string | null} address
 * @property {number} age_s
 * @property {number} events
 * @property {number} rate
 * @property {number} bytes
 * @property {number} waiting_ms
 * @property {number} lag
 * @property {number} queue
 * @property {number | null} latency_ms
 */
/** @typedef {{ id: keyof Session, title: string, isNumber: boolean, write: (session: Session) => string }} Column */
/** @typedef {{ id: keyof Session, isDown: boolean } | null} Order null: as the server sorts, the slowest first */

const NONE = "–";
/** A session whose data wait longer is slow; those of a healthy one wait for the end of its coalescing window. */
const SLOW_MS = 100;
const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** @type {readonly Column[]} */
export const COLUMNS = [
  { id: "session", title: mark("Session"), isNumber: false, write: ({ session }) => session },
  { id: "name", title: mark("Key"), isNumber: false, write: ({ name }) => name ?? NONE },
  { id: "transport", title: mark("Transport"), isNumber: false, write: ({ transport }) => transport },
  { id: "dialect", title: mark("Dialect"), isNumber: false, write: ({ dialect }) => dialect },
  { id: "address", title: mark("Address"), isNumber: false, write: ({ address }) => address ?? NONE },
  { id: "age_s", title: mark("Age"), isNumber: true, write: ({ age_s }) => formatAge(age_s) },
  { id: "rate", title: mark("Events a second"), isNumber: true, write: ({ rate }) => formatRate(rate) },
  { id: "bytes", title: mark("Written"), isNumber: true, write: ({ bytes }) => formatBytes(bytes) },
  { id: "waiting_ms", title: mark("Waiting"), isNumber: true, write: ({ waiting_ms }) => formatMs(waiting_ms) },
  { id: "lag", title: mark("Lag"), isNumber: true, write: ({ lag }) => formatCount(lag) },
  { id: "queue", title: mark("Queue"), isNumber: true, write: ({ queue }) => formatCount(queue) },
  { id: "latency_ms", title: mark("Latency"), isNumber: true, write: ({ latency_ms }) => (latency_ms === null ? NONE : formatMs(latency_ms)) },
];

/** Returns whether a session is slow. @param {Session} session */
export function isSlow({ waiting_ms }) {
  return waiting_ms >= SLOW_MS;
}

/** Writes a time in its two greatest units. @param {number} seconds */
export function formatAge(seconds) {
  if (seconds < MINUTE) return `${seconds} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} m ${seconds % MINUTE} s`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ${Math.floor((seconds % HOUR) / MINUTE)} m`;
  return `${Math.floor(seconds / DAY)} d ${Math.floor((seconds % DAY) / HOUR)} h`;
}

/** @param {number} ms */
export function formatMs(ms) {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms === 0 || ms >= 100 ? formatCount(ms) : ms.toFixed(1)} ms`;
}

/** @param {number} rate */
export function formatRate(rate) {
  return rate === 0 || rate >= 100 ? formatCount(rate) : rate.toFixed(1);
}

/**
 * Returns the sessions in an order; those without a value come last. Equals keep the order of the server.
 * @param {readonly Session[]} sessions
 * @param {Order} order
 */
export function sorted(sessions, order) {
  if (order === null) return [...sessions];
  const { id, isDown } = order;
  const sign = isDown ? -1 : 1;
  return [...sessions].sort((one, other) => {
    const [a, b] = [one[id], other[id]];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en"));
  });
}

/**
 * Returns the order after a click on a column: numbers begin with the greatest, words with the first; the third click returns to that of the
 * server.
 * @param {Order} order
 * @param {Column} column
 * @returns {Order}
 */
export function turned(order, { id, isNumber }) {
  if (order?.id !== id) return { id, isDown: isNumber };
  return order.isDown === isNumber ? { id, isDown: !isNumber } : null;
}
