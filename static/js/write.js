// @ts-check
/**
 * Writes to the page only what differs, so that a repaint of unchanged figures costs no layout.
 *
 * Owns: nothing but these two rules. Text only ever goes in as text.
 */

/** @param {Element | null} element @param {string} text */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {Element | null} element @param {string} name @param {string} value */
export function setData(element, name, value) {
  if (element instanceof HTMLElement && element.dataset[name] !== value) element.dataset[name] = value;
}
