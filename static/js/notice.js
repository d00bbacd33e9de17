// @ts-check
/**
 * The words that stand on the chart instead of candles: that they are being loaded, or why there are none.
 *
 * Owns: those elements. Does not own: when there is nothing to draw (`app.js`).
 */

import { byId } from "./element.js";
import { mark, t } from "./i18n.js";

/** A history that is here within this time is shown without a word. */
const LOADING_AFTER_MS = 150;

export class Notice {
  #element = byId("chart-message");
  #text = byId("chart-message-text");
  #retry = byId("chart-retry");
  /** @type {{ phrase: string, values: Record<string, string | number> }} */
  #shown = { phrase: "", values: {} };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#retry.addEventListener("click", onRetry);
  }

  /**
   * Shows a phrase.
   * @param {string} phrase English; empty to show nothing
   * @param {Record<string, string | number>} [values]
   * @param {boolean} [canRetry]
   */
  show(phrase, values = {}, canRetry = false) {
    clearTimeout(this.#timer);
    this.#shown = { phrase, values };
    this.#element.hidden = phrase === "";
    this.#retry.hidden = !canRetry;
    this.relabel();
  }

  /** Shows nothing, and says soon that something is being loaded, unless another word comes before. */
  wait() {
    this.show("");
    this.#timer = setTimeout(() => this.show(mark("Loading…")), LOADING_AFTER_MS);
  }

  /** Writes the phrase in another language. */
  relabel() {
    this.#text.textContent = t(this.#shown.phrase, this.#shown.values);
  }
}
