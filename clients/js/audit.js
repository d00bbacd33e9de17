// @ts-check
/**
 * Finds a connection that is open and has heartbeats, but brings no events although there are some: after a silence it compares the
 * numbers of the last events with those of the server's snapshots.
 *
 * Owns: the silence of events of one connection. Does not own: the silence of a connection that has no heartbeats either (`tickcast.js`).
 */

import { fetchJson } from "./http.js";
import { EVERY } from "./protocol.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").Topic} Topic */
/** @typedef {{ symbols: readonly string[], has: (symbol: string, topic: Topic) => boolean }} Scope the topics of a connection; `symbols` may have `"*"` */

const ANSWER_MS = 5_000;
/** How long an event may take that is in a snapshot already. */
const GRACE_MS = 2_000;

export class Audit {
  #core;
  #scopeOf;
  #onBehind;
  #quiet_since_ms = performance.now();
  #isRunning = false;
  /** Changes with each event, so that an answer from before it proves nothing. */
  #turn = 0;

  /** @param {Core} core @param {() => Scope} scopeOf @param {() => void} onBehind events are missing */
  constructor(core, scopeOf, onBehind) {
    this.#core = core;
    this.#scopeOf = scopeOf;
    this.#onBehind = onBehind;
  }

  /** Notes an event. */
  hear() {
    this.#quiet_since_ms = performance.now();
    this.#turn += 1;
  }

  /** @param {number} now_ms @param {number} quiet_ms how long no event may come without a question */
  check(now_ms, quiet_ms) {
    const scope = this.#scopeOf();
    if (this.#isRunning || now_ms - this.#quiet_since_ms < quiet_ms || scope.symbols.length === 0) return;
    this.#isRunning = true;
    this.#quiet_since_ms = now_ms;
    void this.#compare(scope).finally(() => {
      this.#isRunning = false;
    });
  }

  /** @param {Scope} scope */
  async #compare({ symbols, has }) {
    const turn = this.#turn;
    const { place, fetch, urlOf } = this.#core;
    const query = symbols.includes(EVERY) ? "" : `?${new URLSearchParams({ symbols: symbols.join() })}`;
    try {
      /** @type {{ epoch: string, snapshots: Snapshot[] }} */
      const { epoch, snapshots } = await fetchJson(fetch, urlOf(`api/v1/snapshot${query}`), AbortSignal.timeout(ANSWER_MS), ANSWER_MS);
      await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
      if (turn === this.#turn && epoch === place.epoch && place.gate.behind(snapshots, has).length > 0) this.#onBehind();
    } catch {
      // Without an answer there is no proof.
    }
  }
}
