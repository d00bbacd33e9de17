// @ts-check
/**
 * How often the rows of the watchlist are updated: the slider, its figure, and the viewer's choice. What a chart or an alert needs is not
 * slowed down.
 *
 * Owns: the slider and the choice. Does not own: the subscriptions (`wishes.js`).
 */

/** @typedef {import("./wishes.js").Pace} Pace */

import { byId } from "./element.js";
import { t } from "./i18n.js";
import { setText } from "./write.js";

/** The stops of the slider, in updates a second. @type {readonly Pace[]} */
export const PACES = [0.5, 1, 2, 4, 8, "all"];
/** More than an eye reads in a row of figures is a waste; with the browser's data saver on, a quarter of that. */
const USUAL = 4;
const SAVING = 1;

/** Returns the pace without a choice of the viewer's. @param {{ saveData?: boolean } | undefined} connection that of `navigator` */
export function usualPace(connection) {
  return connection?.saveData ? SAVING : USUAL;
}

/** Returns the stop of the slider that is nearest to a pace. @param {Pace} pace */
export function stopOf(pace) {
  if (pace === "all") return PACES.length - 1;
  const distances = PACES.map((stop) => (stop === "all" ? Infinity : Math.abs(Math.log(stop / pace))));
  return distances.indexOf(Math.min(...distances));
}

/** Returns a valid pace, or null. @param {unknown} stored @returns {Pace | null} */
export function paceOf(stored) {
  return PACES.find((pace) => pace === stored) ?? null;
}

export class PaceSlider {
  /** @type {Pace} */
  pace;
  #slider = /** @type {HTMLInputElement} */ (byId("pace"));
  #figure = byId("pace-figure");

  /** @param {Pace} pace @param {(pace: Pace) => void} onPace after each change by the viewer */
  constructor(pace, onPace) {
    this.pace = pace;
    this.#slider.max = String(PACES.length - 1);
    this.#slider.addEventListener("input", () => {
      this.set(PACES[Number(this.#slider.value)]);
      onPace(this.pace);
    });
    this.set(pace);
  }

  /** @param {Pace} pace */
  set(pace) {
    this.pace = pace;
    this.#slider.value = String(stopOf(pace));
    this.relabel();
  }

  /** Rewrites the figure, as after a switch of the language. */
  relabel() {
    const text = this.pace === "all" ? t("every event") : t("{hz}/s", { hz: this.pace });
    setText(this.#figure, text);
    this.#slider.setAttribute("aria-valuetext", text);
  }
}
