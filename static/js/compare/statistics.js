// @ts-check
/**
 * What a comparison counts for each transport: events, holes, latency, and how old the shown price is.
 *
 * Owns: the arithmetic. Does not own: where messages come from (`transports.js`) or how figures are written
 * (`figures.js`). All times are microseconds of the server's clock.
 */

import { channelOf, isEvent } from "../protocol.js";

/** The most events of one transport that are kept for the percentiles and the raw data. */
export const RECORDS_MAX = 100_000;

/** @typedef {import("../protocol.js").Message & { skipped?: number }} Message */
/** @typedef {{ symbol: string, channel: string, seq: number, offset: number, ts: number, received: number }} EventRecord */

/**
 * Returns the smallest value that so large a share of the values does not exceed (nearest rank); null without values.
 * @param {readonly number[]} values in any order
 * @param {number} share above 0, at most 1
 */
export function percentile(values, share) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(share * sorted.length) - 1];
}

/** The mean age of the shown prices, over time and symbols: exact between updates, as age grows by one each second. */
export class Staleness {
  /** @type {Map<string, { ts: number, since: number }>} */
  #shown = new Map();
  #area = 0;
  #time = 0;

  /** Shows another price. @param {string} symbol @param {number} ts when it was made @param {number} at now */
  show(symbol, ts, at) {
    const shown = this.#shown.get(symbol);
    if (shown) {
      this.#area += areaOf(shown, at);
      this.#time += Math.max(0, at - shown.since);
    }
    this.#shown.set(symbol, { ts, since: at });
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
}

/** Returns the integral of the age of what has been shown since then. @param {{ ts: number, since: number }} shown @param {number} at */
function areaOf(shown, at) {
  if (at <= shown.since) return 0;
  return ((at - shown.ts) ** 2 - (shown.since - shown.ts) ** 2) / 2;
}

/** What one transport has delivered. */
export class Tally {
  events = 0;
  /** Events that never came, by the holes in `seq`. */
  missed = 0;
  /** Events that newer ones stand for, by `skipped`. */
  merged = 0;
  /** Events that came a second time. */
  repeated = 0;
  /** The newest place in the stream up to which everything has come. */
  offset = 0;
  staleness = new Staleness();
  /** @type {EventRecord[]} */
  records = [];
  /** Latencies of events that were made after the transport had been opened. @type {number[]} */
  latencies = [];
  /** The price of the newest trade of each symbol: the one that is shown. @type {Map<string, number>} */
  prices = new Map();
  /** When the transport was opened. @type {number | null} */
  opened = null;
  /** @type {Map<string, number>} */
  #seqs = new Map();

  /** Begins at the state that all transports begin with. @param {readonly import("../protocol.js").Snapshot[]} snapshots @param {number} at */
  begin(snapshots, at) {
    for (const snapshot of snapshots) {
      this.staleness.show(snapshot.symbol, snapshot.ts, at);
      this.prices.set(snapshot.symbol, snapshot.price);
      this.offset = Math.max(this.offset, snapshot.offset);
      for (const [channel, seq] of Object.entries(snapshot.seq)) this.#seqs.set(`${channel} ${snapshot.symbol}`, seq);
    }
  }

  /** Takes in what came at once. @param {readonly Message[]} messages @param {number} received */
  take(messages, received) {
    for (const message of messages) {
      if (isEvent(message)) this.#event(message, received);
    }
  }

  /** @param {import("../protocol.js").Event & { skipped?: number }} event @param {number} received */
  #event(event, received) {
    const channel = channelOf(event);
    const key = `${channel} ${event.symbol}`;
    const before = this.#seqs.get(key) ?? 0;
    const skipped = event.skipped ?? 0;
    if (event.seq <= before) {
      this.repeated += 1;
      return;
    }
    this.events += 1;
    this.merged += skipped;
    this.missed += Math.max(0, event.seq - before - 1 - skipped);
    this.#seqs.set(key, event.seq);
    this.offset = Math.max(this.offset, event.offset);
    if (event.type === "trade") {
      this.staleness.show(event.symbol, event.ts, received);
      this.prices.set(event.symbol, event.price);
    }
    if (this.records.length >= RECORDS_MAX) return;
    this.records.push({ symbol: event.symbol, channel, seq: event.seq, offset: event.offset, ts: event.ts, received });
    if (this.opened !== null && event.ts >= this.opened) this.latencies.push(received - event.ts);
  }
}

/**
 * Compares what has come up to the place that all have reached.
 * @param {readonly Tally[]} tallies
 * @returns {{ to: number, count: number, absent: number[] }} the place, the events up to it that any has got, and how many of
 *   them each has not
 */
export function inCommon(tallies) {
  const to = Math.min(...tallies.map((tally) => Math.min(tally.offset, lastKept(tally))));
  const sets = tallies.map((tally) => new Set(tally.records.filter((record) => record.offset <= to).map((record) => record.offset)));
  const all = new Set(sets.flatMap((set) => [...set]));
  return { to, count: all.size, absent: sets.map((set) => all.size - set.size) };
}

/** @param {Tally} tally */
function lastKept(tally) {
  return tally.records.length < RECORDS_MAX ? Infinity : (tally.records.at(-1)?.offset ?? 0);
}
