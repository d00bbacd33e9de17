// @ts-check
/**
 * The server's clock, by NTP's way: pings over a socket of its own, so that none of the measured ones carries them. A
 * socket that breaks or falls silent is replaced; meanwhile the error of what is known grows.
 *
 * Owns: that socket. Does not own: the estimate (`clock.js`).
 */

import { socketAddress } from "../address.js";
import { Backoff } from "../backoff.js";
import { nowMicros, OffsetEstimator, timerResolution } from "../clock.js";
import { MarketTime } from "../markettime.js";
import { SUBPROTOCOL } from "../protocol.js";
import { TIMEOUT_MS } from "./request.js";

/** Exchanges before the first estimate is believed, and the time between two of them before and after, in milliseconds. */
const FIRST_EXCHANGES = 8;
const FIRST_INTERVAL_MS = 20;
const INTERVAL_MS = 500;

export class ReferenceClock {
  #estimator = new OffsetEstimator(timerResolution());
  #backoff = new Backoff();
  /** @type {WebSocket | null} */
  #socket = null;
  #epoch = "";
  /** Whether the next exchange is the first one with another server. */
  #isOther = false;
  #exchanges = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #onReady = () => {};
  /** The time of the market. */
  market = new MarketTime();

  /** Becomes true when the server's time is known. @type {Promise<void>} */
  ready = new Promise((resolve) => {
    this.#onReady = resolve;
  });

  constructor() {
    this.#open();
  }

  /** Returns a moment of this machine's clock as the server's. @param {number} local_us */
  server(local_us) {
    return local_us + (this.estimate?.offset_us ?? 0);
  }

  /** Returns the server's time now. */
  now() {
    return this.server(nowMicros());
  }

  /** The offset and its error now, in microseconds. */
  get estimate() {
    return this.#estimator.at(nowMicros());
  }

  close() {
    const socket = this.#socket;
    this.#leave();
    socket?.close(1000);
  }

  #open() {
    const socket = new WebSocket(socketAddress("ws"), SUBPROTOCOL);
    this.#socket = socket;
    this.#exchanges = 0;
    this.#expect();
    socket.onopen = () => this.#ping();
    socket.onclose = () => this.#reopen();
    socket.onmessage = (event) => {
      const received = nowMicros();
      /** @type {import("../protocol.js").Message[]} */
      const messages = JSON.parse(event.data);
      for (const message of messages) {
        if (message.type === "welcome") this.#meet(message.epoch);
        if (message.type === "welcome" || message.type === "pong") this.market.take(message);
        if (message.type === "pong") this.#take(message, received);
      }
    };
  }

  /** @param {string} epoch */
  #meet(epoch) {
    this.#isOther ||= this.#epoch !== "" && this.#epoch !== epoch;
    this.#epoch = epoch;
  }

  /** @param {{ ts: number, server_ts: number }} pong @param {number} received */
  #take(pong, received) {
    // Another server may have another clock; what was known serves until then.
    if (this.#isOther) this.#estimator.clear();
    this.#isOther = false;
    this.#estimator.add(pong.ts, pong.server_ts, received);
    this.#exchanges += 1;
    if (this.#exchanges === FIRST_EXCHANGES) {
      this.#backoff.reset();
      this.#onReady();
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ping(), this.#exchanges < FIRST_EXCHANGES ? FIRST_INTERVAL_MS : INTERVAL_MS);
  }

  #ping() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ action: "ping", ts: Math.round(nowMicros()) }));
    this.#expect();
  }

  /** Waits for an answer, but not for ever. */
  #expect() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reopen(), TIMEOUT_MS);
  }

  #reopen() {
    const socket = this.#socket;
    this.#leave();
    socket?.close();
    this.#timer = setTimeout(() => this.#open(), this.#backoff.next());
  }

  /** Listens to the socket no longer. */
  #leave() {
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.onopen = this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket = null;
  }
}
