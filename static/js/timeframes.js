// @ts-check
/**
 * The buttons that choose the interval of the bars.
 *
 * Owns: those buttons. Does not own: the choice (`app.js`).
 */

/** @typedef {import("./protocol.js").Interval} Interval */

import { byId } from "./element.js";
import { INTERVALS } from "./protocol.js";

export class Timeframes {
  #group = byId("timeframes");

  /** @param {(interval: Interval) => void} onChoose */
  constructor(onChoose) {
    this.#group.addEventListener("click", (event) => {
      const pressed = event.target instanceof HTMLElement ? event.target.dataset.interval : undefined;
      const interval = INTERVALS.find((known) => known === pressed);
      if (interval) onChoose(interval);
    });
  }

  /** @param {Interval} interval */
  mark(interval) {
    for (const button of this.#group.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.interval === interval));
    }
  }
}
