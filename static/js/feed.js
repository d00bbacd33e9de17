// @ts-check
/**
 * The one socket: connects, comes back after a loss, asks again for everything that was asked for, notices silence and
 * estimates the server's clock.
 *
 * Owns: the WebSocket, the wanted subscriptions, the connection status. Does not own: what messages mean to the page
 * (`app.js`) or how the status looks (`connection.js`).
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Message} Message */

import { Backoff } from "./backoff.js";
import { nowMicros, OffsetEstimator, timerResolution } from "./clock.js";
import { SUBPROTOCOL } from "./protocol.js";

/**
 * @typedef {{ state: "connecting" }
 *         | { state: "live" }
 *         | { state: "reconnecting", retry_at_ms: number | null }
 *         | { state: "stale", silent_since_ms: number | null, skipped: number }} Status
 *   `retry_at_ms` is null while an attempt is under way; `silent_since_ms` is null when the server said that it skipped
 *   events. Both count as `performance.now()` does.
 */

/**
 * @typedef {object} FeedHandlers
 * @property {(status: Status) => void} onStatus
 * @property {(messages: Message[], received_us: number) => void} onFrame
 */

const CONNECT_TIMEOUT_MS = 10_000;
const CHECK_MS = 500;
const LAG_SHOWN_MS = 3_000;
/** A connection that lived this long starts the backoff anew. */
const HELD_MS = 5_000;
/** A few quick pings first, so that the latency is known soon; then one now and then. */
const PINGS_QUICK = 5;
const PING_QUICK_MS = 250;
const PING_MS = 5_000;

export class Feed {
  /** @type {Status} */
  status = { state: "connecting" };
  clock = new OffsetEstimator(timerResolution());
  #url;
  #handlers;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<string, Set<Channel>>} */
  #wanted = new Map();
  #backoff = new Backoff();
  #next_id = 1;
  #welcomed = false;
  #opened_at_ms = 0;
  #heard_at_ms = 0;
  #heartbeat_ms = 15_000;
  #lag_until_ms = 0;
  #pings = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry_timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ping_timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #check_timer;

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
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
  }

  /**
   * Asks for channels of symbols, now and after every reconnect.
   * @param {string[]} symbols
   * @param {Channel[]} channels
   */
  subscribe(symbols, channels) {
    for (const symbol of symbols) {
      const wanted = this.#wanted.get(symbol) ?? new Set();
      for (const channel of channels) wanted.add(channel);
      this.#wanted.set(symbol, wanted);
    }
    if (symbols.length > 0) this.#send({ action: "subscribe", symbols, channels });
  }

  /** Gives up every channel of symbols. @param {string[]} symbols */
  unsubscribe(symbols) {
    for (const symbol of symbols) this.#wanted.delete(symbol);
    if (symbols.length > 0) this.#send({ action: "unsubscribe", symbols });
  }

  /** Tries at once instead of waiting for the countdown. Does nothing unless one is running. */
  retryNow() {
    if (this.status.state === "reconnecting" && this.status.retry_at_ms !== null) this.#connect();
  }

  #connect() {
    clearTimeout(this.#retry_timer);
    this.#setStatus(
      this.status.state === "reconnecting" ? { state: "reconnecting", retry_at_ms: null } : { state: "connecting" },
    );
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    this.#welcomed = false;
    this.#lag_until_ms = 0;
    this.#opened_at_ms = this.#heard_at_ms = performance.now();
    socket.onopen = () => this.#onOpen();
    socket.onmessage = (event) => this.#onMessage(event);
    socket.onclose = () => {
      if (this.#socket === socket) this.#onClose();
    };
    this.#scheduleCheck();
  }

  #onOpen() {
    this.clock.clear();
    this.#resubscribe();
    this.#pings = 0;
    this.#ping();
  }

  /** One request for each different set of channels. */
  #resubscribe() {
    /** @type {Map<string, string[]>} */
    const groups = new Map();
    for (const [symbol, channels] of this.#wanted) {
      const key = [...channels].join();
      groups.set(key, [...(groups.get(key) ?? []), symbol]);
    }
    for (const [key, symbols] of groups) {
      this.#send({ action: "subscribe", symbols, channels: key.split(",") });
    }
  }

  /** @param {MessageEvent} event */
  #onMessage(event) {
    const received_us = nowMicros();
    this.#heard_at_ms = performance.now();
    let messages;
    try {
      messages = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!Array.isArray(messages)) return;
    for (const message of messages) this.#readControl(message, received_us);
    this.#settle();
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
        if (message.heartbeat_ms > 0) this.#heartbeat_ms = message.heartbeat_ms;
        break;
      case "pong":
        this.clock.add(message.ts, message.server_ts, received_us);
        break;
      case "lag":
        this.#lag_until_ms = this.#heard_at_ms + LAG_SHOWN_MS;
        this.#setStatus({ state: "stale", silent_since_ms: null, skipped: message.skipped });
        break;
      case "goodbye":
        if (message.retry_after_ms !== undefined) this.#backoff.tell(message.retry_after_ms);
        break;
    }
  }

  /** Sets the status that silence, lag and welcome together mean; ends a connection that is silent for too long. */
  #settle() {
    const now = performance.now();
    const silent_ms = now - this.#heard_at_ms;
    if (!this.#welcomed) {
      if (now - this.#opened_at_ms > CONNECT_TIMEOUT_MS) this.#abandon();
      return;
    }
    if (silent_ms > 3 * this.#heartbeat_ms) this.#abandon();
    else if (silent_ms > 2 * this.#heartbeat_ms) {
      this.#setStatus({ state: "stale", silent_since_ms: this.#heard_at_ms, skipped: 0 });
    } else if (now >= this.#lag_until_ms) this.#setStatus({ state: "live" });
  }

  #scheduleCheck() {
    clearTimeout(this.#check_timer);
    this.#check_timer = setTimeout(() => {
      this.#settle();
      if (this.#socket) this.#scheduleCheck();
    }, CHECK_MS);
  }

  /** Leaves a socket that answers nothing: closing it in order could take minutes. */
  #abandon() {
    const socket = this.#socket;
    this.#onClose();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #onClose() {
    clearTimeout(this.#ping_timer);
    clearTimeout(this.#check_timer);
    this.#socket = null;
    if (this.#welcomed && performance.now() - this.#opened_at_ms > HELD_MS) this.#backoff.reset();
    const delay_ms = this.#backoff.next();
    this.#setStatus({ state: "reconnecting", retry_at_ms: performance.now() + delay_ms });
    this.#retry_timer = setTimeout(() => this.#connect(), delay_ms);
  }

  #ping() {
    this.#send({ action: "ping", ts: Math.round(nowMicros()) });
    this.#pings += 1;
    this.#ping_timer = setTimeout(() => this.#ping(), this.#pings < PINGS_QUICK ? PING_QUICK_MS : PING_MS);
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
