// @ts-check
/**
 * Reads colours from the style sheet for drawings on a canvas, in the active scheme.
 */

/** Returns a custom property of the page, such as a colour or the typeface. @param {string} name without its dashes */
export function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls the listener whenever the colours have changed: by the scheme, by the viewer's choice, or with the language. @param {() => void} listener */
export function onScheme(listener) {
  new MutationObserver(listener).observe(document.documentElement, { attributeFilter: ["data-scheme", "data-colours", "lang"] });
}
