// @ts-check
// What is measured: markets, clients, and which servers in which settings take part. Starts nothing.
import { filesMax } from "./machine.mjs";

/** @typedef {import("./servers.mjs").DialectName} DialectName */
/** @typedef {import("./servers.mjs").ServerName} ServerName */
/** @typedef {Record<string, string>} Env */
/** @typedef {{ symbols: number, eventsPerSecond: number, stepMs?: number, fixed?: boolean }} Market the market of every server */
/** @typedef {{ sessions?: number, symbols?: string, perSession?: number, idle?: number, secure?: number, stalled?: number }} Load the clients */
/** @typedef {{ sessions: number, afterS: number, staysS: number, goesS: number }} Storm */
/** @typedef {{ windowMs: number, by: "events" | "sessions" }} Pace the window of a floor, and what is scaled until that floor uses a third of its core */
/**
 * @typedef {object} Setting one server of a workload, with what differs from the workload
 * @property {ServerName} server
 * @property {string} label
 * @property {Env} [env]
 * @property {DialectName} [dialect] of tickcast
 * @property {Partial<Market>} [market]
 * @property {Load} [load]
 * @property {number} [seconds]
 * @property {Storm} [storm]
 * @property {number} [rounds] it takes part in so many rounds only
 */
/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} about
 * @property {Market} market what every server gets
 * @property {Load} load the clients of every server
 * @property {number} [seconds] the length of one measurement
 * @property {number} [rounds]
 * @property {Pace} [pace] if missing, the rate is the market's on every machine
 * @property {boolean} [isCapacity] the highest rate is searched for
 * @property {Setting[]} variants
 */
/** @typedef {Setting & { market: Market, load: Load, seconds: number }} Variant */

const PUBLISH = { MODE: "publish" };
const SEND = { MODE: "send" };
/** @param {string} label @param {Env} [env] @returns {Setting} */
const tickcast = (label, env = {}) => ({ server: "tickcast", label, env });
/** @param {string} label @param {DialectName} dialect @returns {Setting} */
const dialect = (label, dialect) => ({ ...tickcast(`tickcast, ${label}`), dialect });
/** @param {number} coalesceMs @returns {Setting} */
const floor = (coalesceMs) => ({
  server: "floor",
  label: coalesceMs ? `floor, ${coalesceMs} ms window` : "floor",
  env: { COALESCE_MS: String(coalesceMs) },
});
/** @param {ServerName} server @param {Env} [env] @param {string} [label] @returns {Setting} */
const peer = (server, env = {}, label = server) => ({ server, label, env });

/** A server that no bar depends on. @param {ServerName} server @returns {Setting} */
const aside = (server) => ({ server, label: server, rounds: 1 });

/** The length of a measurement if neither workload nor variant has one. */
const SECONDS = 4;

/** The load of watchlist, watchlist-0, sparse, storm, capacity and growth. */
const WATCHLISTS = { sessions: 1_000, symbols: "SYM000..SYM499", perSession: 20 };

/** The numbers of sessions of the workload growth. */
const GROWTH = [100, 1_000, 5_000, 19_000];
/** Open files of a server other than its sessions. */
const FILES_BESIDE = 600;
/** Deliveries a second of the workload growth, whatever the number of sessions. */
const GROWTH_DELIVERIES = 20_000;

/** The most sessions of the workload growth, if the limit of open files permitted them. */
export const GROWTH_MOST = GROWTH[GROWTH.length - 1];

/**
 * Returns a server of the workload growth. The label has the number of sessions that the limit of open files permits.
 * @param {Setting} setting @param {number} wanted
 * @returns {Setting}
 */
function grown(setting, wanted) {
  const sessions = Math.min(wanted, filesMax() - FILES_BESIDE);
  const eventsPerSecond = GROWTH_DELIVERIES / ((sessions * 20) / 500);
  return { ...setting, label: `${setting.label}, ${sessions.toLocaleString("en-US")} sessions`, market: { eventsPerSecond }, load: { sessions } };
}

/** @type {Workload[]} */
export const workloads = [
  {
    name: "hot",
    about: "500 clients or as many as the pace makes of them, all on the same 10 symbols, 100 steps a second of 10 events each",
    market: { symbols: 10, eventsPerSecond: 1_000, stepMs: 10, fixed: true },
    load: { sessions: 500, symbols: "SYM000..SYM009", perSession: 10 },
    pace: { windowMs: 0, by: "sessions" },
    seconds: 4,
    variants: [
      tickcast("tickcast"),
      tickcast("tickcast, coalesce_ms=0", { TICKCAST__PUSH__COALESCE_MS: "0" }),
      floor(0),
      peer("uwebsockets", SEND),
      peer("bun", SEND),
      aside("ws"),
      aside("axum"),
    ],
  },
  {
    name: "watchlist",
    about: "1,000 clients, each on 20 of 500 symbols, 5,000 events a second before it is paced",
    market: { symbols: 500, eventsPerSecond: 5_000 },
    load: WATCHLISTS,
    // The floor without a window would make the sessions of watchlist as slow as those of sparse.
    pace: { windowMs: 20, by: "events" },
    seconds: 4,
    variants: [
      tickcast("tickcast"),
      floor(20),
      dialect("Alpaca JSON", "alpaca"),
      dialect("Alpaca MessagePack", "alpacaMessagePack"),
      dialect("Massive", "massive"),
      dialect("Finnhub", "finnhub"),
      { ...peer("uwebsockets", SEND, "uwebsockets, 20 ms steps"), market: { stepMs: 20 } },
      floor(0),
      peer("uwebsockets", SEND),
      peer("bun", PUBLISH),
      aside("ws"),
      aside("axum"),
    ],
  },
  {
    name: "watchlist-0",
    about: "watchlist without a window: 1,000 clients, each on 20 of 500 symbols, 2,000 events a second before it is paced",
    market: { symbols: 500, eventsPerSecond: 2_000 },
    load: WATCHLISTS,
    // Nearly every delivery is a write of its own here: at the rate of watchlist the core of each server would be full.
    pace: { windowMs: 0, by: "events" },
    seconds: 4,
    variants: [tickcast("tickcast, coalesce_ms=0", { TICKCAST__PUSH__COALESCE_MS: "0" }), floor(0), peer("uwebsockets", SEND), peer("bun", PUBLISH)],
  },
  {
    name: "sparse",
    about: "1,000 clients or as many as the pace makes of them, each on 20 of 500 symbols, 1,000 events a second, so 40 for each client",
    market: { symbols: 500, eventsPerSecond: 1_000 },
    load: WATCHLISTS,
    // More events for each client would not be sparse: from 50 a second on most of them wait for a window of 20 ms.
    pace: { windowMs: 0, by: "sessions" },
    seconds: 4,
    variants: [tickcast("tickcast"), floor(20), floor(0), peer("uwebsockets", SEND), peer("bun", SEND), aside("ws"), aside("axum")],
  },
  {
    name: "one-symbol",
    about: "5,000 clients on one symbol, 20 events a second before it is paced",
    market: { symbols: 1, eventsPerSecond: 20 },
    load: { sessions: 5_000, symbols: "SYM000", perSession: 1 },
    pace: { windowMs: 0, by: "events" },
    seconds: 6,
    variants: [tickcast("tickcast"), floor(0), peer("uwebsockets", PUBLISH), peer("bun", PUBLISH), aside("ws"), aside("axum")],
  },
  {
    name: "idle",
    about: "10,000 sessions that subscribe to nothing",
    market: { symbols: 10, eventsPerSecond: 100 },
    load: { idle: 10_000 },
    rounds: 1,
    seconds: 3,
    variants: [
      tickcast("tickcast"),
      { ...tickcast("tickcast, TLS"), load: { idle: 0, secure: 10_000 } },
      floor(0),
      peer("uwebsockets", PUBLISH),
      peer("bun", PUBLISH),
      aside("ws"),
      aside("axum"),
    ],
  },
  {
    name: "capacity",
    about: "1,000 clients, each on 20 of 500 symbols: the most deliveries a second on one core with a p99 of at most 45 ms and nothing lost",
    market: { symbols: 500, eventsPerSecond: 5_000 },
    load: WATCHLISTS,
    seconds: 2,
    isCapacity: true,
    variants: [tickcast("tickcast"), floor(20), peer("uwebsockets", SEND), peer("bun", SEND), aside("ws"), aside("axum")],
  },
  {
    name: "growth",
    about: "20,000 deliveries a second to more and more clients, each on 20 of 500 symbols; two workers share the core of one",
    market: { symbols: 500, eventsPerSecond: 500 },
    load: WATCHLISTS,
    seconds: 3,
    variants: [
      ...GROWTH.map((sessions) => grown(tickcast("tickcast"), sessions)),
      ...GROWTH.map((sessions) => grown(tickcast("tickcast, 2 workers", { TICKCAST__SERVER__WORKERS: "2" }), sessions)),
      // How much of the growth is the kernel's.
      ...GROWTH.map((sessions) => grown(floor(20), sessions)),
    ],
  },
  {
    name: "storm",
    about: "1,000 clients, each on 20 of 500 symbols, 1,000 events a second before it is paced, without and with 5,000 more that connect at once and disconnect at once; a new client every 50 ms",
    market: { symbols: 500, eventsPerSecond: 1_000 },
    load: WATCHLISTS,
    pace: { windowMs: 0, by: "events" },
    seconds: 10,
    variants: [
      tickcast("tickcast, calm"),
      { ...tickcast("tickcast, storm"), storm: { sessions: 5_000, afterS: 5, staysS: 3, goesS: 2 } },
    ],
  },
  {
    name: "stalled",
    about: "500 healthy clients on 20 of 500 symbols at 1,000 events a second, without and with 100 that subscribe to everything and never read",
    market: { symbols: 500, eventsPerSecond: 1_000 },
    load: { sessions: 500, symbols: "SYM000..SYM499", perSession: 20 },
    rounds: 1,
    variants: [
      // A short history, because its growth over time would be counted as memory of the stalled clients.
      { ...tickcast("tickcast, nobody stalled", { TICKCAST__HISTORY__EVENTS_MAX: "8192" }), seconds: 20 },
      { ...tickcast("tickcast, 100 stalled", { TICKCAST__HISTORY__EVENTS_MAX: "8192" }), seconds: 60, load: { stalled: 100 } },
    ],
  },
];

/** @param {Workload} workload @param {Setting} setting @returns {Variant} */
const whole = (workload, setting) => ({
  ...setting,
  market: { ...workload.market, ...setting.market },
  load: { ...workload.load, ...setting.load },
  seconds: setting.seconds ?? workload.seconds ?? SECONDS,
});

/** Returns the variants of a workload, each with its whole market and load. @param {Workload} workload */
export const variants = (workload) => workload.variants.map((setting) => whole(workload, setting));

/** Returns the floor that sets the pace of a workload. @param {Workload} workload @param {Pace} pace */
export const pacemaker = (workload, { windowMs }) => whole(workload, floor(windowMs));

/** Returns a variant with this many times the events or sessions. @param {Variant} variant @param {"events" | "sessions"} by @param {number} factor @returns {Variant} */
export function scaled(variant, by, factor) {
  const { market, load } = variant;
  if (by === "events") return { ...variant, market: { ...market, eventsPerSecond: market.eventsPerSecond * factor } };
  return { ...variant, load: { ...load, sessions: Math.max(1, Math.round((load.sessions ?? 0) * factor)) } };
}
