// @ts-check
/**
 * The line below the watchlist: the result of the viewer's last change, and the number of symbols over the server's limit.
 *
 * Owns: that line and its button. Does not own: the list (`watch.js`).
 */

import { byId } from "./element.js";
import { t } from "./i18n.js";

export class WatchNote {
  #text = byId("watchlist-note");
  #undo = byId("watchlist-undo");
  #left = byId("watchlist-left");
  /** @type {{ phrase: string, values: Record<string, string | number> }} */
  #shown = { phrase: "", values: {} };
  /** The number of symbols over the server's limit, and the limit. */
  #beyond = { count: 0, most: 0 };

  /** @param {() => void} onUndo */
  constructor(onUndo) {
    this.#undo.addEventListener("click", onUndo);
  }

  /**
   * Shows a phrase.
   * @param {string} phrase English; empty to show nothing
   * @param {Record<string, string | number>} [values]
   * @param {boolean} [canUndo]
   */
  show(phrase, values = {}, canUndo = false) {
    this.#shown = { phrase, values };
    this.#undo.hidden = !canUndo;
    this.relabel();
  }

  /** Shows that the server sends fewer symbols than are listed. @param {number} count of symbols over the limit @param {number} most the limit */
  leaveOut(count, most) {
    if (count === this.#beyond.count && most === this.#beyond.most) return;
    this.#beyond = { count, most };
    this.relabel();
  }

  /** Rewrites the line after the language was switched. */
  relabel() {
    this.#text.textContent = this.#shown.phrase === "" ? "" : t(this.#shown.phrase, this.#shown.values);
    const { count, most } = this.#beyond;
    this.#left.textContent = count > 0 ? t("This server sends at most {most} symbols: {count} rows below them stand still.", { count, most }) : "";
  }
}
