// @ts-check
/**
 * The map of the market: a tile for each symbol, in the colour of its change, grouped by sector.
 *
 * Owns: its dialog. Does not own: the tickers (`market.js`), the list of symbols, the subscriptions: while the map is open, the page
 * subscribes to `symbols` at a low rate.
 */

/** @typedef {import("./protocol.js").Listing} Listing */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { byId, element } from "./element.js";
import { arrowOf, directionOf, formatPercent, formatPrice, NONE } from "./format.js";
import { t } from "./i18n.js";
import { changeOf } from "./ticker.js";
import { setData, setText } from "./write.js";

/** The most tiles: more would be too small to read. */
export const TILES_MAX = 200;
/** The change, in percent, from which a tile has its full colour. */
const FULL_PERCENT = 3;

/**
 * @typedef {object} HeatHandlers
 * @property {() => readonly Listing[]} listings
 * @property {() => void} onSymbols the symbols of the map have changed
 * @property {(symbol: string) => void} onChart
 * @property {(symbol: string) => string} nameOf
 */

/**
 * Returns the first symbols by sector, the sectors with the most symbols first.
 * @param {readonly Listing[]} listings
 * @param {number} most
 * @returns {[string, string[]][]}
 */
export function bySector(listings, most) {
  /** @type {Map<string, string[]>} */
  const sectors = new Map();
  for (const { symbol, sector } of listings.slice(0, most)) {
    const held = sectors.get(sector);
    if (held) held.push(symbol);
    else sectors.set(sector, [symbol]);
  }
  return [...sectors].sort(([, left], [, right]) => right.length - left.length);
}

/** Returns how much colour a change has, 0 to 1. @param {number} percent */
export function heatOf(percent) {
  return Math.min(1, Math.abs(percent) / FULL_PERCENT);
}

/** Returns what a tile says of the change, its direction, and how much colour it has. @param {Ticker} ticker */
export function tileOf(ticker) {
  const { change, percent } = changeOf(ticker);
  const arrow = arrowOf(change);
  return { text: `${arrow}${arrow && " "}${formatPercent(percent)}`, direction: directionOf(change), heat: heatOf(percent ?? 0).toFixed(2) };
}

export class HeatMap {
  #dialog = /** @type {HTMLDialogElement} */ (byId("heat"));
  #body = byId("heat-sectors");
  #tickers;
  #handlers;
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();

  /** @param {ReadonlyMap<string, Ticker>} tickers @param {HeatHandlers} handlers */
  constructor(tickers, handlers) {
    this.#tickers = tickers;
    this.#handlers = handlers;
    byId("heat-open").addEventListener("click", () => {
      this.#dialog.showModal();
      this.#build();
      handlers.onSymbols();
    });
    this.#dialog.addEventListener("close", () => {
      this.#tiles.clear();
      this.#body.replaceChildren();
      handlers.onSymbols();
    });
    this.#body.addEventListener("click", (event) => {
      const tile = event.target instanceof Element ? event.target.closest("button") : null;
      if (!tile?.dataset.symbol) return;
      this.#dialog.close();
      handlers.onChart(tile.dataset.symbol);
    });
  }

  /** The symbols whose figures are needed; none while the map is closed. */
  get symbols() {
    return [...this.#tiles.keys()];
  }

  /** Paints the tiles of these symbols. @param {Iterable<string>} changed */
  paint(changed) {
    if (this.#tiles.size === 0) return;
    for (const symbol of changed) this.#paintTile(symbol);
  }

  /** Writes the names anew, after the language was switched. */
  relabel() {
    if (this.#dialog.open) this.#build();
  }

  #build() {
    this.#tiles.clear();
    this.#body.replaceChildren(...bySector(this.#handlers.listings(), TILES_MAX).map(([sector, symbols]) => {
      const tiles = symbols.map((symbol) => {
        const tile = element("button", { type: "button", "data-symbol": symbol },
          element("b", {}, symbol), element("span", { class: "percent" }, NONE));
        this.#tiles.set(symbol, tile);
        return element("li", {}, tile);
      });
      return element("section", {}, element("h3", {}, t(sector)), element("ul", {}, ...tiles));
    }));
    for (const symbol of this.#tiles.keys()) this.#paintTile(symbol);
  }

  /** @param {string} symbol */
  #paintTile(symbol) {
    const [tile, ticker] = [this.#tiles.get(symbol), this.#tickers.get(symbol)];
    if (!tile || !ticker) return;
    const { text, direction, heat } = tileOf(ticker);
    setText(tile.querySelector(".percent"), text);
    setData(tile, "direction", direction);
    const title = [this.#handlers.nameOf(symbol), formatPrice(ticker.price)].filter(Boolean).join(", ");
    if (tile.title !== title) tile.title = title;
    if (tile.style.getPropertyValue("--heat") !== heat) tile.style.setProperty("--heat", heat);
  }
}
