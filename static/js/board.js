// @ts-check
/**
 * The board of the best quotes of the charted symbol: bid and ask with their sizes, how they balance, and the spread.
 *
 * Owns: those elements. Does not own: the figures (`ticker.js`).
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */

import { byId } from "./element.js";
import { formatPrice, formatShares } from "./format.js";
import { setText } from "./write.js";

const NONE = "–";

export class Board {
  #element = byId("board");
  #parts = new Map([...this.#element.querySelectorAll("[data-board]")].map((part) => [part.getAttribute("data-board"), part]));

  /** @param {Ticker | undefined} ticker */
  paint(ticker) {
    const quoted = ticker && ticker.bid > 0 && ticker.ask > 0 ? ticker : null;
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
