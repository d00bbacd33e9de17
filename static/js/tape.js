// @ts-check
/**
 * The tape: the newest trades of the charted symbol.
 *
 * Owns: a fixed number of table rows, whose text is replaced. Does not own: the trades (`tradelog.js`).
 */

/** @typedef {import("./tradelog.js").LoggedTrade} LoggedTrade */

import { formatCount, formatPrice } from "./format.js";
import { setData, setText } from "./write.js";
import { formatTime } from "./zone.js";

export const TAPE_ROWS = 40;
const SIDES = { 1: "up", 0: "flat", "-1": "down" };

export class Tape {
  /** @type {HTMLTableRowElement[]} */
  #rows = [];
  #note = document.querySelector("#tape-note");

  /** @param {HTMLTableElement} table */
  constructor(table) {
    const body = table.tBodies[0];
    for (let count = 0; count < TAPE_ROWS; count += 1) {
      const row = body.insertRow();
      row.insertCell();
      row.insertCell();
      row.insertCell();
      row.hidden = true;
      this.#rows.push(row);
    }
  }

  /**
   * @param {string | null} symbol
   * @param {LoggedTrade[]} trades newest first
   */
  paint(symbol, trades) {
    setText(this.#note, symbol ?? "");
    this.#rows.forEach((row, index) => {
      const trade = trades[index];
      if (row.hidden === Boolean(trade)) row.hidden = !trade;
      if (!trade) return;
      const [time, price, size] = row.cells;
      setText(time, formatTime(trade.ts / 1e6, "second"));
      setText(price, formatPrice(trade.price));
      setText(size, formatCount(trade.size));
      setData(row, "direction", SIDES[/** @type {0} */ (trade.side)]);
    });
  }
}
