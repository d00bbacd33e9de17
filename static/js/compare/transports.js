// @ts-check
/**
 * The four ways to the same events, each as a browser's script would use it, from one cursor on.
 *
 * Owns: sockets, streams and requests. Does not own: what the messages mean (`statistics.js`). The time of arrival is taken
 * as the first thing in the handler, before the text is parsed.
 */

import { nowMicros } from "../clock.js";
import { SUBPROTOCOL } from "../protocol.js";

/** @typedef {import("./statistics.js").Message} Message */
/** @typedef {"websocket" | "sse" | "long_poll" | "short_poll"} Transport */
/** @typedef {{ symbols: string[], channels: string[], max_hz: number | null, interval_ms: number }} Wish */
/** @typedef {{ epoch: string, offset: number }} Cursor */
/**
 * @typedef {object} Receiver
 * @property {() => void} opened events are on their way from now on
 * @property {(messages: Message[], received_us: number) => void} take `received_us` by this machine's clock
 * @property {(offset: number) => void} reached everything up to there has come
 * @property {(reason: string) => void} failed there will be nothing more
 */
/** @typedef {{ close: () => Promise<void> }} Source closing resolves when the last answer has come */

/** @type {readonly Transport[]} */
export const TRANSPORTS = ["websocket", "sse", "long_poll", "short_poll"];

const WAIT_MS = 25_000;

/**
 * Opens a source of events.
 * @param {Transport} transport
 * @param {Wish} wish
 * @param {Cursor} after
 * @param {string} client the account that the server charges
 * @param {Receiver} receiver
 * @returns {Source}
 */
export function openSource(transport, wish, after, client, receiver) {
  if (transport === "websocket") return openWebSocket(wish, after, client, receiver);
  if (transport === "sse") return openEventStream(wish, after, client, receiver);
  return poll(transport, wish, after, client, receiver);
}

/** Returns the address of a socket on this server. @param {string} path */
export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

/** @param {Wish} wish @param {Cursor} after @param {string} client @param {Receiver} receiver @returns {Source} */
function openWebSocket(wish, after, client, receiver) {
  const socket = new WebSocket(socketAddress(`/ws?client=${client}`), SUBPROTOCOL);
  const mode = wish.max_hz === null ? { mode: "all" } : { mode: "latest", max_hz: wish.max_hz };
  const { symbols, channels } = wish;
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  let closing = false;
  socket.addEventListener("open", () => socket.send(JSON.stringify({ action: "subscribe", symbols, channels, ...mode, after })));
  socket.addEventListener("message", (event) => {
    const received_us = nowMicros();
    /** @type {Message[]} */
    const messages = JSON.parse(event.data);
    if (messages.some((message) => message.type === "subscribed")) receiver.opened();
    receiver.take(messages, received_us);
  });
  socket.addEventListener("close", (event) => {
    if (!closing) receiver.failed(`${event.code} ${event.reason}`.trim());
  });
  return {
    close: async () => {
      closing = true;
      socket.close(1000);
      await closed;
    },
  };
}

/** @param {Wish} wish @param {Cursor} after @param {string} client @param {Receiver} receiver @returns {Source} */
function openEventStream(wish, after, client, receiver) {
  const query = queryOf(wish, client);
  if (wish.max_hz !== null) query.set("max_hz", String(wish.max_hz));
  query.set("after", cursorText(after));
  const stream = new EventSource(`/api/v1/stream?${query}`);
  stream.addEventListener("open", () => receiver.opened());
  stream.addEventListener("message", (event) => {
    const received_us = nowMicros();
    receiver.take(JSON.parse(event.data), received_us);
  });
  stream.addEventListener("error", () => {
    // Otherwise the browser is coming back by itself, with its cursor.
    if (stream.readyState === EventSource.CLOSED) receiver.failed("EventSource");
  });
  return { close: async () => stream.close() };
}

/**
 * @param {"long_poll" | "short_poll"} transport
 * @param {Wish} wish @param {Cursor} after @param {string} client @param {Receiver} receiver
 * @returns {Source}
 */
function poll(transport, wish, after, client, receiver) {
  const isShort = transport === "short_poll";
  // A long poll asks again at once, unless it wants the newest values at a rate.
  const interval_ms = isShort ? wish.interval_ms : wish.max_hz === null ? 0 : 1_000 / wish.max_hz;
  const query = queryOf(wish, client);
  query.set("wait_ms", String(isShort ? 0 : WAIT_MS));
  const stopping = new AbortController();
  let cursor = cursorText(after);
  const ask = async () => {
    query.set("after", cursor);
    // A last short poll still gets what has happened since the one before.
    const signal = isShort ? undefined : stopping.signal;
    const response = await fetch(`/api/v1/poll?${query}`, { cache: "no-store", signal });
    const text = await response.text();
    const received_us = nowMicros();
    const answer = JSON.parse(text);
    if (!response.ok) throw new Error(answer.detail);
    receiver.take(answer.messages, received_us);
    receiver.reached(answer.offset);
    cursor = answer.cursor;
  };
  const run = async () => {
    receiver.opened();
    let due = performance.now();
    while (!stopping.signal.aborted) {
      await ask();
      due = Math.max(due + interval_ms, performance.now());
      if (interval_ms > 0) await pause(due - performance.now(), stopping.signal);
    }
    if (isShort) await ask();
  };
  const done = run().catch((err) => {
    if (!stopping.signal.aborted) receiver.failed(err.message);
  });
  return {
    close: () => {
      stopping.abort();
      return done;
    },
  };
}

/** Waits; not longer than until the signal. @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
    if (signal.aborted) finish();
  });
}

/** @param {Wish} wish @param {string} client */
function queryOf(wish, client) {
  const mode = wish.max_hz === null ? "all" : "latest";
  return new URLSearchParams({ symbols: wish.symbols.join(","), channels: wish.channels.join(","), mode, client });
}

/** @param {Cursor} cursor */
function cursorText(cursor) {
  return `${cursor.epoch}:${cursor.offset}`;
}
