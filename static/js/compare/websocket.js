// @ts-check
/**
 * Events over WebSocket: one subscription, which is repeated with its cursor on a new connection after a break.
 *
 * Owns: these connections. Does not own: the meaning of the messages (`statistics.js`).
 */

import { addressAs } from "../tickets.js";
import { socketAddress } from "../socketaddress.js";
import { Backoff } from "../../clients/js/backoff.js";
import { ABNORMAL, adviceOf } from "../../clients/js/closing.js";
import { nowMicros } from "../clock.js";
import { SUBPROTOCOL } from "../protocol.js";
import { Cursor } from "./cursor.js";
import { Failure, refusal } from "./failure.js";
import { pause, TIMEOUT_MS } from "./request.js";

/** @typedef {import("./query.js").Wish} Wish */
/** @typedef {import("../protocol.js").Message} Message */
/** @typedef {import("./transports.js").Receiver} Receiver */

const CHECK_MS = 500;
/** After a connection that lived this long the delays start from the shortest. */
const HELD_MS = 5_000;
const NORMAL = 1000;

/**
 * Opens the source.
 * @param {Wish} wish @param {import("./query.js").Position} after @param {string} client @param {Receiver} receiver
 * @returns {import("./transports.js").Source}
 */
export function openWebSocket(wish, after, client, receiver) {
  const cursor = new Cursor(after, wish.max_hz);
  const closing = new AbortController();
  const run = async () => {
    const backoff = new Backoff();
    while (!closing.signal.aborted) {
      const begun = performance.now();
      const asked = addressAs(`ws?client=${encodeURIComponent(client)}`);
      const path = asked instanceof Promise ? await asked : asked;
      if (closing.signal.aborted) return;
      const failure = path === null ? new Failure("unreachable") : await new Connection(wish, cursor, path, receiver, backoff, closing.signal).ended;
      if (closing.signal.aborted) return;
      if (failure.isFinal) return receiver.failed(failure);
      receiver.lost(failure);
      if (performance.now() - begun > HELD_MS) backoff.reset();
      await pause(backoff.next(failure.least_ms), closing.signal);
    }
  };
  const done = run();
  return {
    close: () => {
      closing.abort();
      return done;
    },
  };
}

/** One connection. */
class Connection {
  #cursor;
  #receiver;
  #wish;
  #socket;
  #epoch = "";
  #heartbeat_ms = 0;
  #heard_at_ms = performance.now();
  #isSubscribed = false;
  /** @type {(failure: Failure) => void} */
  #end = () => {};
  /** Resolves with the reason when the connection has ended. @type {Promise<Failure>} */
  ended = new Promise((resolve) => {
    this.#end = resolve;
  });

  /**
   * @param {Wish} wish @param {Cursor} cursor @param {string} path @param {Receiver} receiver @param {Backoff} backoff
   * @param {AbortSignal} closing
   */
  constructor(wish, cursor, path, receiver, backoff, closing) {
    this.#wish = wish;
    this.#cursor = cursor;
    this.#receiver = receiver;
    const socket = new WebSocket(socketAddress(path), SUBPROTOCOL);
    this.#socket = socket;
    const gone = new AbortController();
    const { signal } = gone;
    const check = setInterval(() => this.#check(), CHECK_MS);
    void this.ended.then(() => {
      clearInterval(check);
      // Ignore events of the old socket.
      gone.abort();
      socket.close();
    });
    socket.addEventListener("open", () => this.#subscribe(), { signal });
    socket.addEventListener("message", (event) => this.#onMessage(event, backoff), { signal });
    socket.addEventListener("close", (event) => this.#onClose(event), { signal });
    closing.addEventListener("abort", () => this.#close(), { signal });
  }

  /** Starts the closing handshake, and limits the wait for the server's answer. */
  #close() {
    this.#socket.close(NORMAL);
    setTimeout(() => this.#end(new Failure("timeout")), TIMEOUT_MS);
  }

  #subscribe() {
    const { symbols, channels, max_hz } = this.#wish;
    const mode = max_hz === null ? { mode: "all" } : { mode: "latest", max_hz };
    const after = this.#cursor.position ?? undefined;
    this.#socket.send(JSON.stringify({ action: "subscribe", symbols, channels, ...mode, after }));
  }

  /** @param {MessageEvent} event @param {Backoff} backoff */
  #onMessage(event, backoff) {
    const received_us = nowMicros();
    this.#heard_at_ms = performance.now();
    /** @type {Message[]} */
    const messages = JSON.parse(event.data);
    for (const message of messages) {
      if (message.type === "welcome") [this.#epoch, this.#heartbeat_ms] = [message.epoch, message.heartbeat_ms];
      if (message.type === "goodbye" && message.retry_after_ms !== undefined) backoff.tell(message.retry_after_ms);
      if (message.type === "error") return this.#end(refusal(message));
      if (message.type === "subscribed") this.#onSubscribed(message.recovered === true);
      if (message.type === "epoch") this.#restart(message.epoch);
    }
    this.#cursor.take(messages);
    this.#receiver.take(messages, received_us);
  }

  /** @param {CloseEvent} event */
  #onClose({ code, reason }) {
    const { reconnects, keepsCursor, delay_ms } = adviceOf(code);
    if (!keepsCursor) this.#cursor.drop();
    const after = { isFinal: !reconnects, least_ms: delay_ms };
    const isReached = this.#isSubscribed || code !== ABNORMAL;
    this.#end(isReached ? new Failure("closed", `${code} ${reason}`.trim(), after) : new Failure("unreachable", "", after));
  }

  /** @param {boolean} recovered */
  #onSubscribed(recovered) {
    this.#isSubscribed = true;
    if (!recovered) this.#restart(this.#epoch);
    this.#receiver.opened(recovered, this.#epoch);
  }

  /** A snapshot of each symbol follows. @param {string} epoch */
  #restart(epoch) {
    this.#epoch = epoch;
    this.#cursor.restart(epoch, this.#wish.symbols.length);
  }

  /** Ends a silent connection, because a connection may break without an event. */
  #check() {
    const silent_ms = performance.now() - this.#heard_at_ms;
    const silent_ms_max = this.#isSubscribed && this.#heartbeat_ms > 0 ? 3 * this.#heartbeat_ms : TIMEOUT_MS;
    const isQuiet = this.#isSubscribed && this.#heartbeat_ms === 0;
    if (silent_ms > silent_ms_max && !isQuiet) this.#end(new Failure("timeout"));
  }
}
