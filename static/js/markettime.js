// @ts-check
/**
 * The time of the market and that of the server: with `feed.speed` other than 1 the market's goes faster or slower, and it may
 * leap. `welcome` and each `pong` say what both were at one moment.
 *
 * Owns: that pair. Does not own: how far the server's clock is ahead of this machine's (`clock.js`). All times are microseconds.
 */

/** @typedef {{ server_ts?: number, market_ts?: number, speed?: number }} Pair `speed` in `welcome` only */

export class MarketTime {
  #server_us = 0;
  #market_us = 0;
  #speed = 1;

  /** Takes in what a `welcome` or a `pong` says. @param {Pair} message */
  take({ server_ts, market_ts, speed }) {
    if (server_ts === undefined || market_ts === undefined) return;
    this.#server_us = server_ts;
    this.#market_us = market_ts;
    this.#speed = speed ?? this.#speed;
  }

  /** Returns when something happened by the server's clock. @param {number} ts by the market's */
  toServer(ts) {
    return this.#server_us + (ts - this.#market_us) / this.#speed;
  }
}
