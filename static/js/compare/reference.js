// @ts-check
/**
 * The server's clock, by NTP's way: pings over a socket of its own, so that none of the measured ones carries them.
 *
 * Owns: that socket. Does not own: the estimate (`clock.js`).
 */

import { nowMicros, OffsetEstimator } from "../clock.js";
import { socketAddress } from "./transports.js";

/** Exchanges before the first estimate is believed, and the time between two of them before and after, in milliseconds. */
const FIRST_EXCHANGES = 8;
const FIRST_INTERVAL_MS = 20;
const INTERVAL_MS = 500;

export class ReferenceClock {
  #socket = new WebSocket(socketAddress("/ws"));
  #estimator = new OffsetEstimator();
  #exchanges = 0;
  #timer = 0;

  /** Becomes true when the server's time is known. @type {Promise<void>} */
  ready = new Promise((resolve, reject) => {
    this.#socket.addEventListener("open", () => this.#ping());
    this.#socket.addEventListener("close", () => reject(new Error("WebSocket")));
    this.#socket.addEventListener("message", (event) => {
      const received = nowMicros();
      for (const message of JSON.parse(event.data)) {
        if (message.type !== "pong") continue;
        this.#estimator.add(message.ts, message.server_ts, received);
        this.#exchanges += 1;
        if (this.#exchanges === FIRST_EXCHANGES) resolve();
        const wait = this.#exchanges < FIRST_EXCHANGES ? FIRST_INTERVAL_MS : INTERVAL_MS;
        this.#timer = window.setTimeout(() => this.#ping(), wait);
      }
    });
  });

  /** Returns a moment of this machine's clock as the server's. @param {number} local_us */
  server(local_us) {
    return local_us + (this.#estimator.best?.offset_us ?? 0);
  }

  /** Returns the server's time now. */
  now() {
    return this.server(nowMicros());
  }

  /** The offset and its error, in microseconds. */
  get estimate() {
    return this.#estimator.best;
  }

  close() {
    clearTimeout(this.#timer);
    this.#socket.close(1000);
  }

  #ping() {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ action: "ping", ts: Math.round(nowMicros()) }));
  }
}
