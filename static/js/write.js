// @ts-check
/**
 * Writes a text or an attribute only if it differs, because every write costs the browser a layout. Text is never parsed as HTML.
 */

/** @param {Element | null} element @param {string} text */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {Element | null} element @param {string} name @param {string} value */
export function setData(element, name, value) {
  if (element instanceof HTMLElement && element.dataset[name] !== value) element.dataset[name] = value;
}
