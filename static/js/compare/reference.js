// @ts-check
/**
 * The server's clock, estimated as NTP does: pings over a WebSocket of its own, so that the measured connections carry none. A socket
 * that breaks or does not answer is replaced; until then the error of the estimate grows.
 *
 * Owns: that socket. Does not own: the estimate (`clock.js`).
 */

import { addressAs } from "../tickets.js";
import { socketAddress } from "../socketaddress.js";
import { Backoff } from "../../clients/js/backoff.js";
import { nowMicros, OffsetEstimator, timerResolution } from "../clock.js";
import { MarketTime } from "../markettime.js";
import { SUBPROTOCOL } from "../protocol.js";
import { TIMEOUT_MS } from "./request.js";

/** The pings before the first estimate counts, and the interval of pings before and after that, in milliseconds. */
const FIRST_EXCHANGES = 8;
const FIRST_INTERVAL_MS = 20;
const INTERVAL_MS = 500;

export class ReferenceClock {
  #estimator = new OffsetEstimator(timerResolution());
  #backoff = new Backoff();
  /** @type {WebSocket | null} */
  #socket = null;
  #epoch = "";
  /** Whether the next pong is the first one of another run of the server. */
  #isOther = false;
  #exchanges = 0;
  #isClosed = false;
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
    void this.#open();
  }

  /** Returns a time of this machine's clock as a time of the server's. @param {number} local_us */
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
    this.#isClosed = true;
    this.#leave();
    socket?.close(1000);
  }

  async #open() {
    const asked = addressAs("ws");
    const path = asked instanceof Promise ? await asked : asked;
    if (this.#isClosed) return;
    if (path === null) return this.#reopen();
    const socket = new WebSocket(socketAddress(path), SUBPROTOCOL);
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
    // Another server may have another clock; until its first pong the old estimate serves.
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

  /** Limits the wait for the next pong. */
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

  /** Detaches the socket. */
  #leave() {
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.onopen = this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket = null;
  }
}
