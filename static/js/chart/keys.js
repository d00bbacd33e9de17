// @ts-check
/**
 * The keys of a chart: arrows scroll, plus and minus zoom, End returns to the newest bar.
 *
 * Owns: these keys. Does not own: the chart.
 */

import { SPACING_LEAST_PX } from "./scale.js";

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
    const step = event.shiftKey ? 50 : 5;
    switch (event.key) {
      case "ArrowLeft": scroll(-step); break;
      case "ArrowRight": scroll(step); break;
      case "+": case "=": zoom(1.25); break;
      case "-": zoom(0.8); break;
      case "End": scale.scrollToRealTime(); break;
      default: return;
    }
    event.preventDefault();
  });
}
