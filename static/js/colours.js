// @ts-check
/**
 * The colours of the style sheet for what is drawn on a canvas, in the present scheme.
 *
 * Owns: nothing. Does not own: the colours (`variables.css`, `compare.css`).
 */

/** Returns a custom property of the page, such as a colour or the typeface. @param {string} name without its dashes */
export function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls the listener whenever the viewer switches between the light and the dark scheme. @param {() => void} listener */
export function onScheme(listener) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}
