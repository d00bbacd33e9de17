// @ts-check
/**
 * Finds a connection that is open and answers pings, but brings no events although there are some: after a silence it compares the
 * numbers of the last events with those of the server's snapshots.
 *
 * Owns: the silence of events. Does not own: other silence, and reconnecting (`tickcast.js`).
 */

import { fetchJson } from "./http.js";
import { EVERY } from "./protocol.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */

const ANSWER_MS = 5_000;
/** How long an event may take that is in a snapshot already. */
const GRACE_MS = 2_000;

export class Audit {
  #core;
  #onBehind;
  #quiet_since_ms = 0;
  #isRunning = false;
  /** Changes with each event, so that an answer from before it proves nothing. */
  #turn = 0;

  /** @param {Core} core @param {() => void} onBehind events are missing */
  constructor(core, onBehind) {
    this.#core = core;
    this.#onBehind = onBehind;
  }

  /** Notes an event, or a new connection. */
  hear() {
    this.#quiet_since_ms = performance.now();
    this.#turn += 1;
  }

  /** @param {number} now_ms @param {number} quiet_ms how long no event may come without a question */
  check(now_ms, quiet_ms) {
    if (this.#isRunning || now_ms - this.#quiet_since_ms < quiet_ms || this.#core.place.wishes.wanted.size === 0) return;
    this.#isRunning = true;
    this.#quiet_since_ms = now_ms;
    void this.#compare().finally(() => {
      this.#isRunning = false;
    });
  }

  async #compare() {
    const turn = this.#turn;
    const symbols = [...this.#core.place.wishes.wanted.keys()];
    const query = symbols.includes(EVERY) ? "" : `?${new URLSearchParams({ symbols: symbols.join() })}`;
    try {
      /** @type {{ epoch: string, snapshots: Snapshot[] }} */
      const { epoch, snapshots } = await fetchJson(this.#core.fetch, this.#core.urlOf(`api/v1/snapshot${query}`), AbortSignal.timeout(ANSWER_MS), ANSWER_MS);
      await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
      if (turn === this.#turn && epoch === this.#core.place.epoch && this.#core.place.gate.behind(snapshots).length > 0) this.#onBehind();
    } catch {
      // Without an answer there is no proof.
    }
  }
}
