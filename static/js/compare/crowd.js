// @ts-check
/**
 * Extra clients that only load the server; their cost is accounted separately from the measured client's.
 *
 * WebSockets are opened all at once: browsers allow hundreds. Browsers allow six HTTP/1.1 connections to a server, and the page itself
 * uses four (stream, two polls, the account), so the extra clients over HTTP share two: one stream occupies one, polls take turns on
 * the other.
 *
 * Owns: these clients. Does not own: the measured client (`run.js`).
 */

import { Backoff } from "../../clients/js/backoff.js";
import { cursorText, pollInterval, queryOf } from "./query.js";
import { ask, pause, TIMEOUT_MS } from "./request.js";
import { forEach, openSource } from "./transports.js";

/** @typedef {import("./query.js").Position} Position */
/** @typedef {import("./query.js").Wish} Wish */
/** @typedef {import("./transports.js").Transport} Transport */

/** How long an extra long poll may hold the connection that it shares, in milliseconds. */
const TURN_MS = 1_000;
const POLLS = /** @type {const} */ (["long_poll", "short_poll"]);

export class Crowd {
  /** @type {import("./transports.js").Source[]} */
  #sources = [];
  #stopping = new AbortController();
  /** @type {Promise<void>} */
  #turns = Promise.resolve();
  /**
   * Clients served now: connected ones, and polls whose last request was answered.
   * @type {Record<Transport, number>}
   */
  served = forEach(() => 0);

  /** @param {number} size clients for each transport @param {Wish} wish @param {Position} after @param {string} client */
  constructor(size, wish, after, client) {
    if (size === 0) return;
    for (let index = 0; index < size; index += 1) this.#open("websocket", wish, after, client);
    this.#open("sse", wish, after, client);
    this.#turns = this.#takeTurns(size, wish, after, client);
  }

  /** Ends all of them. */
  async close() {
    this.#stopping.abort();
    await Promise.all([this.#turns, ...this.#sources.map((source) => source.close())]);
  }

  /** @param {"websocket" | "sse"} transport @param {Wish} wish @param {Position} after @param {string} client */
  #open(transport, wish, after, client) {
    let isServed = false;
    const serve = (/** @type {boolean} */ now) => {
      this.served[transport] += Number(now) - Number(isServed);
      isServed = now;
    };
    this.#sources.push(openSource(transport, wish, after, client, {
      opened: () => serve(true),
      take: () => {},
      reached: () => {},
      lost: () => serve(false),
      failed: () => serve(false),
    }));
  }

  /** Polls in turn for each client. @param {number} size @param {Wish} wish @param {Position} after @param {string} client */
  async #takeTurns(size, wish, after, client) {
    const turns = POLLS.flatMap((transport) => Array.from({ length: size }, () => ({ transport, cursor: cursorText(after), isServed: false })));
    const query = queryOf(wish, client);
    const { signal } = this.#stopping;
    const backoff = new Backoff();
    for (let index = 0; !signal.aborted; index = (index + 1) % turns.length) {
      const turn = turns[index];
      const wait_ms = turn.transport === "short_poll" ? 0 : TURN_MS;
      query.set("after", turn.cursor);
      query.set("wait_ms", String(wait_ms));
      try {
        /** @type {import("./request.js").Answered<import("../protocol.js").PollAnswer>} */
        const { answer } = await ask(`api/v1/poll?${query}`, signal, wait_ms + TIMEOUT_MS);
        turn.cursor = answer.cursor;
        if (!turn.isServed) this.served[turn.transport] += 1;
        turn.isServed = true;
        backoff.reset();
        await pause(pollInterval(turn.transport, wish) / size, signal);
      } catch {
        if (signal.aborted) return;
        // They share a connection: if it fails for one client, it fails for all.
        for (const each of turns) each.isServed = false;
        for (const transport of POLLS) this.served[transport] = 0;
        await pause(backoff.next(), signal);
      }
    }
  }
}
