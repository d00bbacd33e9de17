// @ts-check
/**
 * The offer to reload the page: the server has another version of it.
 *
 * Owns: the line `#outdated` and its button. Does not own: how that is noticed (`version.js`).
 */

import { byId } from "./element.js";

/** Offers to reload the page: a part of it cannot be loaded. */
export function offerReload() {
  byId("outdated").hidden = false;
}

/** Starts the button. */
export function startUpdates() {
  byId("outdated-reload").addEventListener("click", () => location.reload());
}
