// @ts-check
/**
 * Starts what the viewer can adapt: colours, language, figures, times.
 *
 * Owns: the order. Colours come first, so that nothing is drawn in others. What the first chart does not need is loaded on demand.
 */

import { startAccess } from "./access.js";
import { byId } from "./element.js";
import { numbers } from "./format.js";
import { onLanguage, startLanguage } from "./i18n.js";
import { startLook } from "./look.js";
import { startUpdates } from "./outdated.js";
import { zone } from "./zone.js";

/** Starts all of it. */
export function startViewer() {
  startLook();
  startUpdates();
  startLanguage(async () => {
    const { korean } = await import("./korean/live.js");
    return korean;
  });
  void startAccess(async () => await import("./entrance.js"));
  byId("settings-open").addEventListener("click", async () => {
    const { openSettings } = await import("./settingsdialog.js");
    openSettings();
  });
}

/** Calls a listener after the language, or the format of figures or times, has changed. @param {() => void} relabel writes anew what no frame repaints */
export function onRelabel(relabel) {
  onLanguage(relabel);
  numbers.subscribe(relabel);
  zone.subscribe(relabel);
}
