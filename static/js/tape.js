// @ts-check
/**
 * The tape: the newest trades of the charted symbol.
 *
 * Owns: a fixed number of table rows, whose text is replaced. Does not own: the trades (`tradelog.js`).
 */

/** @typedef {import("./tradelog.js").LoggedTrade} LoggedTrade */

import { formatPrice, formatShares, NONE } from "./format.js";
import { currentLanguage, mark, t } from "./i18n.js";
import { setData, setText } from "./write.js";
import { formatTime, zone } from "./zone.js";

export const TAPE_ROWS = 40;
/** Who took the price that was quoted: the buyer who paid the ask, the seller who took the bid, or neither for a price between. */
const SIDES = {
  1: { direction: "up", label: mark("Buy") },
  0: { direction: "flat", label: mark("Mid") },
  "-1": { direction: "down", label: mark("Sell") },
};
/** A trade that was reported late: the quote of its time is unknown. */
const LATE = { direction: "flat", label: mark("Late") };
/** A trade of a market without quotes, as in a replay of bars. */
const UNQUOTED = { direction: "flat", label: NONE };

export class Tape {
  /** @type {HTMLTableRowElement[]} */
  #rows = [];
  /** @type {WeakMap<LoggedTrade, { format: string, text: string }>} */
  #times = new WeakMap();
  #note = document.querySelector("#tape-note");
  /** @type {string | null} */
  #symbol = null;

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
   * Shows trades. Those that are shown stay until there are others of the same symbol: what is known does not vanish with the connection.
   * @param {string | null} symbol
   * @param {LoggedTrade[]} trades newest first
   */
  paint(symbol, trades) {
    if (trades.length === 0 && symbol === this.#symbol) return;
    this.#symbol = symbol;
    setText(this.#note, symbol ?? "");
    this.#rows.forEach((row, index) => {
      const trade = trades[index];
      if (row.hidden === Boolean(trade)) row.hidden = !trade;
      if (!trade) return;
      const { direction, label } = lookOf(trade);
      const texts = [this.#timeOf(trade), t(label), formatPrice(trade.price), formatShares(trade.size)];
      // The texts move, not the rows: rows that move count as shifts of the layout.
      for (const [column, cell] of [...row.cells].entries()) setText(cell, texts[column]);
      setData(row, "direction", direction);
    });
  }

  /** Takes all trades away, as those of another run of the server. */
  clear() {
    for (const row of this.#rows) row.hidden = true;
  }

  /** Returns the time of a trade as text. It is formatted once, because that is slow. @param {LoggedTrade} trade */
  #timeOf(trade) {
    const format = `${currentLanguage()} ${zone.get()}`;
    const known = this.#times.get(trade);
    if (known?.format === format) return known.text;
    const text = formatTime(trade.ts / 1e6, "second");
    this.#times.set(trade, { format, text });
    return text;
  }
}

/** Returns the words for the side of a trade, and its colour. @param {LoggedTrade} trade */
export function lookOf({ isLate, side }) {
  if (isLate) return LATE;
  return side === null ? UNQUOTED : SIDES[/** @type {0} */ (side)];
}
