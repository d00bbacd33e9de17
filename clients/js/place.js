// @ts-check
/**
 * How far a client has got in the stream: its subscriptions, the run of the server, the cursor. It outlives connections.
 *
 * Owns: the cursor. Does not own: connections, or the check of single events (`gate.js`).
 */

import { Gate } from "./gate.js";
import { changesOf, Wishes } from "./wishes.js";

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Position} Position */
/** @typedef {import("./protocol.js").Reset} Reset */
/** @typedef {import("./wishes.js").Wanted} Wanted */

export class Place {
  wishes = new Wishes();
  gate = new Gate(this.wishes);
  /** The run of the server; empty before the first answer. */
  epoch = "";
  /** Up to these offsets every event has come: `exact` also includes those that a rate holds back. @type {{ exact: number, newest: number } | null} */
  #offsets = null;
  /** @type {Wanted} */
  #wanted = new Map();
  #onReset;

  /** @param {(reset: Reset) => void} onReset events are lost */
  constructor(onReset) {
    this.#onReset = onReset;
  }

  /** The cursor, null before the first one. @returns {Position | null} */
  get cursor() {
    return this.#offsets && { epoch: this.epoch, offset: this.#offsets.exact };
  }

  /** Forgets the topics that are no longer wanted: should they be wanted again, they begin with a snapshot. */
  update() {
    const { wanted } = this.wishes;
    for (const [symbol, channels] of changesOf(this.#wanted, wanted).removed) this.gate.forget(symbol, wanted.has(symbol) ? channels : undefined);
    this.#wanted = wanted;
  }

  /** Returns the offset after which topics are resumed; null if they have no past. @param {string} symbol @param {Channel[]} channels @param {"all" | "latest"} mode */
  afterOf(symbol, channels, mode) {
    if (!this.#offsets || !this.gate.has(symbol, channels)) return null;
    return Math.min(mode === "all" ? this.#offsets.newest : this.#offsets.exact, this.gate.floorOf(symbol));
  }

  /** Notes which run of the server answers. @param {string} epoch */
  meet(epoch) {
    if (epoch === this.epoch) return;
    if (this.epoch !== "") this.restart();
    this.wishes.include();
    this.epoch = epoch;
  }

  /** Drops the cursor, because the server has another epoch, or will have. */
  restart() {
    this.#offsets = null;
    if (this.gate.clear()) this.#onReset({ type: "reset", symbols: ["*"], reason: "restarted" });
  }

  /**
   * The stream goes on under another name. If the market has moved to another time, what was before is lost; `seq` and what a `lag` has announced go on.
   * @param {import("./protocol.js").Epoch} message @param {unknown} source what has brought it, and brings the snapshots
   * @param {readonly string[]} symbols to which it is subscribed
   */
  moveTo({ epoch, moved }, source, symbols) {
    const isNew = epoch !== this.epoch;
    this.epoch = epoch;
    if (!moved) return;
    this.gate.move(symbols, source);
    // Each line of a client without a WebSocket brings the message.
    if (isNew) this.#onReset({ type: "reset", symbols: ["*"], reason: "moved" });
  }

  /** Begins a cursor, if there is none. @param {{ offset: number }} position */
  start({ offset }) {
    this.#offsets ??= { exact: offset, newest: offset };
  }

  /** Moves the cursor. @param {number} offset every event up to it has come @param {boolean} isExact also those that a rate holds back */
  reached(offset, isExact) {
    const { exact, newest } = this.#offsets ?? { exact: offset, newest: offset };
    this.#offsets = { exact: isExact ? Math.max(exact, offset) : exact, newest: Math.max(newest, offset) };
  }

  /** Reports topics whose events after the cursor are lost, and forgets them. @param {readonly string[]} symbols @param {readonly Channel[]} channels */
  lose(symbols, channels) {
    const lost = symbols.filter((symbol) => this.gate.knows(symbol, channels));
    for (const symbol of symbols) this.gate.forget(symbol, channels);
    if (lost.length > 0) this.#onReset({ type: "reset", symbols: lost, reason: "evicted" });
  }
}

/** Returns the present time, in microseconds since 1970. */
export function received() {
  return (performance.timeOrigin + performance.now()) * 1_000;
}
