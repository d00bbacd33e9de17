// @ts-check
/**
 * Tells screen readers what has just been done, where the page shows it without words.
 *
 * Owns: one live region.
 */

/** @param {string} text translated */
export function say(text) {
  const region = document.getElementById("said");
  // The same text again is no change, and would not be spoken.
  if (region) region.textContent = region.textContent === text ? `${text}\u00A0` : text;
}
