// @ts-check
/**
 * Writes a text or an attribute only if it differs, because every write costs the browser a layout; a text that is spoken, always. Text is
 * never parsed as HTML.
 */

/** @param {Element | null} element @param {string} text */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {Element | null} element @param {string} name @param {string} value */
export function setData(element, name, value) {
  if (element instanceof HTMLElement && element.dataset[name] !== value) element.dataset[name] = value;
}

/** Writes a text that a screen reader speaks, even if it is the same again. @param {Element | null} region a live region @param {string} text */
export function speak(region, text) {
  // An equal text would be no change, and would not be spoken.
  if (region) region.textContent = text !== "" && region.textContent === text ? `${text}\u00A0` : text;
}
