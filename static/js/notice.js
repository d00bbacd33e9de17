// @ts-check
/**
 * The message on the chart while there are no candles: that they are being loaded, or why they cannot be.
 *
 * Owns: its elements. Does not own: the decision to show it (`chartcell.js`).
 */

import { mark, t } from "./i18n.js";

/** No message is shown if the history comes within this time, because a flash of text would only distract. */
const LOADING_AFTER_MS = 150;

export class Notice {
  #element;
  #text;
  #retry;
  /** @type {{ phrase: string, values: Record<string, string | number> }} */
  #shown = { phrase: "", values: {} };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} root of the chart @param {() => void} onRetry */
  constructor(root, onRetry) {
    const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.#element = find(".chart-message");
    this.#text = find(".chart-message p");
    this.#retry = find(".chart-message button");
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

  /** Shows nothing at first, and "Loading…" a little later, unless another phrase comes before. */
  wait() {
    this.show("");
    this.#timer = setTimeout(() => this.show(mark("Loading…")), LOADING_AFTER_MS);
  }

  /** Rewrites the phrase after the language was switched. */
  relabel() {
    this.#text.textContent = t(this.#shown.phrase, this.#shown.values);
  }
}
