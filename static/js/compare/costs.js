// @ts-check
/**
 * What the server says that a client has cost. Its figures begin anew when it is started again: the page adds up.
 *
 * Owns: this account. Does not own: when it is read (`run.js`).
 */

import { ask, pause } from "./request.js";
import { forEach, TRANSPORTS } from "./transports.js";

/** @typedef {import("../protocol.js").Cost} Cost */
/** @typedef {import("../protocol.js").Costs} Costs */
/** @typedef {import("../protocol.js").Transport} Transport */

/** The server counts bytes when the kernel has taken them, so its last figures are read until they rest. */
const SETTLE_MS = 150;
const SETTLE_READS_MAX = 20;

export class Account {
  /** What it has cost so far. @type {Costs | null} */
  total = null;
  /** When it was last read, as `performance.now()` counts. @type {number | null} */
  read_at_ms = null;
  #client;
  /** What servers before this one have said. @type {Costs | null} */
  #former = null;
  /** What this server has said last. @type {Costs | null} */
  #latest = null;

  /** @param {string} client */
  constructor(client) {
    this.#client = client;
  }

  /** Reads it; what cannot be read stays as it was. Returns whether it could. @param {AbortSignal} signal */
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

  /** Reads the last figures. */
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

  /** Takes in what the server has said: its requests and bytes only grow, unless it is another one. @param {Costs} costs */
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
 * Returns whether these are figures of another server: fewer requests, or fewer bytes on the wire. The parts of the bytes may
 * shrink, as what a connection that breaks has not written yet is counted as payload, and taken off its headers.
 * @param {Costs} before @param {Costs} after
 */
function hasShrunk(before, after) {
  return TRANSPORTS.some((name) => after[name].requests < before[name].requests || wireOf(after[name]) < wireOf(before[name]));
}

/** Adds up figure by figure. @param {Costs} left @param {Costs} right @returns {Costs} */
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
