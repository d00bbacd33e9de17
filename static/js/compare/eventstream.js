// @ts-check
/**
 * Events as server-sent events. An `EventSource` reconnects by itself, with its cursor, except after an error status, with which a server
 * answers that is shutting down: then a new one is opened here.
 *
 * Owns: the stream. Does not own: the meaning of the messages (`statistics.js`).
 */

import { addressAs } from "../tickets.js";
import { Backoff } from "../../clients/js/backoff.js";
import { nowMicros } from "../clock.js";
import { Failure } from "./failure.js";
import { cursorText, queryOf } from "./query.js";

/** @typedef {import("../protocol.js").Message} Message */

/**
 * Opens the source.
 * @param {import("./query.js").Wish} wish @param {import("./query.js").Position} after @param {string} client
 * @param {import("./transports.js").Receiver} receiver
 * @returns {import("./transports.js").Source}
 */
export function openEventStream(wish, after, client, receiver) {
  const query = queryOf(wish, client);
  if (wish.max_hz !== null) query.set("max_hz", String(wish.max_hz));
  const backoff = new Backoff();
  let cursor = cursorText(after);
  let epoch = "";
  let isDown = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isClosed = false;
  /** @type {EventSource | null} */
  let stream = null;
  const connect = async () => {
    // An empty id of an event resets the cursor, so the stream starts again with snapshots.
    if (cursor === "") query.delete("after");
    else query.set("after", cursor);
    // A ticket is good once: when the browser reconnects with an old one, the stream ends, and another one is opened here.
    const asked = addressAs(`api/v1/stream?${query}`);
    const address = asked instanceof Promise ? await asked : asked;
    if (isClosed) return;
    if (address === null) return fail();
    const opened = new EventSource(address);
    stream = opened;
    opened.addEventListener("message", (event) => {
      const received_us = nowMicros();
      cursor = event.lastEventId;
      /** @type {Message[]} */
      const messages = JSON.parse(event.data);
      for (const message of messages) {
        if (message.type === "welcome" || message.type === "epoch") epoch = message.epoch;
        if (message.type !== "subscribed") continue;
        isDown = false;
        backoff.reset();
        receiver.opened(message.recovered === true, epoch);
      }
      receiver.take(messages, received_us);
    });
    opened.addEventListener("error", () => {
      if (opened.readyState === EventSource.CLOSED) fail();
      else lose();
    });
  };
  const lose = () => {
    if (!isDown) receiver.lost(new Failure("unreachable"));
    isDown = true;
  };
  const fail = () => {
    lose();
    timer = setTimeout(connect, backoff.next());
  };
  void connect();
  return {
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      stream?.close();
    },
  };
}
