// @ts-check
/**
 * The tape: the newest trades of the charted symbol.
 *
 * Owns: a fixed number of table rows, whose text is replaced. Does not own: the trades (`tradelog.js`).
 */

/** @typedef {import("./tradelog.js").LoggedTrade} LoggedTrade */

import { formatCount, formatPrice } from "./format.js";
import { mark, t } from "./i18n.js";
import { setData, setText } from "./write.js";
import { formatTime } from "./zone.js";

export const TAPE_ROWS = 40;
/** Who took the price that was quoted: the buyer who paid the ask, the seller who took the bid, or neither for a price between. */
const SIDES = {
  1: { direction: "up", label: mark("Buy") },
  0: { direction: "flat", label: mark("Mid") },
  "-1": { direction: "down", label: mark("Sell") },
};
/** A trade that was reported late: the quote of its time is unknown. */
const LATE = { direction: "flat", label: mark("Late") };

export class Tape {
  /** @type {HTMLTableRowElement[]} */
  #rows = [];
  #note = document.querySelector("#tape-note");

  /** @param {HTMLTableElement} table */
  constructor(table) {
    const body = table.tBodies[0];
    for (let count = 0; count < TAPE_ROWS; count += 1) {
      const row = body.insertRow();
      for (let cells = 0; cells < 4; cells += 1) row.insertCell();
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
      const { direction, label } = trade.isLate ? LATE : SIDES[/** @type {0} */ (trade.side)];
      const [time, side, price, size] = row.cells;
      setText(time, formatTime(trade.ts / 1e6, "second"));
      setText(side, t(label));
      setText(price, formatPrice(trade.price));
      setText(size, formatCount(trade.size));
      setData(row, "direction", direction);
    });
  }
}
