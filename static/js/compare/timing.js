// @ts-check
/**
 * The time at which each event of a run happened, by the server's clock, also of a replay whose pace changes meanwhile.
 *
 * Owns: which events have such a time. Does not own: the conversion (`../markettime.js`). All times are microseconds.
 */

/** @typedef {import("../../clients/js/protocol.js").FeedState} FeedState */
/** @typedef {import("../markettime.js").MarketTime} MarketTime */

/** The states of a replay in which its time goes on. */
const MOVING = ["running", "gap"];

export class Timing {
  /** Whether the replay has changed its pace, or its time has leapt. */
  hasChanged = false;
  #market;
  /** Events up to this one came before the newest change. */
  #offset = -1;
  #newest = "";

  /** @param {MarketTime} market */
  constructor(market) {
    this.#market = market;
  }

  /** Takes a change, which each transport tells. Returns whether it is news. @param {FeedState} state @param {number} received_us */
  take({ feed, speed, offset, file_ts }, received_us) {
    const change = `${feed} ${speed} ${offset} ${file_ts}`;
    // A slower transport tells of an older one.
    if (offset < this.#offset || change === this.#newest) return false;
    [this.#offset, this.#newest, this.hasChanged] = [offset, change, true];
    this.#market.speed = MOVING.includes(feed) ? speed : 0;
    this.#market.leap(received_us);
    return true;
  }

  /** Takes a move to another time of the replay, which each transport tells. @param {number} offset @param {number} received_us */
  move(offset, received_us) {
    if (offset <= this.#offset) return;
    [this.#offset, this.#newest, this.hasChanged] = [offset, "", true];
    this.#market.leap(received_us);
  }

  /** Begins anew: another run of the server counts its events from another number on. */
  restart() {
    [this.#offset, this.#newest] = [-1, ""];
  }

  /** Returns when an event happened; NaN if that is not known: the market stands still, has no pace, or another one than then. @param {{ ts: number, offset: number }} event */
  toServer({ ts, offset }) {
    return offset > this.#offset ? this.#market.toServer(ts) : Number.NaN;
  }
}
