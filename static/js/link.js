// @ts-check
/**
 * Connects the live page to the server through the client library: the events of a browser's page, the judgement whether a silent
 * connection is dead, the estimate of the server's clock, and the status for the viewer.
 *
 * Owns: these. Does not own: connections and subscriptions (`clients/js/`), the judgement itself (`liveness.js`), the meaning of
 * messages (`app.js`), the look of the status (`connection.js`).
 */

/** @typedef {import("../clients/js/closing.js").Failure} Failure */
/** @typedef {import("../clients/js/protocol.js").Transport} Transport */
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./wishes.js").Wishes} Wishes */

import { DEFAULTS } from "../clients/js/options.js";
import { Client } from "../clients/js/tickcast.js";
import { OffsetEstimator, timerResolution } from "./clock.js";
import { isEntering, onFailure, token } from "./linkaccess.js";
import { CHECK_MS, Liveness } from "./liveness.js";
import { reasonOf } from "./reconnect.js";
import { Refusals } from "./refusals.js";
import { permitted } from "./wishes.js";

/**
 * @typedef {{ state: "connecting" }
 *         | { state: "moving" }
 *         | { state: "live", fallback: "sse" | "poll" | null, isMute?: boolean, transport?: Transport | null, since_ms?: number, delay_ms?: number }
 *         | { state: "reconnecting", retry_at_ms: number | null, reason: string, isRefused?: boolean, isKeyless?: boolean }
 *         | { state: "closed", reason: string }
 *         | { state: "stale", silent_since_ms: number | null, skipped: number }} Status
 *   `moving`: a replay goes on from another time, and the server has ended the session, which is no failure. `fallback`: the transport in use because no WebSocket gets through; null if the viewer has chosen it. `isMute`: a WebSocket
 *   got through, but no prices came over it. `since_ms`: when the connection was ready. `delay_ms`: how old the prices of the key are. `retry_at_ms` is null during an attempt; `silent_since_ms` is
 *   null after a `lag`. All are times of `performance.now()`. `reason` is a phrase for `t()`, empty when the connection was never
 *   open. `isRefused` when the server answers, but with an error; `isKeyless` when it asks for a key. `closed`: the page does not reconnect by itself.
 */

/** @typedef {{ transport: Transport, at_ms: number, ready_ms: number | null, failure: Failure | null, silent_s?: number }} Attempt to connect: when it began, was ready, and why it failed or ended; times of `performance.now()`. `silent_s`: after how many silent seconds this page gave it up */
/** @typedef {{ attempt: Attempt, at_ms: number, tries: number }} Outage the connection whose end began it, when that was, and how many attempts there were since */
/** @typedef {"auto" | Transport} Choice of a transport by the viewer; `auto`: the best one that gets through */

/**
 * @typedef {object} LinkHandlers
 * @property {(status: Status) => void} onStatus
 * @property {(messages: readonly Message[], received_us: number) => void} onFrame
 * @property {(message: string) => void} [onRefused] the server has refused a subscription, or told by that what it permits (empty)
 */

/** Whether the prices stand still: there is no connection, or nothing comes over it. @param {Status} status */
export function isLost(status) {
  return status.state === "reconnecting" || status.state === "closed" || (status.state === "stale" && status.silent_since_ms !== null);
}

/** An event such as `online` does not replace an attempt that is younger than this. */
const FRESH_MS = 1_000;
const LAG_SHOWN_MS = 3_000;
/** The first pings follow each other quickly, so that the latency is soon known. */
const PINGS_QUICK = 5;
const PING_QUICK_MS = 250;
const PING_MS = 5_000;
/** The close code of a replay that was sought. */
const MOVED = 4007;
/** How long no price may come before the page asks the server whether there was one. */
const QUIET_MS = 5_000;
/** The most attempts that are remembered. */
const ATTEMPTS_MAX = 8;

export class Link {
  /** @type {Status} */
  status = { state: "connecting" };
  clock = new OffsetEstimator(timerResolution());
  /** The newest attempts, the newest first. @type {Attempt[]} */
  attempts = [];
  /** What began the present time without a connection, however many attempts ago; null while there is one, and before the first. @type {Outage | null} */
  outage = null;
  /** @type {Choice} */
  #choice = "auto";
  #client;
  #handlers;
  /** @type {Wishes} */
  #wanted = new Map();
  #liveness = new Liveness();
  /** Why the last open connection was closed: a phrase for `t()`. */
  #reason = "";
  #begun_at_ms = 0;
  #lag_until_ms = 0;
  #pings = 0;
  #pinged_at_ms = 0;
  #isKeyless = false;
  #refusals = new Refusals();

  /** @param {string} url the address of the server @param {LinkHandlers} handlers */
  constructor(url, handlers) {
    this.#handlers = handlers;
    // This page sends the pings itself, as it wants to know the latency, and more of them when it doubts the connection.
    this.#client = new Client(url, { ping_ms: 0, quiet_ms: QUIET_MS, token });
    this.#client.on("status", () => this.#onStatus());
    this.#client.on("open", () => this.#onOpen());
    this.#client.on("batch", ({ messages, received_us }) => this.#onBatch(messages, received_us));
  }

  /** Uses the transport that the viewer has chosen, at once. @param {Choice} choice */
  choose(choice) {
    if (choice === this.#choice) return;
    this.#choice = choice;
    this.#client.use(choice === "auto" ? DEFAULTS.transports : [choice]);
  }

  /** The server's limit of symbols for one connection. */
  get symbols_max() {
    return this.#client.symbols_max;
  }

  /** What the server permits, as it has said; where it has said nothing, as its refusals tell. */
  get limits() {
    return this.#client.limits ?? this.#refusals.limits;
  }

  /** The length of the received messages, in bytes. */
  get bytes() {
    return this.#client.bytes;
  }

  /** Opens the first connection. */
  start() {
    this.#client.connect();
    this.#check();
    for (const event of ["online", "offline", "pageshow"]) addEventListener(event, () => this.#wake());
    document.addEventListener("resume", () => this.#wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
    // A frozen page reads nothing: messages sent to it would be old when it thaws, and fill the server's outbox.
    document.addEventListener("freeze", () => this.#client.pause());
  }

  /** Replaces the subscriptions, now and after every reconnect. Returns those of them that the key permits. @param {Wishes} wishes */
  want(wishes) {
    this.#wanted = wishes;
    this.#ask();
    return permitted(wishes, this.limits);
  }

  /** Requests fresh snapshots of everything. */
  askAnew() {
    this.#client.refresh();
  }

  /** Connects at once if a countdown is running, or if the page does not reconnect by itself. */
  retryNow() {
    this.#client.connect();
  }

  #ask() {
    // The server refuses a request over its limit of symbols as a whole. A WebSocket knows the limit before it subscribes.
    const wanted = [...permitted(this.#wanted, this.limits)].slice(0, this.symbols_max);
    this.#client.replace(wanted.map(([symbol, { channels, max_hz }]) => [symbol, { channels, max_hz }]));
  }

  /** Connects at once, or tests the connection with a ping: this machine, its network or the page's visibility has changed. */
  #wake() {
    const { state, transport } = this.#client.status;
    if (state === "closed" || state === "idle") return;
    const now = performance.now();
    if (state === "live" && transport === "websocket") {
      this.#liveness.doubt(now);
      this.#ping();
    } else if (state === "live" || now - this.#begun_at_ms > FRESH_MS) this.#client.reconnect();
    else this.#client.connect();
  }

  #onOpen() {
    this.clock.clear();
    this.#lag_until_ms = 0;
    this.#pings = 0;
    this.#liveness.begin(performance.now());
    this.#ask();
  }

  #onStatus() {
    const { state, transport, retry_at_ms, failure } = this.#client.status;
    this.#remember();
    if (state === "live") {
      this.#reason = "";
      this.#isKeyless = false;
      this.#setStatus(this.#live());
      if (transport === "websocket") this.#ping();
      return;
    }
    // With something else to show, there is nothing to wait for.
    void onFailure(failure).then((isIn) => {
      if (isIn) this.#client.connect();
    });
    if (retry_at_ms === null) this.#begun_at_ms = performance.now();
    // In a round of attempts the WebSocket does not tell why it was refused.
    if (retry_at_ms !== null || isEntering()) this.#isKeyless = failure?.status === 401 || isEntering();
    if (failure?.code === MOVED) return this.#setStatus({ state: "moving" });
    this.#reason = reasonOf(failure) ?? this.#reason;
    const reason = this.#reason;
    if ((state === "connecting" || state === "idle") && !isEntering()) this.#setStatus({ state: "connecting" });
    else if (state === "closed") this.#setStatus({ state, reason });
    else this.#setStatus({ state: "reconnecting", retry_at_ms, reason, isRefused: failure?.cause === "refused" && (failure.status ?? 0) < 500, isKeyless: this.#isKeyless });
  }

  /** @param {readonly Message[]} messages @param {number} received_us */
  #onBatch(messages, received_us) {
    this.#liveness.heard(performance.now());
    for (const message of messages) {
      if (message.type === "pong") {
        this.clock.add(message.ts, message.server_ts, received_us);
        this.#liveness.answered(message.ts / 1_000 - performance.timeOrigin);
      } else if (message.type === "epoch") {
        // The time of the market is another one now.
        if (message.moved && this.#client.status.transport === "websocket") this.#ping();
      } else if (message.type === "lag") {
        this.#lag_until_ms = performance.now() + LAG_SHOWN_MS;
        this.#setStatus({ state: "stale", silent_since_ms: null, skipped: message.skipped });
      } else if (message.type === "error" && this.#refusals.isOne(message)) {
        const isTold = this.#client.limits === null && this.#refusals.learn(message);
        this.#handlers.onRefused?.(isTold ? "" : message.message);
      }
    }
    this.#showLive();
    this.#handlers.onFrame(messages, received_us);
  }

  /** Checks the connection every 250 ms, for as long as the page lives. */
  #check() {
    setTimeout(() => this.#check(), CHECK_MS);
    const now = performance.now();
    const roundTrip_us = this.clock.roundTrip_us;
    const { isLate, isAskDue, verdict } = this.#liveness.check(now, Date.now(), roundTrip_us === null ? null : roundTrip_us / 1_000);
    const { state, transport } = this.#client.status;
    if (isLate) this.#wake();
    // Other transports have no ping, so that their silence may be that of the market.
    else if (state === "live" && transport !== "websocket") this.#showLive();
    else if (state === "live" && verdict === "gone") {
      const [attempt] = this.attempts;
      if (attempt) Object.assign(attempt, { failure: { cause: "silent" }, silent_s: Math.round((now - this.#liveness.heard_ms) / 1_000) });
      this.#client.reconnect();
    }
    else if (state === "live") {
      if (isAskDue || now - this.#pinged_at_ms >= (this.#pings < PINGS_QUICK ? PING_QUICK_MS : PING_MS)) this.#ping();
      if (verdict === "silent") this.#setStatus({ state: "stale", silent_since_ms: this.#liveness.heard_ms, skipped: 0 });
      else this.#showLive();
    }
  }

  /** Ends the status `stale`, unless it tells of a `lag` that has just come. */
  #showLive() {
    const { state } = this.#client.status;
    if (state !== "live" || this.status.state === "live" || performance.now() < this.#lag_until_ms) return;
    this.#setStatus(this.#live());
  }

  /** @returns {Status} */
  #live() {
    const { transport, isFallback } = this.#client.status;
    const fallback = isFallback && transport !== "websocket" ? transport : null;
    const isMute = this.attempts.find((attempt) => attempt.transport === "websocket")?.failure?.isMute === true;
    return { state: "live", fallback, isMute, transport, since_ms: this.attempts[0]?.ready_ms ?? performance.now(), delay_ms: this.#client.limits?.delay_ms ?? 0 };
  }

  /** Adds the attempt that has just begun, or what became of the last one. */
  #remember() {
    const { state, transport, retry_at_ms, failure } = this.#client.status;
    const last = this.attempts[0];
    if (last && !last.failure && state !== "live") last.failure = failure;
    if (state === "live") this.outage = null;
    else if (last?.failure && last.ready_ms !== null) this.outage ??= { attempt: last, at_ms: performance.now(), tries: 0 };
    if (!transport || (retry_at_ms !== null && state !== "live")) return;
    const isNew = state !== "live" || last?.transport !== transport || last.failure !== null;
    if (isNew && this.outage) this.outage.tries += 1;
    // An upgrade while the old connection lasts.
    if (isNew && last && !last.failure) last.failure = { cause: "asked" };
    if (isNew) this.attempts = [{ transport, at_ms: performance.now(), ready_ms: null, failure: null }, ...this.attempts].slice(0, ATTEMPTS_MAX);
    if (state === "live") this.attempts[0].ready_ms ??= performance.now();
  }

  #ping() {
    const now = performance.now();
    this.#pings += 1;
    this.#pinged_at_ms = now;
    this.#liveness.asked(now);
    this.#client.ping();
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.status = status;
    this.#handlers.onStatus(status);
  }
}
