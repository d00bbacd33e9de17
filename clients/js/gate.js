// @ts-check
/**
 * Lets each message through once, in the order of its topic, and detects missing ones: the `seq` of a topic grows by one, or by one
 * more than `skipped`, or by as many as a `lag` has announced.
 *
 * Owns: the last `seq` of each topic. Does not own: the subscriptions (`wishes.js`), or fetching what is missing (`tickcast.js`).
 * A topic counts from the snapshot that its own request has brought: that of another one may be older than the subscription. A symbol that
 * the server has met since the snapshots of `"*"` came has none, and counts from 1.
 */

import { EVERY, isNumbered, topicOf } from "./protocol.js";

/** @typedef {import("./protocol.js").Hole} Hole */
/** @typedef {import("./protocol.js").Numbered} Numbered */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Snapshot} Snapshot */
/** @typedef {import("./protocol.js").Topic} Topic */
/** @typedef {import("./wishes.js").Wishes} Wishes */
/** @typedef {{ seq: number, offset: number }} Place of the last event of a topic */
/**
 * @typedef {object} Awaited a request whose snapshots have not all come
 * @property {unknown} source what brings them: a WebSocket, or a line
 * @property {Set<string> | null} symbols without a snapshot so far; null for `"*"`
 * @property {Set<Topic>} channels of the request: its snapshots begin these topics only
 * @property {Set<string>} seen of `"*"`: the symbols whose snapshot has come
 */

/** How often the same hole is fetched again before it is announced, and how often any hole within a minute. */
const REPAIRS_MAX = 3;
const REPAIRS_PER_MINUTE_MAX = 10;
const MINUTE_MS = 60_000;
/** The seq before the first `day` or `gap` of a symbol: its number is not in a snapshot. */
const UNKNOWN = -1;

export class Gate {
  #wishes;
  /** @type {Map<string, Map<Topic, Place>>} */
  #places = new Map();
  /** The newest request first, as answers and their snapshots come in order. Of `"*"` there is one of each source. @type {Awaited[]} */
  #awaited = [];
  /** The symbols that are still to be shown as they are at another time, by what brings that. @type {Map<unknown, Set<string>>} */
  #moved = new Map();
  /** The channels of `"*"` of which every snapshot has come, so that they can be resumed. @type {Set<Topic>} */
  #whole = new Set();
  /** Events announced by `lag` whose hole has not come yet. */
  #excused = 0;
  /** @type {import("./protocol.js").Lag | null} */
  #lag = null;
  /** Holes that are being fetched again: of each topic the offset before its hole, and the number of attempts. @type {Map<string, { symbol: string, offset: number, attempts: number }>} */
  #holes = new Map();
  /** The times of the last attempts. @type {number[]} */
  #repaired_ms = [];

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.#wishes = wishes;
  }

  /** Returns whether these topics continue a stream: their last events are known. @param {string} symbol @param {Iterable<Topic>} channels */
  has(symbol, channels) {
    const known = symbol === EVERY ? this.#whole : this.#places.get(symbol);
    return known !== undefined && [...channels].every((channel) => known.has(channel));
  }

  /** Returns whether the last event of any of these topics is known; of `"*"`, of any symbol whose channel is not subscribed by name. @param {string} symbol @param {Iterable<Topic>} channels */
  knows(symbol, channels) {
    if (symbol !== EVERY) return [...channels].some((channel) => this.#places.get(symbol)?.has(channel));
    return [...this.#places].some(([other, places]) => [...channels].some((channel) => places.has(channel) && !this.#wishes.channelsOf(other).has(channel)));
  }

  /** Returns the offset from which a symbol must be fetched again to fill its hole. @param {string} symbol */
  floorOf(symbol) {
    const holes = [...this.#holes.values()].filter((hole) => symbol === EVERY || hole.symbol === symbol);
    return Math.min(Infinity, ...holes.map((hole) => hole.offset));
  }

  /** Expects a snapshot of each of these symbols, which begins these channels. @param {readonly string[]} symbols @param {Iterable<Topic>} channels @param {unknown} [source] what brings them */
  await(symbols, channels, source) {
    const isEvery = symbols.includes(EVERY);
    for (const symbol of isEvery ? this.#places.keys() : symbols) this.#moved.get(source)?.delete(symbol);
    if (isEvery) this.#awaited = this.#awaited.filter((each) => each.symbols !== null || each.source !== source);
    this.#awaited.unshift({ source, symbols: isEvery ? null : new Set(symbols), channels: new Set(channels), seen: new Set() });
  }

  /** Expects snapshots of symbols that `"*"` has not included so far. @param {unknown} [source] what brings them */
  extend(source) {
    const present = this.#awaited.find((each) => each.symbols === null && each.source === source);
    this.await([EVERY], [...this.#whole, ...(present?.channels ?? [])], source);
    if (present) this.#awaited[0].seen = present.seen;
  }

  /** Expects another snapshot of each of these symbols (`"*"`: of all that are known), which begins no topic: the market has moved to another time. @param {readonly string[]} symbols @param {unknown} source what brings them */
  move(symbols, source) {
    const isEvery = symbols.includes(EVERY);
    this.#moved.set(source, new Set([...this.#places.keys()].filter((symbol) => isEvery || symbols.includes(symbol))));
  }

  /** Expects nothing that an ended connection has not sent. A symbol that was not shown after a move is not resumed: it begins with a snapshot. */
  disconnect() {
    const unseen = [...this.#moved.values()].flatMap((symbols) => [...symbols]);
    for (const symbol of unseen) this.forget(symbol);
    if (unseen.length > 0) this.#whole.clear();
    this.#moved.clear();
    this.#awaited = [];
  }

  /** Notes that every snapshot of `"*"` has come. @param {unknown} [source] what has brought them */
  settle(source) {
    for (const each of this.#awaited) if (each.symbols === null && each.source === source) for (const channel of each.channels) this.#whole.add(channel);
  }

  /** Forgets a symbol (`"*"`: every one that is not subscribed by name), or some of its channels. @param {string} symbol @param {Iterable<Topic>} [channels] */
  forget(symbol, channels) {
    if (symbol === EVERY) {
      const gone = channels && new Set(channels);
      for (const known of [this.#whole, ...this.#awaited.filter((each) => each.symbols === null).map((each) => each.channels)]) {
        for (const channel of gone ?? [...known]) known.delete(channel);
      }
      for (const other of [...this.#places.keys()]) {
        const named = this.#wishes.channelsOf(other);
        for (const channel of gone ?? this.#channelsOf(other)) if (!named.has(channel)) this.#drop(other, channel);
      }
    } else for (const channel of channels ?? this.#channelsOf(symbol)) this.#drop(symbol, channel);
  }

  /** Returns the channels of a symbol that have begun. @param {string} symbol */
  #channelsOf(symbol) {
    return [...(this.#places.get(symbol)?.keys() ?? [])].filter((topic) => topic !== "day" && topic !== "gap");
  }

  /** @param {string} symbol @param {Topic} channel */
  #drop(symbol, channel) {
    this.#places.get(symbol)?.delete(channel);
    this.#holes.delete(`${symbol} ${channel}`);
    if (this.#channelsOf(symbol).length > 0) return;
    // `day` and `gap` come with any channel.
    for (const topic of ["day", "gap"]) this.#holes.delete(`${symbol} ${topic}`);
    this.#places.delete(symbol);
  }

  /** Forgets everything, as after a restart of the server. Returns whether a stream was interrupted. */
  clear() {
    const hadAny = this.#places.size > 0;
    this.#places.clear();
    this.#holes.clear();
    this.#whole.clear();
    this.#excused = 0;
    this.#lag = null;
    return hadAny;
  }

  /**
   * Judges a message: `pass`; `drop`, a repeat or not subscribed; `hole`, events before it are missing.
   * @param {ServerMessage} message
   * @param {unknown} [source] what has brought it, as in `await`
   * @returns {"pass" | "drop" | "hole" | Hole} the hole to announce before the message, after which it passes
   */
  judge(message, source) {
    if (isNumbered(message)) return this.#judgeNumbered(message, source);
    if (message.type === "snapshot") return this.#judgeSnapshot(message, source);
    if (message.type !== "lag") return "pass";
    if (message.since_offset === this.#lag?.since_offset && message.skipped === this.#lag.skipped) return "drop";
    this.#lag = message;
    this.#excused += message.skipped;
    return "pass";
  }

  /** @param {Snapshot} snapshot @param {unknown} source */
  #judgeSnapshot({ symbol, offset, seq }, source) {
    if (this.#places.has(symbol) && this.#moved.get(source)?.delete(symbol)) return "pass";
    const asked = this.#awaited.find((each) => each.source === source && (each.symbols?.has(symbol) ?? !each.seen.has(symbol)));
    if (!asked) return "drop";
    asked.seen.add(symbol);
    asked.symbols?.delete(symbol);
    if (asked.symbols?.size === 0) this.#awaited = this.#awaited.filter((each) => each !== asked);
    const wanted = new Set([...this.#wishes.channelsOf(symbol), ...this.#wishes.channelsOf(EVERY)]);
    const places = this.#places.get(symbol) ?? new Map();
    for (const channel of asked.channels) {
      if (wanted.has(channel) && !places.has(channel) && Number.isInteger(seq[channel])) places.set(channel, { seq: seq[channel], offset });
    }
    // The application has unsubscribed meanwhile.
    if (places.size === 0) return "pass";
    for (const topic of /** @type {const} */ (["day", "gap"])) if (!places.has(topic)) places.set(topic, { seq: UNKNOWN, offset });
    this.#places.set(symbol, places);
    return "pass";
  }

  /** Returns the place before the first event of a topic if the server has met its symbol since the snapshots of `"*"` came. @param {Numbered} event @param {Topic} topic @param {number} skipped @param {unknown} source */
  #beginNew({ symbol, seq, offset }, topic, skipped, source) {
    // The snapshots come before the events, so a symbol without one is new, unless its topic has been forgotten.
    const isFirst = seq - skipped - 1 <= this.#excused;
    const isIncluded = this.#whole.has(topic) || this.#awaited.some((each) => each.symbols === null && each.source === source && each.channels.has(topic));
    if (!isFirst || !isIncluded) return undefined;
    const places = this.#places.get(symbol) ?? new Map();
    const place = { seq: 0, offset: offset - 1 };
    places.set(topic, place);
    for (const other of ["day", "gap"]) if (!places.has(other)) places.set(other, { seq: UNKNOWN, offset: offset - 1 });
    this.#places.set(symbol, places);
    return place;
  }

  /** @param {Numbered} event @param {unknown} source @returns {"pass" | "drop" | "hole" | Hole} */
  #judgeNumbered(event, source) {
    const topic = topicOf(event);
    const skipped = "skipped" in event ? event.skipped ?? 0 : 0;
    const place = this.#places.get(event.symbol)?.get(topic) ?? this.#beginNew(event, topic, skipped, source);
    if (!place || event.seq <= place.seq || event.offset <= place.offset) return "drop";
    const missing = place.seq === UNKNOWN ? 0 : event.seq - place.seq - 1 - skipped;
    const key = `${event.symbol} ${topic}`;
    /** @type {"pass" | Hole} */
    let verdict = "pass";
    if (missing > this.#excused) {
      if (this.#repairs(key, event.symbol, place.offset)) return "hole";
      verdict = { type: "hole", symbol: event.symbol, channel: topic, from: place.seq + 1, to: event.seq - 1 - skipped };
    } else if (missing > 0) this.#excused -= missing;
    place.seq = event.seq;
    place.offset = event.offset;
    this.#holes.delete(key);
    return verdict;
  }

  /** Returns whether a snapshot includes events that have not come. Topics in mode `latest` do not count, as a rate may hold their events back. @param {Snapshot} snapshot */
  isAhead(snapshot) {
    return this.#ahead(snapshot).length > 0;
  }

  /** Returns the topics in mode `all` of which a snapshot includes events that have not come, with their places. @param {Snapshot} snapshot */
  #ahead({ symbol, seq }) {
    return [...(this.#places.get(symbol) ?? [])].filter(([topic, place]) => seq[topic] > place.seq && this.#wishes.isWhole(symbol, topic));
  }

  /**
   * Returns the topics whose events up to these snapshots have not come, and lets them be fetched from where they stopped. Topics in
   * mode `latest` are left out, as a rate may hold their events back.
   * @param {readonly Snapshot[]} snapshots
   * @param {(symbol: string, topic: Topic) => boolean} [has] the topics in question
   */
  behind(snapshots, has = () => true) {
    return snapshots.flatMap((snapshot) => this.#ahead(snapshot).flatMap(([topic, place]) => {
      const { symbol } = snapshot;
      if (!has(symbol, topic)) return [];
      const key = `${symbol} ${topic}`;
      this.#holes.set(key, { symbol, offset: place.offset, attempts: this.#holes.get(key)?.attempts ?? 0 });
      return [key];
    }));
  }

  /** Notes another attempt to fetch a hole. Returns false if there were too many. @param {string} key @param {string} symbol @param {number} offset */
  #repairs(key, symbol, offset) {
    const now_ms = performance.now();
    this.#repaired_ms = this.#repaired_ms.filter((at_ms) => now_ms - at_ms < MINUTE_MS);
    const attempts = (this.#holes.get(key)?.attempts ?? 0) + 1;
    if (attempts > REPAIRS_MAX || this.#repaired_ms.length >= REPAIRS_PER_MINUTE_MAX) return false;
    this.#repaired_ms.push(now_ms);
    this.#holes.set(key, { symbol, offset, attempts });
    return true;
  }
}
