// @ts-check
/**
 * The watchlist, the charted symbol and its interval, kept between visits.
 *
 * Owns: what is valid of these. Does not own: storage (`settings.js`).
 */

import { INTERVALS } from "./protocol.js";
import { settings } from "./settings.js";

/** @typedef {{ watch: string[] | null, charted: string | null, interval: import("./protocol.js").Interval | null }} Choices */

const watch = settings.define("watch", (stored) => {
  const isList = Array.isArray(stored) && stored.every((item) => typeof item === "string");
  return /** @type {string[] | null} */ (isList ? stored : null);
});
const charted = settings.define("charted", (stored) => (typeof stored === "string" ? stored : null));
const interval = settings.define("interval", (stored) => INTERVALS.find((known) => known === stored) ?? null);

let isSaving = false;

/** Returns the saved choices; each one that is missing or of a wrong type is null. @returns {Choices} */
export function loadChoices() {
  return { watch: watch.get(), charted: charted.get(), interval: interval.get() };
}

/** Saves choices. @param {Partial<Choices>} choice */
export function saveChoice(choice) {
  isSaving = true;
  if (choice.watch !== undefined) watch.set(choice.watch);
  if (choice.charted !== undefined) charted.set(choice.charted);
  if (choice.interval !== undefined) interval.set(choice.interval);
  isSaving = false;
}

/** Calls the listener after another tab has changed the watchlist. @param {(choices: Choices) => void} listener */
export function onOtherTab(listener) {
  watch.subscribe(() => {
    if (!isSaving) listener(loadChoices());
  });
}
