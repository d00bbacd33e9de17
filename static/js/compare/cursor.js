// @ts-check
/**
 * The cursor of a WebSocket: up to where everything has come, so that another connection can go on from there.
 *
 * Owns: this rule. Does not own: the connection (`websocket.js`).
 *
 * In mode `latest` a rate holds values back, so that an event may come after newer ones of others. It is held for one
 * interval at the most: what is older than that, by the server's own times, has come.
 */

import { isEvent } from "../protocol.js";

/** @typedef {import("./query.js").Position} Position */

/** For coalescing and writing, beyond the interval of a rate, in microseconds. */
const SLACK_US = 250_000;

export class Cursor {
  /** @type {Position | null} */
  #position;
  #held_us;
  /** What may still be overtaken, oldest first. @type {{ ts: number, offset: number }[]} */
  #recent = [];
  /** Snapshots still to come before there is a cursor again. */
  #snapshots = 0;

  /** @param {Position} after @param {number | null} max_hz null: every event comes */
  constructor(after, max_hz) {
    this.#position = after;
    this.#held_us = max_hz === null ? 0 : 1_000_000 / max_hz + SLACK_US;
  }

  /** The cursor, or null when there is none, as not all snapshots have come. */
  get position() {
    return this.#snapshots > 0 ? null : this.#position;
  }

  /** Begins anew: the old cursor is void. @param {string} epoch @param {number} snapshots so many will come */
  restart(epoch, snapshots) {
    this.#position = { epoch, offset: Infinity };
    this.#snapshots = snapshots;
    this.#recent = [];
  }

  /** Drops the cursor: the server's next run has another epoch. */
  drop() {
    this.#position = null;
  }

  /** Takes in what has come. @param {readonly import("../protocol.js").Message[]} messages */
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
