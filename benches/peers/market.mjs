// @ts-check
// The market of the JavaScript peers: settings from the environment, the arrivals of trades, their text, the clock, and the parser of
// subscriptions. Arrivals and bytes are the same as in market/src/lib.rs.

/** @param {string} name @param {number} fallback */
const number = (name, fallback) => {
  const value = Number(process.env[name] ?? fallback);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number, 0 or above`);
  return value;
};

export const settings = {
  port: number("PORT", 0),
  symbols: number("SYMBOLS", 500),
  eventsPerSecond: number("EVENTS_PER_SECOND", 5000),
  stepMs: number("STEP_MS", 1),
  fixed: process.env.ARRIVALS === "fixed",
  mode: process.env.MODE ?? "publish",
};

/** Microseconds since 1970, finer than Date.now(): the monotonic clock, set by the wall clock at one of its ticks. */
const origin = (() => {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  return tick - performance.now();
})();
export const nowMicros = () => Math.floor((origin + performance.now()) * 1000);

/** mulberry32: a generator that is alike in every language. @param {number} seed */
const generator = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 0x3d);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

class Market {
  names = Array.from({ length: settings.symbols }, (_, index) => `SYM${String(index).padStart(3, "0")}`);
  #heads = this.names.map((name) => `{"type":"trade","symbol":"${name}","seq":`);
  #index = new Map(this.names.map((name, index) => [name, index]));
  #seq = new Array(settings.symbols).fill(0);
  #cents;
  #offset = 0;
  #random = generator(42);
  #next = nowMicros();

  constructor() {
    this.#cents = this.names.map(() => 2000 + Math.floor(this.#random() * 30000));
    this.#draw();
  }

  #draw() {
    this.#next += (settings.fixed ? 1 : -Math.log(1 - this.#random())) * (1e6 / settings.eventsPerSecond);
  }

  /** Calls each(symbol's number, text of one trade) for every trade that is due. @param {(symbol: number, text: string) => void} each */
  takeDue(each) {
    const now = nowMicros();
    while (this.#next <= now) {
      const symbol = Math.floor(this.#random() * settings.symbols);
      const step = Math.floor(this.#random() * 11) - 5;
      const cents = Math.max(1000, this.#cents[symbol] + step);
      const size = 1 + Math.floor(this.#random() * 400);
      this.#cents[symbol] = cents;
      const price = `${Math.floor(cents / 100)}.${cents % 100 < 10 ? "0" : ""}${cents % 100}`;
      each(
        symbol,
        `${this.#heads[symbol]}${++this.#seq[symbol]},"offset":${++this.#offset},"ts":${Math.floor(this.#next)},"price":${price},"size":${size}}`,
      );
      this.#draw();
    }
  }

  /** The numbers of the known symbols that a subscribe message names. @param {string} text @returns {number[]} */
  wanted(text) {
    const request = JSON.parse(text);
    if (request.action !== "subscribe") return [];
    return request.symbols.map((/** @type {string} */ name) => this.#index.get(name)).filter((/** @type {number | undefined} */ index) => index !== undefined);
  }
}

export const market = new Market();

/**
 * Calls step() every STEP_MS for as long as the process lives, on a fixed schedule: the time that a step takes does
 * not delay the next.
 * @param {() => void} step
 */
export function everyStep(step) {
  let next = performance.now();
  const tick = () => {
    step();
    const now = performance.now();
    next = Math.max(next + settings.stepMs, now);
    setTimeout(tick, Math.round(next - now));
  };
  tick();
}

/** @typedef {{ joined: string }} Pending the trades of this step as one array */
/** @typedef {{ pending: Pending | null }} Session */

/**
 * Joins the trades of one step for each session; the sessions are what subscribe() has been called with.
 *
 * Sessions that receive only one trade share its text, so that it is flattened and encoded once.
 *
 * @template {Session} S a session of the peer
 */
export class Joiner {
  /** The sessions of each symbol. @type {S[][]} */
  #subscribers = market.names.map(() => []);
  /** @type {S[]} */
  #dirty = [];

  /** @param {S} session @param {number[]} symbols */
  subscribe(session, symbols) {
    session.pending = null;
    for (const symbol of symbols) {
      if (!this.#subscribers[symbol].includes(session)) this.#subscribers[symbol].push(session);
    }
  }

  /** @param {S} session */
  forget(session) {
    for (const list of this.#subscribers) {
      const place = list.indexOf(session);
      if (place < 0) continue;
      list[place] = list[list.length - 1];
      list.pop();
    }
  }

  /** Calls `send` once for each session that has something new. @param {(session: S, text: string) => void} send */
  step(send) {
    market.takeDue((symbol, text) => {
      const subscribers = this.#subscribers[symbol];
      if (subscribers.length === 0) return;
      const alone = { text, joined: `[${text}]` };
      // Sessions whose step has been the same so far share the joined text too.
      /** @type {Pending | null} */
      let last = null;
      /** @type {Pending | null} */
      let joined = null;
      for (const session of subscribers) {
        const pending = session.pending;
        if (pending === null) {
          this.#dirty.push(session);
          session.pending = alone;
        } else {
          if (pending !== last) {
            last = pending;
            joined = { joined: `${pending.joined.slice(0, -1)},${text}]` };
          }
          session.pending = joined;
        }
      }
    });
    for (const session of this.#dirty) {
      const { pending } = session;
      session.pending = null;
      if (pending) send(session, pending.joined);
    }
    this.#dirty.length = 0;
  }
}
