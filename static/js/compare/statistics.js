// @ts-check
/**
 * The statistics of one transport: events, holes, breaks, latency, and the age of the shown price.
 *
 * Owns: the arithmetic. Does not own: the messages (`transports.js`), the comparison (`agreement.js`), the format of the figures
 * (`figures.js`). All times are microseconds of the server's clock.
 */

import { channelOf, isEvent } from "../protocol.js";
import { Histogram } from "./histogram.js";

/** The most events of one transport that are recorded for the raw data and for the comparison one by one. */
export const RECORDS_MAX = 100_000;

/** @typedef {import("../protocol.js").Message} Message */
/** @typedef {import("../protocol.js").Snapshot} Snapshot */
/**
 * @typedef {{ symbol: string, channel: string, seq: number, offset: number, ts_us: number, received_us: number, latency_us: number, skipped: number,
 *             counted: boolean }} EventRecord `skipped`: older events that it replaces; `counted`: its latency counts
 */
/**
 * @typedef {{ at_us: number, offset: number, records: number, epoch: string }} VoidCursor a cursor that the server could not resume:
 *   the time, the last offset and the number of records before it, and the epoch after it
 */

/** The mean age of the shown prices over time and symbols. It is exact, because between updates an age grows by one second per second. */
export class Staleness {
  /** @type {Map<string, { ts: number, since: number }>} */
  #shown = new Map();
  #area = 0;
  #time = 0;

  /** Replaces the shown price of a symbol. @param {string} symbol @param {number} ts time of its trade @param {number} at now */
  show(symbol, ts, at) {
    this.#finish(this.#shown.get(symbol), at);
    this.#shown.set(symbol, { ts, since: at });
  }

  /** Stops counting each symbol until its next price. @param {number} at now */
  interrupt(at) {
    for (const shown of this.#shown.values()) this.#finish(shown, at);
    this.#shown.clear();
  }

  /** Returns the mean age up to now, or null before any time has passed. @param {number} at */
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

/** Returns the integral of the age of a shown price. @param {{ ts: number, since: number }} shown @param {number} at */
function areaOf(shown, at) {
  if (at <= shown.since) return 0;
  return ((at - shown.ts) ** 2 - (shown.since - shown.ts) ** 2) / 2;
}

/** The deliveries of one transport. */
export class Tally {
  events = 0;
  /** Missing events: holes in `seq` that neither `lag` nor `skipped` announces. */
  missed = 0;
  /** Events that `skipped` or `lag` announces. */
  merged = 0;
  /** Duplicates. */
  repeated = 0;
  /** Successful reconnects. */
  reconnected = 0;
  staleness = new Staleness();
  /** The offset up to which every event has come. */
  offset = 0;
  /** The `seq` of each topic at the begin. @type {ReadonlyMap<string, number>} */
  base = new Map();
  /** The first events, in the order of their arrival. @type {EventRecord[]} */
  records = [];
  /** Events beyond the limit of records. */
  unrecorded = 0;
  /** @type {VoidCursor[]} */
  voids = [];
  /** Latencies of events that were made after the transport was opened. */
  latencies = new Histogram();
  /** The same, since the last sample. */
  recent = new Histogram();
  /** The shown price of each symbol, which is that of its newest trade. @type {Map<string, number>} */
  prices = new Map();
  /** Returns when an event happened, by the server's clock; NaN if that is not known. @type {(event: { ts: number, offset: number }) => number} */
  toServer = ({ ts }) => ts;
  /** The time when the transport was opened. @type {number | null} */
  opened = null;
  /** @type {Map<string, number>} */
  #seqs = new Map();
  /** Events announced by `lag` whose holes have not come yet. */
  #announced = 0;

  /** Begins with the snapshots that all transports share. @param {readonly Snapshot[]} snapshots @param {number} offset */
  begin(snapshots, offset) {
    for (const snapshot of snapshots) this.#snapshot(snapshot);
    this.base = new Map(this.#seqs);
    this.offset = Math.max(this.offset, offset);
  }

  /** Notes that the transport was opened, or opened again. @param {number} at */
  open(at) {
    this.opened ??= at;
  }

  /** Starts again after a void cursor, or in another time of a replay: the next events do not adjoin the previous ones. @param {string} epoch @param {number} at */
  restart(epoch, at) {
    this.voids.push({ at_us: at, offset: this.offset, records: this.records.length, epoch });
    this.#seqs.clear();
    this.#announced = 0;
    this.offset = 0;
    this.staleness.interrupt(at);
  }

  /** Takes messages that came together. @param {readonly Message[]} messages @param {number} received */
  take(messages, received) {
    for (const message of messages) {
      if (isEvent(message)) this.#event(message, received);
      else if (message.type === "snapshot") this.#snapshot(message);
      else if (message.type === "lag") this.#announced += message.skipped;
      else if (message.type === "epoch") this.restart(message.epoch, received);
    }
  }

  /** @param {Snapshot} snapshot */
  #snapshot(snapshot) {
    // The time of a snapshot may be that of a quote, so the age of the price counts from the first trade on.
    if (snapshot.price === undefined) this.prices.delete(snapshot.symbol);
    else this.prices.set(snapshot.symbol, snapshot.price);
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
    const stamped = this.toServer(event);
    // A replay that is paused, or as fast as it can be, has no clock to measure by.
    const isTimed = !Number.isNaN(stamped);
    const happened = isTimed ? stamped : received;
    if (event.type === "trade") {
      this.staleness.show(event.symbol, happened, received);
      this.prices.set(event.symbol, event.price);
    }
    const counted = isTimed && this.opened !== null && happened >= this.opened;
    const latency_us = received - happened;
    if (counted) for (const histogram of [this.latencies, this.recent]) histogram.add(latency_us);
    if (this.records.length >= RECORDS_MAX) this.unrecorded += 1;
    else this.records.push({ symbol: event.symbol, channel, seq: event.seq, offset: event.offset, ts_us: event.ts, received_us: received, latency_us, skipped, counted });
  }
}
