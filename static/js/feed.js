// @ts-check
/**
 * The WebSocket of the live page: connects, reconnects, subscribes, detects a dead connection, and estimates the server's clock.
 *
 * Owns: the socket, its subscriptions, the connection status. Does not own: the wanted subscriptions (`wishes.js`), the judgement
 * whether a silent connection is dead (`liveness.js`), the meaning of messages (`app.js`), the look of the status (`connection.js`).
 */

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./wishes.js").Wishes} Wishes */

import { Backoff } from "../clients/js/backoff.js";
import { nowMicros, OffsetEstimator, timerResolution } from "./clock.js";
import { CHECK_MS, Liveness } from "./liveness.js";
import { SUBPROTOCOL } from "./protocol.js";
import { ABNORMAL, adviceOf } from "./reconnect.js";
import { changesOf } from "./wishes.js";

/**
 * @typedef {{ state: "connecting" }
 *         | { state: "live" }
 *         | { state: "reconnecting", retry_at_ms: number | null, reason: string, isRefused?: boolean }
 *         | { state: "closed", reason: string }
 *         | { state: "stale", silent_since_ms: number | null, skipped: number }} Status
 *   `retry_at_ms` is null during an attempt; `silent_since_ms` is null after a `lag`. Both are times of `performance.now()`. `reason` is a phrase for `t()`, empty when the connection was never open.
 *   `isRefused` when the server answers, but no WebSocket gets through. `closed`: the page does not reconnect by itself.
 */

/**
 * @typedef {object} FeedHandlers
 * @property {(status: Status) => void} onStatus
 * @property {(messages: Message[], received_us: number) => void} onFrame
 * @property {() => Promise<boolean>} [isServerReady] asks `/readyz` whether the server accepts clients
 */

const CONNECT_TIMEOUT_MS = 10_000;
/** An event such as `online` does not replace an attempt that is younger than this. */
const FRESH_MS = 1_000;
const LAG_SHOWN_MS = 3_000;
/** After a connection that lived this long the delays start from the shortest. */
const HELD_MS = 5_000;
/** The first pings follow each other quickly, so that the latency is soon known. */
const PINGS_QUICK = 5;
const PING_QUICK_MS = 250;
const PING_MS = 5_000;
/** @type {Wishes} */
const NOTHING = new Map();

export class Feed {
  /** @type {Status} */
  status = { state: "connecting" };
  clock = new OffsetEstimator(timerResolution());
  #url;
  #handlers;
  /** @type {WebSocket | null} */
  #socket = null;
  #wanted = NOTHING;
  /** The subscriptions requested on this connection. */
  #asked = NOTHING;
  #backoff = new Backoff();
  #liveness = new Liveness();
  /** The server's limit of symbols for one connection, from its `welcome`. */
  symbols_max = Infinity;
  #next_id = 1;
  #welcomed = false;
  /** Whether the WebSocket has been opened; whether it was refused while `/readyz` answers. */
  #hasOpened = false;
  #isRefused = false;
  /** Why the last connection was closed: a phrase for `t()`. */
  #reason = "";
  #opened_at_ms = 0;
  #lag_until_ms = 0;
  #pings = 0;
  #pinged_at_ms = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry_timer;

  /**
   * @param {string} url
   * @param {FeedHandlers} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  /** Opens the first connection. */
  start() {
    this.#connect();
    this.#check();
    for (const event of ["online", "offline", "pageshow"]) addEventListener(event, () => this.#wake());
    document.addEventListener("resume", () => this.#wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
    // A frozen page reads nothing: messages sent to it would be old when it thaws, and fill the server's outbox.
    document.addEventListener("freeze", () => {
      this.#leave();
      this.#setStatus({ state: "reconnecting", retry_at_ms: null, reason: "" });
    });
  }

  /** Replaces the subscriptions, now and after every reconnect. @param {Wishes} wishes */
  want(wishes) {
    this.#wanted = wishes;
    this.#ask();
  }

  /** Subscribes to everything again, which brings fresh snapshots. */
  askAnew() {
    this.#asked = NOTHING;
    this.#ask();
  }

  /** Connects at once if a countdown is running, or if the page does not reconnect by itself. */
  retryNow() {
    const { status } = this;
    if (status.state === "closed" || (status.state === "reconnecting" && status.retry_at_ms !== null)) this.#connect();
  }

  /** Connects at once, or tests the connection with a ping: this machine, its network or the page's visibility has changed. */
  #wake() {
    if (this.status.state === "closed") return;
    const now = performance.now();
    this.#backoff.reset();
    if (this.#welcomed) {
      this.#liveness.doubt(now);
      this.#ping();
    } else if (!this.#socket || now - this.#opened_at_ms > FRESH_MS) this.#connect();
  }

  #connect() {
    this.#leave();
    this.#setStatus(
      this.status.state === "connecting"
        ? { state: "connecting" }
        : { state: "reconnecting", retry_at_ms: null, reason: this.#reason, isRefused: this.#isRefused },
    );
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#hasOpened = false;
    this.#lag_until_ms = 0;
    this.#opened_at_ms = performance.now();
    this.#liveness.begin(this.#opened_at_ms);
    socket.onopen = () => this.#onOpen();
    socket.onmessage = (event) => this.#onMessage(event);
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  #onOpen() {
    this.#hasOpened = true;
    this.#isRefused = false;
    this.clock.clear();
    this.#asked = NOTHING;
    this.#pings = 0;
    this.#ping();
  }

  #ask() {
    // The server refuses a request over its limit of symbols as a whole, and the limit comes with the `welcome`.
    if (this.#socket?.readyState !== WebSocket.OPEN || !this.#welcomed) return;
    const wanted = new Map([...this.#wanted].slice(0, this.symbols_max));
    for (const request of changesOf(this.#asked, wanted)) this.#send(request);
    this.#asked = wanted;
  }

  /** @param {MessageEvent} event */
  #onMessage(event) {
    const received_us = nowMicros();
    this.#liveness.heard(performance.now());
    /** @type {Message[] | null} */
    let messages;
    try {
      messages = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!Array.isArray(messages)) return;
    for (const message of messages) this.#readControl(message, received_us);
    if (this.#welcomed && performance.now() >= this.#lag_until_ms) this.#setStatus({ state: "live" });
    this.#handlers.onFrame(messages, received_us);
  }

  /**
   * @param {Message} message
   * @param {number} received_us
   */
  #readControl(message, received_us) {
    switch (message.type) {
      case "welcome":
        this.#welcomed = true;
        this.symbols_max = message.limits?.symbols ?? Infinity;
        this.#ask();
        break;
      case "pong":
        this.clock.add(message.ts, message.server_ts, received_us);
        this.#liveness.answered(message.ts / 1_000 - performance.timeOrigin);
        break;
      case "lag":
        this.#lag_until_ms = performance.now() + LAG_SHOWN_MS;
        this.#setStatus({ state: "stale", silent_since_ms: null, skipped: message.skipped });
        break;
      case "goodbye":
        if (message.retry_after_ms !== undefined) this.#backoff.tell(message.retry_after_ms);
        break;
    }
  }

  /** Checks the connection every 250 ms, for as long as the page lives. */
  #check() {
    setTimeout(() => this.#check(), CHECK_MS);
    const now = performance.now();
    const roundTrip_us = this.clock.roundTrip_us;
    const { isLate, isAskDue, verdict } = this.#liveness.check(now, Date.now(), roundTrip_us === null ? null : roundTrip_us / 1_000);
    if (isLate) this.#wake();
    else if (!this.#welcomed) {
      if (this.#socket && now - this.#opened_at_ms > CONNECT_TIMEOUT_MS) this.#giveUp();
    } else if (verdict === "gone") this.#giveUp();
    else {
      if (isAskDue || now - this.#pinged_at_ms >= (this.#pings < PINGS_QUICK ? PING_QUICK_MS : PING_MS)) this.#ping();
      if (verdict === "silent") this.#setStatus({ state: "stale", silent_since_ms: this.#liveness.heard_ms, skipped: 0 });
      else if (now >= this.#lag_until_ms) this.#setStatus({ state: "live" });
    }
  }

  /** Gives up a connection that does not answer. The wait for the answer was delay enough, so the next attempt follows soon. */
  #giveUp() {
    this.#backoff.reset();
    this.#onClose(null);
  }

  /** @param {number | null} code null: this page has given the connection up */
  #onClose(code) {
    if (this.#welcomed && performance.now() - this.#opened_at_ms > HELD_MS) this.#backoff.reset();
    const advice = adviceOf(code ?? ABNORMAL);
    if (this.#hasOpened) this.#reason = advice.phrase;
    else void this.#askWhy();
    this.#leave();
    if (!advice.reconnects) return this.#setStatus({ state: "closed", reason: this.#reason });
    const delay_ms = this.#backoff.next(code === null ? 0 : advice.delay_ms);
    this.#setStatus({ state: "reconnecting", retry_at_ms: performance.now() + delay_ms, reason: this.#reason, isRefused: this.#isRefused });
    this.#retry_timer = setTimeout(() => this.#connect(), delay_ms);
  }

  /** Asks `/readyz` whether only WebSockets are refused: browsers hide from scripts why a WebSocket was not opened. */
  async #askWhy() {
    const isReady = await this.#handlers.isServerReady?.().catch(() => false);
    this.#isRefused = isReady === true && !this.#hasOpened;
    if (this.#isRefused && this.status.state === "reconnecting") this.#setStatus({ ...this.status, isRefused: true });
  }

  /** Abandons the socket without waiting for the closing handshake, which could take minutes. */
  #leave() {
    clearTimeout(this.#retry_timer);
    this.#welcomed = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #ping() {
    const now = performance.now();
    this.#pings += 1;
    this.#pinged_at_ms = now;
    this.#liveness.asked(now);
    this.#send({ action: "ping", ts: Math.round(nowMicros()) });
  }

  /** @param {Record<string, unknown> & { action: string }} request */
  #send(request) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const { action, ...rest } = request;
    this.#socket.send(JSON.stringify({ action, id: this.#next_id, ...rest }));
    this.#next_id += 1;
  }

  /** @param {Status} status */
  #setStatus(status) {
    if (status.state === "live" && this.status.state === "live") return;
    this.status = status;
    this.#handlers.onStatus(status);
  }
}
