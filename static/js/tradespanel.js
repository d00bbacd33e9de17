// @ts-check
/**
 * The panel of the charted symbol's trades: the board of its best quotes and its tape, full from the beginning.
 *
 * Owns: when the past trades are fetched. Does not own: the trades (`tradelog.js`), the figures (`ticker.js`).
 */

/** @typedef {import("./market.js").Market} Market */

import { Board } from "./board.js";
import { byId } from "./element.js";
import { PastTrades } from "./pasttrades.js";
import { Tape, TAPE_ROWS } from "./tape.js";

export class TradesPanel {
  #market;
  #board = new Board();
  #tape = new Tape(byId("tape"));
  #past;
  /** Whether the tape stands still, so that it can be read. */
  #isPaused = false;
  /** @type {string | null} */
  #symbol = null;
  #pause = byId("tape-pause");

  /** @param {Market} market @param {() => void} onFilled the panel must be painted again */
  constructor(market, onFilled) {
    this.#market = market;
    this.#past = new PastTrades(market.log, (symbol) => ({ epoch: market.epoch, followed_offset: market.followed.get(symbol) }), onFilled);
    this.#pause.addEventListener("click", () => {
      this.#setPaused(!this.#isPaused);
      onFilled();
    });
  }

  /** @param {boolean} isPaused */
  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#pause.ariaPressed = String(isPaused);
  }

  /** Takes the trades away, also while the tape is paused: those that follow are of another run, or of another time of a replay. */
  clear() {
    this.#setPaused(false);
    this.#tape.clear();
  }

  /** Fetches the trades from before the snapshot of a symbol. @param {string} symbol */
  load(symbol) {
    void this.#past.load(symbol, TAPE_ROWS);
  }

  /** @param {string | null} symbol the charted one */
  paint(symbol) {
    this.#board.paint(this.#market.tickers.get(symbol ?? ""));
    if (symbol !== this.#symbol) this.#setPaused(false);
    this.#symbol = symbol;
    if (this.#isPaused) return;
    this.#tape.paint(symbol, symbol ? this.#market.log.newest(symbol, TAPE_ROWS) : []);
  }
}
