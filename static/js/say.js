// @ts-check
/**
 * Tells screen readers what has just been done, where the page shows it without words.
 *
 * Owns: one live region.
 */

import { speak } from "./write.js";

/** @param {string} text translated */
export function say(text) {
  speak(document.getElementById("said"), text);
}
