// @ts-check
/**
 * Watches the server's feed: asks once for each connection what it is, and a replay once a second how far it is while the page is seen.
 *
 * Owns: when to ask. Does not own: the requests (`feed.js`), what is shown (`replaying.js`).
 */

/** @typedef {import("./feed.js").FeedStatus} FeedStatus */
/** @typedef {import("./feed.js").Kind} Kind */

import { fetchFeed, orderFeed } from "./feed.js";
import { AnswerError } from "./rest.js";

const LOOK_MS = 1_000;
/** After an order, and while a replay goes to another time: what it does is over in a moment. */
const SOON_MS = 150;

export class FeedWatch {
  /** Null while it is not known. @type {Kind | null} */
  kind = null;
  #handlers;
  /** Grows with every question: an answer to an older one does not count. */
  #round = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{ onStatus: (status: FeedStatus) => void, isReachable: () => boolean }} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.kind !== "simulated") void this.look();
    });
  }

  /** Asks at once. A server that does not know the address has no replays. */
  async look() {
    clearTimeout(this.#timer);
    this.#round += 1;
    const round = this.#round;
    try {
      const status = await fetchFeed();
      if (round === this.#round) this.#take(status, LOOK_MS);
    } catch (err) {
      if (round !== this.#round) return;
      if (err instanceof AnswerError && this.kind === null) this.#take({ kind: "simulated" }, LOOK_MS);
      else this.#lookIn(LOOK_MS);
    }
  }

  /** Gives an order to a replay. @param {string} order @throws {AnswerError} if it is refused */
  async order(order) {
    clearTimeout(this.#timer);
    this.#round += 1;
    const round = this.#round;
    try {
      const status = await orderFeed(order);
      if (round === this.#round) this.#take(status, SOON_MS);
    } catch (err) {
      if (round === this.#round) this.#lookIn(SOON_MS);
      throw err;
    }
  }

  /** @param {FeedStatus} status @param {number} next_ms */
  #take(status, next_ms) {
    this.kind = status.kind === "replay" ? "replay" : "simulated";
    this.#lookIn(status.kind === "replay" && status.state === "seeking" ? SOON_MS : next_ms);
    this.#handlers.onStatus(status);
  }

  /** @param {number} next_ms */
  #lookIn(next_ms) {
    clearTimeout(this.#timer);
    // The next connection asks again, and so does a page that is seen again.
    if (this.kind === "simulated" || document.hidden) return;
    this.#timer = setTimeout(() => {
      if (this.#handlers.isReachable()) void this.look();
      else this.#lookIn(LOOK_MS);
    }, next_ms);
  }
}
