// @ts-check
/**
 * Extra clients that only load the server, with an account of their own beside the measured one.
 *
 * WebSockets are opened all at once: browsers allow hundreds. Of HTTP/1.1 connections they allow six to a server: the page
 * itself holds four (stream, two polls, the reading of the accounts), so the extra clients over HTTP share two: one
 * stream at a time keeps one for good, polls take turns on the other.
 *
 * Owns: these clients. Does not own: the measured ones (`run.js`).
 */

import { openSource, pause, TRANSPORTS } from "./transports.js";

/** @typedef {import("./transports.js").Wish} Wish */
/** @typedef {import("./transports.js").Cursor} Cursor */
/** @typedef {Record<import("./transports.js").Transport, number>} Counts */

/** How long an extra long poll may hold the connection that it shares, in milliseconds. */
const TURN_MS = 1_000;

export class Crowd {
  /** @type {import("./transports.js").Source[]} */
  #sources = [];
  #stopping = new AbortController();
  /** Clients that have got something. @type {Counts} */
  running = { websocket: 0, sse: 0, long_poll: 0, short_poll: 0 };

  /**
   * @param {number} size clients for each transport
   * @param {Wish} wish @param {Cursor} after @param {string} client
   */
  constructor(size, wish, after, client) {
    for (let index = 0; index < size; index += 1) this.#open("websocket", wish, after, client);
    if (size > 0) this.#open("sse", wish, after, client);
    if (size > 0) void this.#takeTurns(size, wish, after, client);
  }

  /** Ends all of them. */
  async close() {
    this.#stopping.abort();
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  /** @param {"websocket" | "sse"} transport @param {Wish} wish @param {Cursor} after @param {string} client */
  #open(transport, wish, after, client) {
    let counted = false;
    const count = (/** @type {number} */ by) => {
      this.running[transport] += by;
    };
    this.#sources.push(openSource(transport, wish, after, client, {
      opened: () => {
        if (!counted) count(1);
        counted = true;
      },
      take: () => {},
      reached: () => {},
      failed: () => {
        if (counted) count(-1);
      },
    }));
  }

  /** Polls for one client after the other. @param {number} size @param {Wish} wish @param {Cursor} after @param {string} client */
  async #takeTurns(size, wish, after, client) {
    const turns = TRANSPORTS.filter((transport) => transport === "long_poll" || transport === "short_poll")
      .flatMap((transport) => Array.from({ length: size }, () => ({ transport, cursor: `${after.epoch}:${after.offset}`, counted: false })));
    const query = new URLSearchParams({ symbols: wish.symbols.join(","), channels: wish.channels.join(","), client });
    const signal = this.#stopping.signal;
    for (let index = 0; !signal.aborted; index = (index + 1) % turns.length) {
      const turn = turns[index];
      query.set("after", turn.cursor);
      query.set("wait_ms", String(turn.transport === "short_poll" ? 0 : TURN_MS));
      try {
        const response = await fetch(`/api/v1/poll?${query}`, { cache: "no-store", signal });
        const answer = await response.json();
        if (!response.ok) return;
        turn.cursor = answer.cursor;
        if (!turn.counted) this.running[turn.transport] += 1;
        turn.counted = true;
        if (turn.transport === "short_poll") await pause(wish.interval_ms / size, signal);
      } catch {
        return;
      }
    }
  }
}
