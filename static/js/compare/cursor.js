// @ts-check
/**
 * The cursor of a WebSocket, with which the next connection continues: every event up to it has come.
 *
 * Owns: this rule. Does not own: the connection (`websocket.js`).
 *
 * In mode `latest`, `max_hz` delays an event by up to one interval, so that it may come after newer events of other topics. Only events
 * older than one interval, by the server's times, have come for certain.
 */

import { isEvent } from "../protocol.js";

/** @typedef {import("./query.js").Position} Position */

/** Time for coalescing and writing in addition to the interval, in microseconds. */
const SLACK_US = 250_000;

export class Cursor {
  /** @type {Position | null} */
  #position;
  #held_us;
  /** Events within the last interval, oldest first. @type {{ ts: number, offset: number }[]} */
  #recent = [];
  /** Snapshots that must still come before there is a cursor again. */
  #snapshots = 0;

  /** @param {Position} after @param {number | null} max_hz null: every event comes */
  constructor(after, max_hz) {
    this.#position = after;
    this.#held_us = max_hz === null ? 0 : 1_000_000 / max_hz + SLACK_US;
  }

  /** The cursor, or null while snapshots are missing. */
  get position() {
    return this.#snapshots > 0 ? null : this.#position;
  }

  /** Starts again, because the old cursor was void. @param {string} epoch @param {number} snapshots that will come */
  restart(epoch, snapshots) {
    this.#position = { epoch, offset: Infinity };
    this.#snapshots = snapshots;
    this.#recent = [];
  }

  /** Drops the cursor: the server's next run has another epoch. */
  drop() {
    this.#position = null;
  }

  /** Takes received messages. @param {readonly import("../protocol.js").Message[]} messages */
  take(messages) {
    for (const message of messages) {
      if (message.type === "snapshot" && this.#position && this.#snapshots > 0) {
        this.#snapshots -= 1;
        this.#position = { epoch: this.#position.epoch, offset: Math.min(this.#position.offset, message.offset) };
      } else if (isEvent(message) || message.type === "heartbeat") this.#pass(message.ts, message.offset);
    }
  }

  /** @param {number} ts @param {number} offset */
  #pass(ts, offset) {
    this.#recent.push({ ts, offset });
    while (this.#recent.length > 0 && this.#recent[0].ts <= ts - this.#held_us) {
      const passed = this.#recent.shift();
      if (passed && this.#position && passed.offset > this.#position.offset) this.#position = { epoch: this.#position.epoch, offset: passed.offset };
    }
  }
}
