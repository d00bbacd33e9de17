// @ts-check
/**
 * The four transports, each as a browser's script would use it, from one cursor on. All of them reconnect after a break, with their
 * last cursor.
 *
 * Owns: the list of transports and their interface. Does not own: the meaning of the messages (`statistics.js`).
 */

import { openEventStream } from "./eventstream.js";
import { openPoll } from "./poll.js";
import { openWebSocket } from "./websocket.js";

/** @typedef {import("./failure.js").Failure} Failure */
/** @typedef {import("../protocol.js").Message} Message */
/** @typedef {import("../protocol.js").Position} Position */
/** @typedef {import("../protocol.js").Transport} Transport */
/** @typedef {import("./query.js").Wish} Wish */
/**
 * @typedef {object} Receiver
 * @property {(recovered: boolean, epoch: string) => void} opened the subscription is active, for the first time or after a
 *   break; not `recovered`: the cursor was void, the number of lost events is unknown, and snapshots come first
 * @property {(messages: Message[], received_us: number) => void} take `received_us` by this machine's clock, taken
 *   first in the handler, before the text is parsed
 * @property {(offset: number) => void} reached every event up to this offset has come
 * @property {(failure: Failure) => void} lost the transport is down; another attempt follows
 * @property {(failure: Failure) => void} failed no attempt follows
 */
/** @typedef {{ close: () => Promise<void> }} Source closing resolves when the last answer has come, in bounded time */

/** @type {readonly Transport[]} */
export const TRANSPORTS = ["websocket", "sse", "long_poll", "short_poll"];

/**
 * Opens a source of events.
 * @param {Transport} transport
 * @param {Wish} wish
 * @param {Position} after
 * @param {string} client the name of the server's account
 * @param {Receiver} receiver
 * @returns {Source}
 */
export function openSource(transport, wish, after, client, receiver) {
  if (transport === "websocket") return openWebSocket(wish, after, client, receiver);
  if (transport === "sse") return openEventStream(wish, after, client, receiver);
  return openPoll(transport, wish, after, client, receiver);
}

/** Makes a record with a value for each transport. @template T @param {(transport: Transport) => T} make @returns {Record<Transport, T>} */
export function forEach(make) {
  return { websocket: make("websocket"), sse: make("sse"), long_poll: make("long_poll"), short_poll: make("short_poll") };
}
