// @ts-check
/**
 * Reads colours from the style sheet for drawings on a canvas, in the active scheme.
 */

/** Returns a custom property of the page, such as a colour or the typeface. @param {string} name without its dashes */
export function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls the listener whenever the viewer switches between the light and the dark scheme. @param {() => void} listener */
export function onScheme(listener) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}
