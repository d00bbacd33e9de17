// @ts-check
/**
 * Counts how often a transport fell silent although it was connected: the second time in a row it is left for the next one, and the
 * more often it happens, the later it is tried again.
 *
 * Owns: this rule. Does not own: finding a silence (`websocket.js`, `lines.js`, `audit.js`). Pure.
 */

/** @typedef {import("./protocol.js").Transport} Transport */

/** A silence is in a row with another one if no more than this many times `upgrade_ms` lie between them. */
const ROW_UPGRADES = 10;
/** The greatest power of two by which the next attempt is put off; less than a row. */
const DOUBLINGS_MAX = 3;

export class Silences {
  #upgrade_ms;
  /** @type {Map<Transport, { at_ms: number, count: number }>} */
  #rows = new Map();

  /** @param {number} upgrade_ms */
  constructor(upgrade_ms) {
    this.#upgrade_ms = upgrade_ms;
  }

  /** Notes a silence. Returns whether the transport is to be left. @param {Transport} transport @param {number} now_ms */
  note(transport, now_ms) {
    const row = this.#rows.get(transport);
    const count = row && now_ms - row.at_ms <= ROW_UPGRADES * this.#upgrade_ms ? row.count + 1 : 1;
    this.#rows.set(transport, { at_ms: now_ms, count });
    return count > 1;
  }

  /** Returns after how long a better transport is tried again. @param {number} random from 0 up to 1 */
  upgradeDelay(random) {
    const most = Math.max(0, ...[...this.#rows.values()].map((row) => row.count - 2));
    return this.#upgrade_ms * 2 ** Math.min(most, DOUBLINGS_MAX) * (0.75 + random / 2);
  }
}
