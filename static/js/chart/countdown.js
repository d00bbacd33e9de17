// @ts-check
/**
 * The time left in the open bar, in a box below the last price on the axis.
 *
 * Owns: its element. Does not own: the time of the market (`market.js`).
 */

/** @typedef {import("../protocol.js").Interval} Interval */

import { INTERVAL_US } from "../protocol.js";
import { setData, setText } from "../write.js";

/** The box is this far below the price, in pixels, so that it touches the label of the price. */
const BELOW_PX = 9;

/**
 * Returns the seconds until the bar that contains a moment ends.
 * @param {number} market_us the moment, by the market's time
 * @param {Interval} interval
 * @param {number} speed seconds of the market in each second
 */
export function secondsLeft(market_us, interval, speed) {
  const length_us = INTERVAL_US[interval];
  return (length_us - (market_us % length_us)) / 1e6 / speed;
}

/** Writes a duration as on a clock. @param {number} seconds */
export function clockOf(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const parts = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] > 0 ? parts : parts.slice(1)).map((part) => String(part).padStart(2, "0")).join(":");
}

export class Countdown {
  #element;

  /** @param {HTMLElement} root of the chart */
  constructor(root) {
    this.#element = /** @type {HTMLElement} */ (root.querySelector(".countdown"));
  }

  /**
   * @param {{ top: number, width: number } | null} place of the last price
   * @param {number | null} left_s null if it is not known
   * @param {boolean} isRising
   */
  paint(place, left_s, isRising) {
    const isShown = place !== null && left_s !== null;
    if (this.#element.hidden === isShown) this.#element.hidden = !isShown;
    if (!isShown) return;
    setText(this.#element, clockOf(left_s));
    setData(this.#element, "direction", isRising ? "up" : "down");
    const style = `translateY(${Math.round(place.top + BELOW_PX)}px)`;
    if (this.#element.style.transform !== style) this.#element.style.transform = style;
    const left = `calc(100% - ${place.width}px)`;
    if (this.#element.style.left !== left) this.#element.style.left = left;
  }
}
