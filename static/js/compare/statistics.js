// @ts-check
/**
 * What a comparison counts for each transport: events, holes, breaks, latency, and how old the shown price is.
 *
 * Owns: the arithmetic of one transport. Does not own: where messages come from (`transports.js`), what transports have in
 * common (`agreement.js`) or how figures are written (`figures.js`). All times are microseconds of the server's clock.
 */

import { channelOf, isEvent } from "../protocol.js";
import { Histogram } from "./histogram.js";

/** The most events of one transport that are kept for the raw data and to be compared one by one. */
export const RECORDS_MAX = 100_000;

/** @typedef {import("../protocol.js").Message} Message */
/** @typedef {import("../protocol.js").Snapshot} Snapshot */
/**
 * @typedef {{ symbol: string, channel: string, seq: number, offset: number, ts_us: number, received_us: number, latency_us: number, skipped: number,
 *             counted: boolean }} EventRecord `skipped`: so many it stands for; `counted`: its latency counts
 */
/**
 * @typedef {{ at_us: number, offset: number, records: number, epoch: string }} VoidCursor one that the server could not go on from:
 *   when, the last offset before, the records up to then, and what server the rest is of
 */

/** The mean age of the shown prices, over time and symbols: exact between updates, as age grows by one each second. */
export class Staleness {
  /** @type {Map<string, { ts: number, since: number }>} */
  #shown = new Map();
  #area = 0;
  #time = 0;

  /** Shows another price. @param {string} symbol @param {number} ts when it was made @param {number} at now */
  show(symbol, ts, at) {
    this.#finish(this.#shown.get(symbol), at);
    this.#shown.set(symbol, { ts, since: at });
  }

  /** Counts no symbol until its next price. @param {number} at now */
  interrupt(at) {
    for (const shown of this.#shown.values()) this.#finish(shown, at);
    this.#shown.clear();
  }

  /** Returns the mean age up to now, or null before there has been any time. @param {number} at */
  meanAt(at) {
    let [area, time] = [this.#area, this.#time];
    for (const shown of this.#shown.values()) {
      area += areaOf(shown, at);
      time += Math.max(0, at - shown.since);
    }
    return time > 0 ? area / time : null;
  }

  /** @param {{ ts: number, since: number } | undefined} shown @param {number} at */
  #finish(shown, at) {
    if (!shown) return;
    this.#area += areaOf(shown, at);
    this.#time += Math.max(0, at - shown.since);
  }
}

/** Returns the integral of the age of what has been shown since then. @param {{ ts: number, since: number }} shown @param {number} at */
function areaOf(shown, at) {
  if (at <= shown.since) return 0;
  return ((at - shown.ts) ** 2 - (shown.since - shown.ts) ** 2) / 2;
}

/** What one transport has delivered. */
export class Tally {
  events = 0;
  /** Events that never came and that nothing has announced, by the holes in `seq`. */
  missed = 0;
  /** Events that newer ones stand for, by `skipped`, and those that `lag` has announced. */
  merged = 0;
  /** Events that came a second time. */
  repeated = 0;
  /** Breaks after which it went on. */
  reconnected = 0;
  staleness = new Staleness();
  /** Up to where everything has come. */
  offset = 0;
  /** The newest events of each symbol and channel that it began with. @type {ReadonlyMap<string, number>} */
  base = new Map();
  /** The first events, as they came. @type {EventRecord[]} */
  records = [];
  /** Events of which there is no record, as there were too many. */
  unrecorded = 0;
  /** @type {VoidCursor[]} */
  voids = [];
  /** Latencies of events that were made after the transport had been opened. */
  latencies = new Histogram();
  /** The same since they were last read. */
  recent = new Histogram();
  /** The price of the newest trade of each symbol: the one that is shown. @type {Map<string, number>} */
  prices = new Map();
  /** Returns when an event happened by the server's clock. @type {(ts: number) => number} */
  toServer = (ts) => ts;
  /** When the transport was opened. @type {number | null} */
  opened = null;
  /** @type {Map<string, number>} */
  #seqs = new Map();
  /** Events that `lag` has announced and that no hole has accounted for yet. */
  #announced = 0;

  /** Begins at the state that all transports begin with. @param {readonly Snapshot[]} snapshots @param {number} offset */
  begin(snapshots, offset) {
    for (const snapshot of snapshots) this.#snapshot(snapshot);
    this.base = new Map(this.#seqs);
    this.offset = Math.max(this.offset, offset);
  }

  /** Takes in that events are on their way, at first or after a break. @param {number} at */
  open(at) {
    this.opened ??= at;
  }

  /** Takes in that the cursor was void: what comes now does not go on from what has come. @param {string} epoch @param {number} at */
  restart(epoch, at) {
    this.voids.push({ at_us: at, offset: this.offset, records: this.records.length, epoch });
    this.#seqs.clear();
    this.#announced = 0;
    this.offset = 0;
    this.staleness.interrupt(at);
  }

  /** Takes in what came at once. @param {readonly Message[]} messages @param {number} received */
  take(messages, received) {
    for (const message of messages) {
      if (isEvent(message)) this.#event(message, received);
      else if (message.type === "snapshot") this.#snapshot(message);
      else if (message.type === "lag") this.#announced += message.skipped;
    }
  }

  /** @param {Snapshot} snapshot */
  #snapshot(snapshot) {
    // Its time may be that of a quote: the age of the price begins to count with the first trade.
    this.prices.set(snapshot.symbol, snapshot.price);
    this.offset = Math.max(this.offset, snapshot.offset);
    for (const [channel, seq] of Object.entries(snapshot.seq)) this.#seqs.set(`${channel} ${snapshot.symbol}`, seq);
  }

  /** @param {import("../protocol.js").Event} event @param {number} received */
  #event(event, received) {
    const channel = channelOf(event);
    const key = `${channel} ${event.symbol}`;
    const skipped = event.skipped ?? 0;
    const before = this.#seqs.get(key) ?? event.seq - 1 - skipped;
    if (event.seq <= before) {
      this.repeated += 1;
      return;
    }
    const hole = Math.max(0, event.seq - before - 1 - skipped);
    const announced = Math.min(hole, this.#announced);
    this.#announced -= announced;
    this.events += 1;
    this.merged += skipped + announced;
    this.missed += hole - announced;
    this.#seqs.set(key, event.seq);
    this.offset = Math.max(this.offset, event.offset);
    const happened = this.toServer(event.ts);
    if (event.type === "trade") {
      this.staleness.show(event.symbol, happened, received);
      this.prices.set(event.symbol, event.price);
    }
    const counted = this.opened !== null && happened >= this.opened;
    const latency_us = received - happened;
    if (counted) for (const histogram of [this.latencies, this.recent]) histogram.add(latency_us);
    if (this.records.length >= RECORDS_MAX) this.unrecorded += 1;
    else this.records.push({ symbol: event.symbol, channel, seq: event.seq, offset: event.offset, ts_us: event.ts, received_us: received, latency_us, skipped, counted });
  }
}
