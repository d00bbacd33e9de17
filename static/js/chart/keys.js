// @ts-check
/**
 * The keys of a chart: Page Up and Page Down, or arrows with Shift, scroll; plus and minus zoom; End returns to the newest bar.
 *
 * Owns: these keys. Does not own: the chart, or the arrows without Shift (`walk.js`).
 */

import { SPACING_LEAST_PX } from "./scale.js";
import { PAGE_BARS } from "./walk.js";

const SPACING_MOST_PX = 60;

/** Listens for keys on the container of a chart. @param {HTMLElement} container @param {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} chart */
export function listenForKeys(container, chart) {
  const scale = chart.timeScale();
  const zoom = (/** @type {number} */ factor) => scale.applyOptions({
    barSpacing: Math.min(Math.max(scale.options().barSpacing * factor, SPACING_LEAST_PX), SPACING_MOST_PX),
  });
  const scroll = (/** @type {number} */ bars) => scale.scrollToPosition(scale.scrollPosition() + bars, false);
  container.addEventListener("keydown", (event) => {
    if (event.target !== container || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
    switch (key) {
      case "Shift+ArrowLeft": case "PageUp": scroll(-PAGE_BARS); break;
      case "Shift+ArrowRight": case "PageDown": scroll(PAGE_BARS); break;
      case "+": case "=": zoom(1.25); break;
      case "-": zoom(0.8); break;
      case "End": scale.scrollToRealTime(); break;
      default: return;
    }
    event.preventDefault();
  });
}
