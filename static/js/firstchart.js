// @ts-check
/**
 * Draws the first chart as soon as its bars are there, before the rest of the page and without a connection.
 *
 * Owns: the market and the stage of the page, until `live.js` takes over. Does not own: the request for the bars (`first.js`).
 */

import { byId } from "./element.js";
import { Market } from "./market.js";
import { earlyChart } from "./rest.js";
import { Stage } from "./stage.js";
import { onRelabel } from "./viewer.js";

/** The rest of the page is loaded after this time even if there is no chart. */
const PATIENCE_MS = 600;
const idle = () => {};

export const market = new Market({ onOpen: idle, onReset: idle, onFollowed: idle, onLag: idle, onUnknown: idle });
export const stage = new Stage(market, { onCharts: idle, onPaint: drawSoon, onInterval: idle, onLayout: idle, symbols: () => [], nameOf: () => "" });

function drawSoon() {
  requestAnimationFrame(() => stage.draw());
}

/** Shows the chart whose bars were requested before this script was there. Returns when it is on the screen, or when it takes too long. */
export async function showFirst() {
  onRelabel(() => {
    stage.relabel();
    stage.draw();
  });
  const first = earlyChart();
  if (!first || document.hidden) return;
  stage.show(first.symbol, first.interval);
  const isOver = AbortSignal.timeout(PATIENCE_MS);
  while (!isOver.aborted && !(Number(byId("chart").dataset.bars) > 0)) await new Promise((resolve) => setTimeout(resolve, 10));
  // The frame with the chart comes first.
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}
