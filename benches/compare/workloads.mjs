// @ts-check
// What is measured: markets, clients, and which servers in which settings take part. Starts nothing.

/** @typedef {import("./servers.mjs").ServerName} ServerName */
/** @typedef {Record<string, string>} Env */
/** @typedef {{ symbols: number, eventsPerSecond: number, stepMs?: number, fixed?: boolean }} Market the market of every server */
/** @typedef {{ sessions?: number, symbols?: string, perSession?: number, idle?: number, stalled?: number }} Load the load generator's */
/** @typedef {{ sessions: number, afterS: number, staysS: number, goesS: number }} Storm */
/**
 * @typedef {{ server: ServerName, label: string, env?: Env, market?: Partial<Market>, load?: Load, seconds?: number, storm?: Storm }} Setting
 *   one server of a workload, with what differs from the workload
 */
/** @typedef {{ name: string, about: string, market: Market, load: Load, seconds?: number, rounds?: number, variants: Setting[] }} Workload */
/** @typedef {Setting & { market: Market, load: Load, seconds: number }} Variant */

const PUBLISH = { MODE: "publish" };
const SEND = { MODE: "send" };
/** @param {string} label @param {Env} [env] @returns {Setting} */
const tickcast = (label, env = {}) => ({ server: "tickcast", label, env });
/** @param {number} coalesceMs @returns {Setting} */
const floor = (coalesceMs) => ({
  server: "floor",
  label: coalesceMs ? `floor, ${coalesceMs} ms window` : "floor",
  env: { COALESCE_MS: String(coalesceMs) },
});
/** @param {ServerName} server @param {Env} [env] @param {string} [label] @returns {Setting} */
const peer = (server, env = {}, label = server) => ({ server, label, env });

/** The length of a measurement if neither workload nor variant has one. */
const SECONDS = 4;

/** `market` is what every server gets, `load` what the load generator is told; `seconds` the length of one measurement. @type {Workload[]} */
export const workloads = [
  {
    name: "hot",
    about: "500 clients, all on the same 10 symbols, 100 steps a second of 10 events each",
    market: { symbols: 10, eventsPerSecond: 1_000, stepMs: 10, fixed: true },
    load: { sessions: 500, symbols: "SYM000..SYM009", perSession: 10 },
    seconds: 4,
    variants: [
      tickcast("tickcast"),
      tickcast("tickcast, coalesce_ms=10", { TICKCAST__PUSH__COALESCE_MS: "10" }),
      floor(0),
      peer("uwebsockets", SEND),
      peer("bun", SEND),
      peer("ws"),
      peer("axum"),
    ],
  },
  {
    name: "watchlist",
    about: "1,000 clients, each on 20 of 500 symbols, 5,000 events a second: 200,000 deliveries a second",
    market: { symbols: 500, eventsPerSecond: 5_000 },
    load: { sessions: 1_000, symbols: "SYM000..SYM499", perSession: 20 },
    seconds: 4,
    variants: [
      tickcast("tickcast"),
      floor(20),
      { ...peer("uwebsockets", SEND, "uwebsockets, 20 ms steps"), market: { stepMs: 20 } },
      tickcast("tickcast, coalesce_ms=0", { TICKCAST__PUSH__COALESCE_MS: "0" }),
      floor(0),
      peer("uwebsockets", SEND),
      peer("bun", PUBLISH),
      peer("ws"),
      peer("axum"),
    ],
  },
  {
    name: "sparse",
    about: "1,000 clients, each on 20 of 500 symbols, 1,000 events a second: 40,000 deliveries a second",
    market: { symbols: 500, eventsPerSecond: 1_000 },
    load: { sessions: 1_000, symbols: "SYM000..SYM499", perSession: 20 },
    seconds: 4,
    variants: [tickcast("tickcast"), floor(20), floor(0), peer("uwebsockets", SEND), peer("bun", SEND), peer("ws"), peer("axum")],
  },
  {
    name: "one-symbol",
    about: "5,000 clients on one symbol, 20 events a second: 100,000 deliveries a second",
    market: { symbols: 1, eventsPerSecond: 20 },
    load: { sessions: 5_000, symbols: "SYM000", perSession: 1 },
    seconds: 6,
    variants: [tickcast("tickcast"), floor(0), peer("uwebsockets", PUBLISH), peer("bun", PUBLISH), peer("ws"), peer("axum")],
  },
  {
    name: "idle",
    about: "10,000 sessions that subscribe to nothing",
    market: { symbols: 10, eventsPerSecond: 100 },
    load: { idle: 10_000 },
    rounds: 1,
    seconds: 3,
    variants: [tickcast("tickcast"), floor(0), peer("uwebsockets", PUBLISH), peer("bun", PUBLISH), peer("ws"), peer("axum")],
  },
  {
    name: "storm",
    about: "1,000 clients as in sparse, without and with 5,000 more that connect at once and disconnect at once; a new client every 50 ms",
    market: { symbols: 500, eventsPerSecond: 1_000 },
    load: { sessions: 1_000, symbols: "SYM000..SYM499", perSession: 20 },
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

/** Returns the variants of a workload, each with its whole market and load. @param {Workload} workload @returns {Variant[]} */
export function variants(workload) {
  return workload.variants.map((variant) => ({
    ...variant,
    market: { ...workload.market, ...variant.market },
    load: { ...workload.load, ...variant.load },
    seconds: variant.seconds ?? workload.seconds ?? SECONDS,
  }));
}
