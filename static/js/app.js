// @ts-check
/**
 * Starts the live page: draws the first chart, and then loads everything else (`live.js`), which is longer than the chart's own scripts.
 *
 * Owns: this order. Does not own: the chart (`firstchart.js`).
 */

import { showFirst } from "./firstchart.js";
import { offerReload } from "./outdated.js";
import { startViewer } from "./viewer.js";

async function start() {
  startViewer();
  await showFirst();
  try {
    const { goLive } = await import("./live.js");
    goLive();
  } catch {
    // The server is gone, or has files of another version.
    offerReload();
  }
}

void start();
