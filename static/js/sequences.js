// @ts-check
/**
 * Checks a promise of the protocol: the `seq` of each topic grows by one, or in mode `latest` by one more than `skipped`. Every other
 * jump is a hole.
 *
 * Owns: the last `seq` of each topic and the count of holes. Does not own: the reaction to a hole (`app.js`). Topics count from the
 * first snapshot of their symbol on.
 */

/** @typedef {import("./protocol.js").Event} Event */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */

import { channelOf } from "./protocol.js";

/** @typedef {{ seq: number, isHeard: boolean }} Position `isHeard` after the first event, which proves that the channel is subscribed */

export class SequenceChecker {
  /** @type {Map<string, Map<string, Position>>} */
  #positions = new Map();
  /** Missing events since the page was loaded. */
  holes = 0;

  /**
   * Takes the `seq` numbers of a snapshot. On a subscribed channel they must agree with the last event, unless a rate holds events back.
   * Returns whether later events have come already: they overtake a snapshot that comes on another connection. An older snapshot
   * sets no position back.
   * @param {Snapshot} snapshot
   * @param {boolean} isWhole whether every event of the symbol is subscribed to
   */
  snapshot(snapshot, isWhole = true) {
    const channels = this.#positions.get(snapshot.symbol) ?? new Map();
    let isOvertaken = false;
    for (const [channel, seq] of Object.entries(snapshot.seq ?? {})) {
      const position = channels.get(channel);
      if (isWhole && position?.isHeard && seq > position.seq) this.holes += seq - position.seq;
      if (position && seq < position.seq) isOvertaken ||= position.isHeard;
      else channels.set(channel, { seq, isHeard: position?.isHeard ?? false });
    }
    this.#positions.set(snapshot.symbol, channels);
    return isOvertaken;
  }

  /**
   * Takes an event. Returns false if its symbol has no snapshot yet, or if it is a duplicate.
   * @param {Event} event
   */
  accept(event) {
    const channels = this.#positions.get(event.symbol);
    if (!channels) return false;
    const channel = channelOf(event);
    const position = channels.get(channel);
    if (position) {
      if (event.seq <= position.seq) return false;
      this.holes += Math.max(0, event.seq - position.seq - 1 - (event.skipped ?? 0));
      position.seq = event.seq;
      position.isHeard = true;
    } else channels.set(channel, { seq: event.seq, isHeard: true });
    return true;
  }

  /** Forgets a symbol, or one channel of it. @param {string} symbol @param {string} [channel] */
  forget(symbol, channel) {
    if (channel === undefined) this.#positions.delete(symbol);
    else this.#positions.get(symbol)?.delete(channel);
  }

  /** Forgets every symbol, as after a lost connection; the count of holes stays. */
  reset() {
    this.#positions.clear();
  }
}
