// @ts-check
/**
 * The cost of a client by the server's account (`/api/v1/traffic`). A restarted server counts from zero, so the page adds the figures
 * of all its runs.
 *
 * Owns: the sum. Does not own: the times of reading (`run.js`).
 */

import { ask, pause } from "./request.js";
import { forEach, TRANSPORTS } from "./transports.js";

/** @typedef {import("../protocol.js").Cost} Cost */
/** @typedef {import("../protocol.js").Costs} Costs */
/** @typedef {import("../protocol.js").Transport} Transport */

/** The server counts bytes when the kernel has accepted them, a moment later, so the last figures are read until they are stable. */
const SETTLE_MS = 150;
const SETTLE_READS_MAX = 20;

export class Account {
  /** The cost so far. @type {Costs | null} */
  total = null;
  /** The time of the last reading, of `performance.now()`. @type {number | null} */
  read_at_ms = null;
  #client;
  /** The sum of earlier runs of the server. @type {Costs | null} */
  #former = null;
  /** The last figures of this run of the server. @type {Costs | null} */
  #latest = null;

  /** @param {string} client */
  constructor(client) {
    this.#client = client;
  }

  /** Reads the account. Returns false, and keeps the old figures, if it cannot be read. @param {AbortSignal} signal */
  async read(signal) {
    try {
      /** @type {import("./request.js").Answered<import("../protocol.js").TrafficAnswer>} */
      const { answer } = await ask(`api/v1/traffic?client=${encodeURIComponent(this.#client)}`, signal);
      this.take(answer.transports);
      this.read_at_ms = performance.now();
      return true;
    } catch {
      return false;
    }
  }

  /** Reads the account until its figures are stable. */
  async settle() {
    const { signal } = new AbortController();
    for (let reads = 0, last = ""; reads < SETTLE_READS_MAX; reads += 1) {
      await pause(SETTLE_MS, signal);
      if (!(await this.read(signal))) return;
      const now = JSON.stringify(this.total);
      if (now === last) return;
      last = now;
    }
  }

  /** Takes the server's figures. They only grow; if they shrink, the server was restarted. @param {Costs} costs */
  take(costs) {
    if (this.#latest && hasShrunk(this.#latest, costs)) this.#former = this.total;
    this.#latest = costs;
    this.total = this.#former ? sum(this.#former, costs) : costs;
  }
}

/** Returns all bytes of both directions. @param {Cost | undefined} cost */
export function wireOf(cost) {
  return cost ? cost.bytes_up.wire + cost.bytes_down.wire : 0;
}

/**
 * Returns whether the server was restarted: it counts fewer requests, or fewer bytes on the wire. The parts of the bytes may shrink
 * without a restart, because unwritten bytes of a broken connection are counted as payload and subtracted from its headers.
 * @param {Costs} before @param {Costs} after
 */
function hasShrunk(before, after) {
  return TRANSPORTS.some((name) => after[name].requests < before[name].requests || wireOf(after[name]) < wireOf(before[name]));
}

/** Adds the figures one by one. @param {Costs} left @param {Costs} right @returns {Costs} */
function sum(left, right) {
  return forEach((transport) => {
    const { bytes_up, bytes_down, ...counts } = left[transport];
    const other = right[transport];
    return { ...sumOf(counts, other), bytes_up: sumOf(bytes_up, other.bytes_up), bytes_down: sumOf(bytes_down, other.bytes_down) };
  });
}

/** @template {Record<string, number>} T @param {T} one @param {Readonly<Record<keyof T, number>>} other @returns {T} */
function sumOf(one, other) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(one).map(([key, figure]) => [key, figure + other[key]])));
}
