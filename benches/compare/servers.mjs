// @ts-check
// How each server is started: command, environment, how it tells its port. Ends none.
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { PEERS, PEERS_TARGET, TARGET } from "./paths.mjs";

/** The bun that npm has installed for this machine; its own package wants to download one at install. */
export function bunBinary() {
  const folder = join(PEERS, "node_modules", "@oven");
  return join(folder, readdirSync(folder)[0], "bin", "bun");
}

/** What the load generator says to a server that is not tickcast. */
const SUBSCRIBE = ["--subscribe", '{"action":"subscribe","symbols":{symbols},"channels":{channels}}'];

const ALPACA = ["--subscribe", '{"action":"auth","key":"tickcast","secret":"tickcast"}', "--subscribe", '{"action":"subscribe","trades":{symbols}}'];

/** The dialects of tickcast: path, and how the load generator speaks it. A marker is what each trade has once. */
const dialects = {
  native: { path: "/ws", speaks: [] },
  alpaca: { path: "/v2/sip", speaks: [...ALPACA, "--event-marker", '"T":"t"'] },
  // The marker is the same pair of texts, "T" and "t".
  alpacaMessagePack: { path: "/v2/sip", speaks: [...ALPACA, "--header", "Content-Type: application/msgpack", "--event-marker", "0xa154a174"] },
  massive: {
    path: "/stocks",
    speaks: ["--subscribe", '{"action":"auth","params":"tickcast"}', "--subscribe", '{"action":"subscribe","params":"T.{symbol}"}', "--event-marker", '"ev":"T"'],
  },
  finnhub: { path: "/?token=tickcast", speaks: ["--subscribe", '{"type":"subscribe","symbol":"{symbol}"}', "--event-marker", '"p":'] },
};

const LISTENING = /listening (\d+)/;

/** The built-in symbols of tickcast, each as active as a generated one on average. */
const BUILT_IN_SYMBOLS = 30;

/** @typedef {keyof typeof dialects} DialectName */
/** @typedef {import("./workloads.mjs").Market & { env?: Record<string, string>, dialect?: DialectName }} Wanted */
/**
 * @typedef {object} Launch how to start a server
 * @property {string} command
 * @property {string[]} args
 * @property {Record<string, string>} env
 * @property {RegExp} listening finds the port in its output
 * @property {string} path of its WebSocket
 * @property {string[]} speaks the arguments of the load generator for its protocol, none for tickcast's own
 */
/** @typedef {keyof typeof servers} ServerName */

/** A peer: the same environment for each of them. @type {(command: string | (() => string), args: string[]) => (wanted: Wanted) => Launch} */
const peer = (command, args) => ({ symbols, eventsPerSecond, stepMs = 1, fixed = false, env = {} }) => ({
  command: typeof command === "function" ? command() : command,
  args,
  env: {
    PORT: "0",
    CORES: "1",
    SYMBOLS: String(symbols),
    EVENTS_PER_SECOND: String(eventsPerSecond),
    STEP_MS: String(stepMs),
    ARRIVALS: fixed ? "fixed" : "poisson",
    ...env,
  },
  listening: LISTENING,
  path: "/",
  speaks: SUBSCRIBE,
});

/** tickcast: the rate is chosen such that the generated symbols together get the market's. @type {(wanted: Wanted) => Launch} */
const tickcast = ({ symbols, eventsPerSecond, stepMs = 1, env = {}, dialect = "native" }) => ({
  command: join(TARGET, "release", "tickcast"),
  args: ["--port", "0"],
  env: {
    TICKCAST__SERVER__WORKERS: "1",
    TICKCAST__FEED__EXTRA_SYMBOLS: String(symbols),
    TICKCAST__FEED__EVENTS_PER_SECOND: String((eventsPerSecond * (symbols + BUILT_IN_SYMBOLS)) / symbols),
    TICKCAST__FEED__QUOTES_PER_TRADE: "0",
    TICKCAST__FEED__STEP_MS: String(stepMs),
    ...env,
  },
  listening: /listening url=http:\/\/127\.0\.0\.1:(\d+)\//,
  ...dialects[dialect],
});

/** By name: a function from a market to how the server is started with it. */
export const servers = {
  tickcast,
  floor: peer(join(PEERS_TARGET, "release", "peer-floor"), []),
  uwebsockets: peer(process.execPath, [join(PEERS, "uwebsockets.mjs")]),
  bun: peer(bunBinary, [join(PEERS, "bun.mjs")]),
  ws: peer(process.execPath, [join(PEERS, "ws.mjs")]),
  axum: peer(join(PEERS_TARGET, "release", "peer-axum"), []),
};
