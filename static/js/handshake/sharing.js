// @ts-check
/**
 * Shares the connections to this server among the pages that show a socket: a browser has six of them for one server, the stream
 * of a capture takes one, and pages side by side are all seen.
 *
 * Owns: one entry of `localStorage`, by which pages hear of each other. Does not own: the socket (`page.js`).
 */

const KEY = "tickcast.handshake";
/** So many pages show a socket at the same time; the other connections are for whatever else is loaded. */
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

  /** Tells the other pages that this one begins to show a socket. */
  begin() {
    this.#newer.clear();
    this.#begun += 1;
    try {
      localStorage.setItem(KEY, `${this.#own} ${this.#begun}`);
    } catch {
      // Denied or full: the others do not hear of it.
    }
  }
}
