// @ts-check
/**
 * The colours of the page: the light or the dark scheme, and the colours of rising and falling prices.
 *
 * Owns: both settings and the attributes of the root element that the style sheet goes by. Does not own: the colours
 * (`css/variables.css`), or the attributes before the modules have loaded (`first.js`).
 */

import { address } from "./address.js";
import { oneOf, settings } from "./settings.js";

export const theme = settings.define("theme", oneOf(/** @type {const} */ (["system", "light", "dark"])));
/** `auto`: red and blue for a page in Korean, else green and red. */
export const colours = settings.define("colours", oneOf(/** @type {const} */ (["auto", "green-red", "red-blue", "blue-orange"])));

/** Applies the settings now and after every change, also one of the system. */
export function startLook() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = address.get().theme ?? theme.get();
    const { dataset } = document.documentElement;
    dataset.scheme = chosen === "dark" || (chosen === "system" && system.matches) ? "dark" : "light";
    dataset.colours = colours.get();
  };
  theme.subscribe((value) => {
    if (address.get().theme !== null) address.replace({ theme: value });
    apply();
  });
  colours.subscribe(apply);
  system.addEventListener("change", apply);
  address.onBack(apply);
  apply();
}
