// @ts-check
/**
 * Starts what the viewer can adapt: colours, language, figures, times.
 *
 * Owns: the order. Colours come first, so that nothing is drawn in others.
 */

import { onLanguage, startLanguage } from "./i18n.js";
import { startLook } from "./look.js";
import { startSettings } from "./settingsdialog.js";

/**
 * @param {Readonly<Record<string, string>>} dictionary from English to Korean
 * @param {() => void} relabel writes anew what no frame repaints; called after the language, or the format of figures or times, has changed
 */
export function startViewer(dictionary, relabel) {
  startLook();
  startLanguage(dictionary);
  onLanguage(relabel);
  startSettings(relabel);
}
