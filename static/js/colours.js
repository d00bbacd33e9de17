// @ts-check
/**
 * Reads colours from the style sheet for drawings on a canvas, in the active scheme.
 */

/** Returns a custom property of the page, such as a colour or the typeface. @param {string} name without its dashes */
export function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Returns the colours of a chart. */
export function readColours() {
  const accent = colourOf("accent");
  return {
    panel: colourOf("panel"), text: colourOf("text-soft"), grid: colourOf("grid"), line: colourOf("line"), font: colourOf("font"),
    crosshair: colourOf("crosshair"), label: colourOf("label"), up: colourOf("up"), down: colourOf("down"),
    up_volume: colourOf("up-volume"), down_volume: colourOf("down-volume"), accent, fill: `${accent}38`,
  };
}

/** Calls the listener whenever the colours have changed: by the scheme, by the viewer's choice, or with the language. @param {() => void} listener */
export function onScheme(listener) {
  new MutationObserver(listener).observe(document.documentElement, { attributeFilter: ["data-scheme", "data-colours", "lang"] });
}
