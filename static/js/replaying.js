// @ts-check
/**
 * What a replay changes on the live page: its bar, which is loaded only for one, the pace of the market, the key that pauses.
 *
 * Owns: these, and `html[data-feed]`, by which the style sheet and the pictures of the chart know it. Does not own: the bar (`replay/bar.js`), when the server is asked
 * (`feedwatch.js`).
 */

/** @typedef {import("./feed.js").FeedStatus} FeedStatus */
/** @typedef {import("./market.js").Market} Market */
/** @typedef {import("./replay/bar.js").ReplayBar} ReplayBar */

import { FeedWatch } from "./feedwatch.js";
import { offerReload } from "./outdated.js";

/** Where the space bar has a meaning of its own: it types, presses, chooses or scrolls. */
const OWN_SPACE = "input:not([type=range]), textarea, select, button, a, summary, [role=option], [tabindex]:not(.chart), dialog";

export class Replaying {
  #market;
  #onChange;
  #watch;
  /** @type {ReplayBar | null} */
  #bar = null;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** @type {FeedStatus | null} */
  #status = null;

  /** @param {Market} market @param {() => void} onChange the kind of the feed is known, or another one @param {() => boolean} isReachable */
  constructor(market, onChange, isReachable) {
    this.#market = market;
    this.#onChange = onChange;
    this.#watch = new FeedWatch({ onStatus: (status) => this.#take(status), isReachable });
  }

  /** What the feed is; null while it is not known. */
  get kind() {
    return this.#watch.kind;
  }

  /** Asks the server, as after each connection: another run may have another feed. */
  look() {
    void this.#watch.look();
  }

  /** Pauses a replay, or lets it go on. Returns whether the key meant that. @param {KeyboardEvent} event */
  takeKey({ key, target, shiftKey, altKey }) {
    if (key !== " " || shiftKey || altKey || !this.#bar || (target instanceof Element && target.closest(OWN_SPACE))) return false;
    return this.#bar.toggle();
  }

  /** Rewrites the texts after the language was switched. */
  relabel() {
    this.#bar?.relabel();
  }

  /** @param {FeedStatus} status */
  #take(status) {
    const isOther = this.#status?.kind !== status.kind;
    this.#status = status;
    if (isOther) {
      if (status.kind === "replay") document.documentElement.dataset.feed = "replay";
      else delete document.documentElement.dataset.feed;
      this.#onChange();
    }
    if (status.kind === "replay") {
      const isStill = status.state !== "running";
      this.#market.speed = isStill ? 0 : status.speed;
      this.#market.ages.setStill(isStill, performance.now());
      this.#loading ??= this.#load();
    }
    this.#bar?.take(status.kind === "replay" ? status : null);
  }

  async #load() {
    try {
      const { ReplayBar, styled } = await import("./replay/bar.js");
      await styled();
      this.#bar = new ReplayBar((order) => this.#watch.order(order));
      this.#bar.take(this.#status?.kind === "replay" ? this.#status : null);
    } catch {
      // The server has files of another version.
      offerReload();
    }
  }
}
