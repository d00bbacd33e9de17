// @ts-check
/**
 * Checks the promise of the protocol: per symbol and channel, `seq` counts up by one without a hole, but for what an event in
 * mode `latest` says that it has made obsolete.
 *
 * Owns: the last `seq` of each channel and the count of holes. Does not own: what happens about a hole (`app.js`).
 * A symbol is followed from its first snapshot on; events that were still under way before it are not counted.
 */

/** @typedef {import("./protocol.js").Event} Event */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */

import { channelOf } from "./protocol.js";

/** @typedef {{ seq: number, isHeard: boolean }} Position `isHeard` when an event came, so that the channel is subscribed */

export class SequenceChecker {
  /** @type {Map<string, Map<string, Position>>} */
  #positions = new Map();
  /** How many events are missing, since the page was loaded. */
  holes = 0;

  /**
   * Takes the positions that a snapshot names. On a channel that events came on, it must agree with the last of them.
   * @param {Snapshot} snapshot
   */
  snapshot(snapshot) {
    const channels = this.#positions.get(snapshot.symbol) ?? new Map();
    for (const [channel, seq] of Object.entries(snapshot.seq ?? {})) {
      const position = channels.get(channel);
      if (position?.isHeard && seq > position.seq) this.holes += seq - position.seq;
      channels.set(channel, { seq, isHeard: position?.isHeard ?? false });
    }
    this.#positions.set(snapshot.symbol, channels);
  }

  /**
   * Takes an event in. Returns false for one that belongs to no followed symbol or that came before.
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

  /** Stops following a symbol, or one channel of it. @param {string} symbol @param {string} [channel] */
  forget(symbol, channel) {
    if (channel === undefined) this.#positions.delete(symbol);
    else this.#positions.get(symbol)?.delete(channel);
  }

  /** Stops following every symbol, as after a lost connection; the count of holes stays. */
  reset() {
    this.#positions.clear();
  }
}
