// @ts-check
/**
 * What lies over the watchlist for a moment: the result of the viewer's last change; and the line below it: the number of symbols over the
 * server's limit, and what the server refuses.
 *
 * Owns: these and their buttons. Does not own: the list (`watch.js`).
 */

import { byId } from "./element.js";
import { t } from "./i18n.js";
import { speak } from "./write.js";

/** How long a result is shown, in milliseconds; longer if it can be undone, or while the viewer points at it. */
const SHOWN_MS = 6_000;
const UNDO_MS = 15_000;

export class WatchNote {
  #text = byId("watchlist-note");
  #undo = byId("watchlist-undo");
  #left = byId("watchlist-left");
  #close = byId("watchlist-close");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {{ phrase: string, values: Record<string, string | number> }} */
  #shown = { phrase: "", values: {} };
  /** The number of symbols over the server's limit, and the limit. */
  #beyond = { count: 0, most: 0 };
  /** Why there is no symbol to list; "" if there are some. */
  #barren = "";
  /** Why the server has refused a subscription, and the channels that the key lacks. */
  #refused = { message: "", channels: "" };

  /** @param {() => void} onUndo */
  constructor(onUndo) {
    this.#undo.addEventListener("click", onUndo);
    this.#close.addEventListener("click", () => this.show(""));
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
    this.#close.hidden = phrase === "";
    speak(this.#text, this.#words);
    clearTimeout(this.#timer);
    if (phrase !== "") this.#timer = setTimeout(() => this.#end(), canUndo ? UNDO_MS : SHOWN_MS);
  }

  #end() {
    if (this.#text.parentElement?.matches(":hover, :focus-within")) this.#timer = setTimeout(() => this.#end(), SHOWN_MS);
    else this.show("");
  }

  /** Shows that the server sends fewer symbols than are listed. @param {number} count of symbols over the limit @param {number} most the limit */
  leaveOut(count, most) {
    if (count === this.#beyond.count && most === this.#beyond.most) return;
    this.#beyond = { count, most };
    this.relabel();
  }

  /** Shows why prices are missing. @param {string} message of a refused subscription, empty without one @param {readonly string[]} lacking channels that the key does not permit */
  explain(message, lacking) {
    const channels = lacking.join(", ");
    if (message === this.#refused.message && channels === this.#refused.channels) return;
    this.#refused = { message, channels };
    this.relabel();
  }

  /** Shows why there is no symbol to list. @param {string} phrase "" if there are some */
  setBarren(phrase) {
    if (phrase === this.#barren) return;
    this.#barren = phrase;
    this.relabel();
  }

  get #words() {
    const { phrase, values } = this.#shown;
    return phrase === "" ? "" : t(phrase, values);
  }

  /** Rewrites the texts after the language was switched. */
  relabel() {
    this.#text.textContent = this.#words;
    const { count, most } = this.#beyond;
    const { message, channels } = this.#refused;
    this.#left.textContent = [
      this.#barren === "" ? "" : t(this.#barren),
      count > 0 ? t("This server sends at most {most} symbols: {count} rows below them stand still.", { count, most }) : "",
      channels === "" ? "" : t("The key does not permit everything that this page shows: {channels}.", { channels }),
      message === "" ? "" : t("The server has refused a subscription: {message}", { message }),
    ].filter(Boolean).join(" ");
  }
}
