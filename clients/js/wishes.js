// @ts-check
/**
 * The subscriptions that the application wants, and the requests that change those of a connection into them.
 *
 * Owns: both. Does not own: sending the requests (`websocket.js`, `streams.js`). Pure.
 */

import { EVERY } from "./protocol.js";

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Mode} Mode */
/** @typedef {import("./protocol.js").Topic} Topic */
/** @typedef {{ mode: Mode, max_hz?: number }} Way how the events of a topic are delivered */
/** @typedef {ReadonlyMap<string, ReadonlyMap<Channel, Way>>} Wanted by symbol */
/** @typedef {Way & { symbols: string[], channels: Channel[] }} Group topics that one request can name */

/** @type {ReadonlyMap<Channel, Way>} */
const NOTHING = new Map();

export class Wishes {
  /** @type {Map<string, Map<Channel, Way>>} */
  #wanted = new Map();
  /** Symbols that this run of the server does not trade. @type {Set<string>} */
  #unknown = new Set();

  /** @param {Iterable<string>} symbols @param {Iterable<Channel>} channels @param {Way} way */
  add(symbols, channels, way) {
    for (const symbol of symbols) {
      const before = this.#wanted.get(symbol) ?? new Map();
      this.#wanted.set(symbol, new Map([...before, ...[...channels].map((channel) => /** @type {const} */ ([channel, way]))]));
    }
  }

  /** Removes all channels if none is named. @param {Iterable<string>} symbols @param {Iterable<Channel>} [channels] */
  remove(symbols, channels) {
    for (const symbol of symbols) {
      const left = new Map(this.#wanted.get(symbol));
      for (const channel of channels ?? [...left.keys()]) left.delete(channel);
      if (left.size > 0) this.#wanted.set(symbol, left);
      else this.#wanted.delete(symbol);
    }
  }

  /** Removes everything. */
  clear() {
    this.#wanted.clear();
  }

  /** Leaves out symbols that the server does not trade, until its next run. @param {readonly string[]} symbols */
  exclude(symbols) {
    for (const symbol of symbols) this.#unknown.add(symbol);
  }

  /** Includes all symbols again: the next run of the server may trade others. */
  include() {
    this.#unknown.clear();
  }

  /** The channels that are wanted of a symbol by its name. @param {string} symbol @returns {ReadonlySet<Topic>} */
  channelsOf(symbol) {
    return new Set((this.#wanted.get(symbol) ?? NOTHING).keys());
  }

  /** Returns whether every event of a topic is wanted. @param {string} symbol @param {Topic} topic */
  isWhole(symbol, topic) {
    const channel = /** @type {Channel} */ (topic);
    return (this.#wanted.get(symbol)?.get(channel) ?? this.#wanted.get(EVERY)?.get(channel))?.mode === "all";
  }

  /** What is wanted of the server's present run. The maps are never changed. @returns {Wanted} */
  get wanted() {
    return new Map([...this.#wanted].filter(([symbol]) => !this.#unknown.has(symbol)));
  }
}

/** Returns whether two subscriptions of a topic are the same. @param {Way | undefined} left @param {Way} right */
const isSame = (left, right) => left?.mode === right.mode && left.max_hz === right.max_hz;

/**
 * Returns topics as groups with the same channels and the same way, in the order of the symbols. `"*"` is a group of its own.
 * @param {Wanted} wanted
 * @param {(symbol: string, channel: Channel, way: Way) => unknown} [apart] topics for which it returns something else are in another group
 * @returns {Group[]}
 */
export function groupsOf(wanted, apart = () => 0) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const [symbol, ways] of wanted) {
    /** @type {Map<string, Way & { channels: Channel[] }>} */
    const alike = new Map();
    for (const [channel, way] of ways) {
      const key = `${way.mode} ${way.max_hz} ${apart(symbol, channel, way)}`;
      const present = alike.get(key);
      if (present) present.channels.push(channel);
      else alike.set(key, { ...way, channels: [channel] });
    }
    for (const [mode, { channels, ...way }] of alike) {
      channels.sort();
      const key = [mode, channels, symbol === EVERY].join();
      const group = groups.get(key);
      if (group) group.symbols.push(symbol);
      else groups.set(key, { ...way, symbols: [symbol], channels });
    }
  }
  return [...groups.values()];
}

/**
 * Returns what must be removed from the subscriptions `asked`, and what must be added, so that they become `wanted`.
 * @param {Wanted} asked
 * @param {Wanted} wanted
 * @returns {{ removed: Map<string, Channel[]>, added: Wanted }}
 */
export function changesOf(asked, wanted) {
  /** @type {Map<string, Channel[]>} */
  const removed = new Map();
  for (const [symbol, ways] of asked) {
    const gone = [...ways.keys()].filter((channel) => !wanted.get(symbol)?.has(channel));
    if (gone.length > 0) removed.set(symbol, gone);
  }
  /** @type {Map<string, Map<Channel, Way>>} */
  const added = new Map();
  for (const [symbol, ways] of wanted) {
    const fresh = [...ways].filter(([channel, way]) => !isSame(asked.get(symbol)?.get(channel), way));
    if (fresh.length > 0) added.set(symbol, new Map(fresh));
  }
  return { removed, added };
}

/**
 * Returns subscriptions without these topics; without all channels of the symbols if none is named.
 * @param {Wanted} asked
 * @param {readonly string[]} symbols
 * @param {readonly Channel[]} [channels]
 * @returns {Wanted}
 */
export function without(asked, symbols, channels) {
  return new Map([...asked].map(([symbol, ways]) => {
    const isLeft = (/** @type {Channel} */ channel) => !symbols.includes(symbol) || (channels !== undefined && !channels.includes(channel));
    return /** @type {const} */ ([symbol, new Map([...ways].filter(([channel]) => isLeft(channel)))]);
  }));
}

/**
 * Returns those of the subscriptions that a group names, in its way.
 * @param {Wanted} asked
 * @param {Group} group
 * @returns {Wanted}
 */
export function among(asked, { symbols, channels, ...way }) {
  const named = symbols.map((symbol) => {
    const ways = [...(asked.get(symbol) ?? NOTHING)].filter(([channel, present]) => channels.includes(channel) && isSame(present, way));
    return /** @type {const} */ ([symbol, new Map(ways)]);
  });
  return new Map(named.filter(([, ways]) => ways.size > 0));
}

/** Returns symbols as the server names them. @param {string | Iterable<string>} symbols */
export function namesOf(symbols) {
  const names = typeof symbols === "string" ? [symbols] : [...symbols];
  return names.map((name) => name.trim().toUpperCase());
}
