// @ts-check
/**
 * Converts the time of the market to that of the server's clock: the market runs at `feed.speed` and may leap. `welcome` and each
 * `pong` carry both times of one moment.
 *
 * Owns: that pair. Does not own: the offset of the server's clock from this machine's (`clock.js`). All times are microseconds.
 */

/** @typedef {{ server_ts?: number, market_ts?: number, speed?: number }} Pair `speed` in `welcome` only; 0 while a replay is paused, or runs as fast as it can */

export class MarketTime {
  #server_us = 0;
  #market_us = 0;
  #speed = 1;
  /** The moment of the newest leap: what the server has said before is of no use. */
  #leapt_us = -Infinity;

  /** Takes the times of a `welcome` or a `pong`. @param {Pair} message */
  take({ server_ts, market_ts, speed }) {
    if (server_ts === undefined || market_ts === undefined || server_ts <= this.#leapt_us) return;
    this.#server_us = server_ts;
    this.#market_us = market_ts;
    this.#speed = speed ?? this.#speed;
  }

  /** Seconds of the market in each second. */
  get speed() {
    return this.#speed;
  }

  /** Changes the speed, as that of a replay. The next `pong` has the time that belongs to it. */
  set speed(speed) {
    this.#speed = speed;
  }

  /** Notes that the market's time has leapt, or goes on at another speed: the next `pong` tells the time. @param {number} server_us a moment after that */
  leap(server_us) {
    this.#leapt_us = server_us;
  }

  /** Returns the market's time at a moment of the server's clock, or null before the first message. @param {number} server_us */
  toMarket(server_us) {
    return this.#server_us === 0 ? null : this.#market_us + (server_us - this.#server_us) * this.#speed;
  }

  /** Returns a time of the market as a time of the server's clock; NaN without a speed, and after a leap. @param {number} ts by the market's */
  toServer(ts) {
    return this.#speed > 0 && this.#server_us > this.#leapt_us ? this.#server_us + (ts - this.#market_us) / this.#speed : Number.NaN;
  }
}
