// @ts-check
/**
 * The board of the best quotes of the charted symbol: bid and ask with their sizes, how they balance, and the spread.
 *
 * Owns: those elements. Does not own: the figures (`ticker.js`).
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */

import { byId } from "./element.js";
import { formatPrice, formatShares, NONE } from "./format.js";
import { setText } from "./write.js";

export class Board {
  #element = byId("board");
  #parts = new Map([...this.#element.querySelectorAll("[data-board]")].map((part) => [part.getAttribute("data-board"), part]));

  #balance = /** @type {HTMLElement} */ (this.#element.querySelector(".balance"));

  /** @param {Ticker | undefined} ticker */
  paint(ticker) {
    const quoted = quoteOf(ticker);
    // Nothing moves when the first quote comes.
    const visibility = quoted ? "" : "hidden";
    if (this.#balance.style.visibility !== visibility) this.#balance.style.visibility = visibility;
    this.#write("bid", quoted && formatPrice(quoted.bid));
    this.#write("ask", quoted && formatPrice(quoted.ask));
    this.#write("bid_size", quoted && formatShares(quoted.bid_size));
    this.#write("ask_size", quoted && formatShares(quoted.ask_size));
    this.#write("spread", quoted && spreadOf(quoted));
    const share = quoted ? balanceOf(quoted) : 0.5;
    this.#element.style.setProperty("--bid-share", share.toFixed(3));
  }

  /** @param {string} part @param {string | null} text */
  #write(part, text) {
    setText(this.#parts.get(part) ?? null, text ?? NONE);
  }
}

/**
 * Returns the best quotes of a ticker; null while it has none.
 * @param {Ticker | undefined} ticker
 * @returns {{ bid: number, bid_size: number, ask: number, ask_size: number } | null}
 */
export function quoteOf({ bid, bid_size, ask, ask_size } = /** @type {Ticker} */ ({})) {
  if (bid === undefined || bid_size === undefined || ask === undefined || ask_size === undefined) return null;
  return bid > 0 && ask > 0 ? { bid, bid_size, ask, ask_size } : null;
}

/** Returns the spread in dollars, and in hundredths of a percent of the price in the middle. @param {{ bid: number, ask: number }} quote */
export function spreadOf({ bid, ask }) {
  const points = ((ask - bid) / ((ask + bid) / 2)) * 1e4;
  return `${(ask - bid).toFixed(bid < 1 ? 4 : 2)} · ${points.toFixed(1)} bp`;
}

/** Returns the share of the bid in the sizes of both sides, 0 to 1. @param {{ bid_size: number, ask_size: number }} quote */
export function balanceOf({ bid_size, ask_size }) {
  const both = bid_size + ask_size;
  return both > 0 ? bid_size / both : 0.5;
}
