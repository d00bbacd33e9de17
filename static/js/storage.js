// @ts-check
/**
 * Keeps the viewer's choices between visits.
 *
 * Owns: one entry of `localStorage`. If storage is denied, full or corrupt, the page works as on a first visit.
 */

import { INTERVALS } from "./protocol.js";

const KEY = "tickcast.page";

/** @typedef {{ watch: string[] | null, charted: string | null, interval: import("./protocol.js").Interval | null }} Choices */

/** Returns the saved choices; each one that is missing or of a wrong type is null. @returns {Choices} */
export function loadChoices() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const isList = Array.isArray(saved.watch) && saved.watch.every((/** @type {unknown} */ item) => typeof item === "string");
    return {
      watch: isList ? saved.watch : null,
      charted: typeof saved.charted === "string" ? saved.charted : null,
      interval: INTERVALS.includes(saved.interval) ? saved.interval : null,
    };
  } catch {
    return { watch: null, charted: null, interval: null };
  }
}

/** Saves one choice without overwriting the others, which another tab may have changed. @param {Partial<Choices>} choice */
export function saveChoice(choice) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...loadChoices(), ...choice }));
  } catch {
    // Storage is denied or full: the choice lasts as long as the page.
  }
}

/** Calls the listener after another tab has saved choices. @param {(choices: Choices) => void} listener */
export function onOtherTab(listener) {
  addEventListener("storage", (event) => {
    if (event.key === KEY) listener(loadChoices());
  });
}
