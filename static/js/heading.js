// @ts-check
/**
 * The head of the chart: symbol, name, last price, change, the day's figures.
 *
 * Owns: those elements and the title of the document. Does not own: the figures. Writes changed texts only.
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */

import { arrowOf, directionOf, formatPercent, formatPrice, formatShares, formatSigned, formatVolume, NONE } from "./format.js";
import { changeOf } from "./ticker.js";
import { t } from "./i18n.js";
import { setData, setText } from "./write.js";

const TITLE_EVERY_MS = 1_000;

export class Heading {
  #symbol = document.querySelector("#title-symbol");
  #name = document.querySelector("#title-name");
  #last = document.querySelector("#title-last");
  #change = document.querySelector("#title-change");
  #stats = document.querySelectorAll("#stats [data-stat]");
  #age = document.querySelector("#title-age");
  #titled_at_ms = 0;

  /**
   * @param {string | null} symbol
   * @param {string} name
   * @param {Ticker | undefined} ticker
   */
  paint(symbol, name, ticker) {
    setText(this.#symbol, symbol ?? t("No symbol"));
    if (document.body.hasAttribute("data-bare") !== (symbol === null)) document.body.toggleAttribute("data-bare", symbol === null);
    setText(this.#name, symbol ? name : "");
    setText(this.#last, formatPrice(ticker?.price));
    setText(this.#change, moveOf(ticker));
    setData(this.#change, "direction", directionOf(ticker && changeOf(ticker).change));
    for (const element of this.#stats) setText(element, ticker ? statOf(element.getAttribute("data-stat"), ticker) : NONE);
  }

  /**
   * Writes the price into the document's title, which the viewer sees of a background tab, once a second at most; and its age beside it.
   * @param {string | null} symbol
   * @param {Ticker | undefined} ticker
   * @param {number | null} silent_ms how long the symbol has been silent; null if not too long
   * @param {boolean} isLost whether there is no connection
   * @param {boolean} isReplay
   */
  paintTitle(symbol, ticker, silent_ms, isLost, isReplay) {
    setText(this.#age, silent_ms === null || !ticker ? "" : t("{seconds} s old", { seconds: Math.floor(silent_ms / 1_000) }));
    const now_ms = performance.now();
    if (now_ms - this.#titled_at_ms < TITLE_EVERY_MS) return;
    const title = titleOf(symbol, ticker, isLost, isReplay);
    if (document.title === title) return;
    this.#titled_at_ms = now_ms;
    document.title = title;
  }
}

/**
 * Returns the title of the document. A replay says so first, because only the beginning is read in a narrow tab.
 * @param {string | null} symbol @param {Ticker | undefined} ticker @param {boolean} isLost whether there is no connection @param {boolean} [isReplay]
 */
export function titleOf(symbol, ticker, isLost, isReplay = false) {
  const title = plainTitleOf(symbol, ticker, isLost);
  return isReplay ? t("Replay · {title}", { title }) : title;
}

/** @param {string | null} symbol @param {Ticker | undefined} ticker @param {boolean} isLost */
function plainTitleOf(symbol, ticker, isLost) {
  if (!symbol || !ticker) return "tickcast";
  const price = `${symbol} ${formatPrice(ticker.price)}`;
  // What comes first is read in a narrow tab. An arrow would say that the price moves.
  return isLost ? t("⚠ stale · {price}", { price }) : `${price} ${arrowOf(changeOf(ticker).change)} tickcast`;
}

/** Returns the change of the last price, with an arrow; empty without a price, as one dash beside the other would say nothing. @param {Ticker | undefined} ticker */
export function moveOf(ticker) {
  if (ticker?.price === undefined) return "";
  const { change, percent } = changeOf(ticker);
  if (change === undefined) return NONE;
  const arrow = arrowOf(change);
  return `${arrow}${arrow && " "}${formatSigned(change)} (${formatPercent(percent)})`;
}

/** Returns a figure of the day, or of the best quotes, as text. @param {string | null} stat @param {Ticker} ticker */
export function statOf(stat, ticker) {
  switch (stat) {
    case "bid": return ticker.bid === undefined ? NONE : `${formatPrice(ticker.bid)} × ${formatShares(ticker.bid_size)}`;
    case "ask": return ticker.ask === undefined ? NONE : `${formatPrice(ticker.ask)} × ${formatShares(ticker.ask_size)}`;
    case "range": return ticker.low === undefined ? NONE : `${formatPrice(ticker.low)} – ${formatPrice(ticker.high)}`;
    case "open": return formatPrice(ticker.open);
    case "prev_close": return formatPrice(ticker.prev_close);
    case "volume": return formatVolume(ticker.volume);
    default: return NONE;
  }
}
