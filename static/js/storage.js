// @ts-check
/**
 * The watchlists, the charted symbol and its interval, kept between visits.
 *
 * Owns: what is valid of these. Does not own: storage (`settings.js`).
 */

/** @typedef {import("./watch.js").List} List */

import { INTERVALS } from "./protocol.js";
import { settings } from "./settings.js";
import { singleList, soundLists, soundSymbols } from "./watch.js";

/**
 * @typedef {object} Choices
 * @property {readonly List[] | null} lists
 * @property {string | null} list the id of the shown one
 * @property {string | null} charted
 * @property {import("./protocol.js").Interval | null} interval
 */

const text = (/** @type {unknown} */ stored) => (typeof stored === "string" ? stored : null);
const lists = settings.define("lists", soundLists);
const list = settings.define("list", text);
/** The only list, as pages before there were several stored it. */
const watch = settings.define("watch", soundSymbols);
const charted = settings.define("charted", text);
const interval = settings.define("interval", (stored) => INTERVALS.find((known) => known === stored) ?? null);

let isSaving = false;

/** Returns the saved choices; each one that is missing or of a wrong type is null. @returns {Choices} */
export function loadChoices() {
  const old = watch.get();
  return { lists: lists.get() ?? (old && singleList(old)), list: list.get(), charted: charted.get(), interval: interval.get() };
}

/** Saves choices. @param {{ lists?: List[], list?: string, charted?: string | null, interval?: import("./protocol.js").Interval }} choice */
export function saveChoice(choice) {
  isSaving = true;
  if (choice.lists !== undefined) lists.set(choice.lists);
  if (choice.list !== undefined) list.set(choice.list);
  if (choice.charted !== undefined) charted.set(choice.charted);
  if (choice.interval !== undefined) interval.set(choice.interval);
  isSaving = false;
}

/** Calls the listener after another tab has changed a watchlist. @param {() => void} listener */
export function onOtherTab(listener) {
  lists.subscribe(() => {
    if (!isSaving) listener();
  });
}
