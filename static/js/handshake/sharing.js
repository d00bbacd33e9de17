// @ts-check
/**
 * Limits how many pages show a socket at the same time: a browser allows six connections to a server, each capture uses one, and pages
 * side by side are all visible.
 *
 * Owns: one entry of `localStorage`, through which the pages notify each other. Does not own: the socket (`page.js`).
 */

const KEY = "tickcast.handshake";
/** The most pages that show a socket at the same time; the other connections are left for loading. */
const PAGES_MAX = 4;

export class Sharing {
  #own = Math.random().toString(36).slice(2);
  #begun = 0;
  /** Pages that have begun after this one. @type {Set<string>} */
  #newer = new Set();

  /** @param {() => void} onCrowded as many pages as may have a socket have begun after this one */
  constructor(onCrowded) {
    addEventListener("storage", ({ key, newValue }) => {
      if (key !== KEY || !newValue) return;
      this.#newer.add(newValue.split(" ")[0]);
      if (this.#newer.size === PAGES_MAX) onCrowded();
    });
  }

  /** Notifies the other pages that this one begins to show a socket. */
  begin() {
    this.#newer.clear();
    this.#begun += 1;
    try {
      localStorage.setItem(KEY, `${this.#own} ${this.#begun}`);
    } catch {
      // Storage is denied or full: the other pages are not notified.
    }
  }
}
