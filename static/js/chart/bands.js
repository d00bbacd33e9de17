// @ts-check
/**
 * Draws the times without data as hatched bands behind the bars: the gaps of the history, and the time since the stream broke.
 *
 * Owns: their look. Does not own: which they are (`gaps.js`, `chart.js`). A primitive of the chart library.
 */

/** @typedef {import("./gaps.js").Gap} Gap */
/** @typedef {import("lightweight-charts").IChartApiBase<import("lightweight-charts").Time>} Chart */

import { colourOf } from "../colours.js";
import { timeOf } from "./scale.js";

const HATCH_PX = 7;
/** A label needs this much room on both sides together. */
const LABEL_MARGIN_PX = 10;

/** @typedef {{ left: number, right: number, label: string }} Band in pixels */

export class Bands {
  /** @type {Chart | null} */
  #chart = null;
  /** @type {(() => void) | null} */
  #repaint = null;
  /** @type {(Gap & { label: string })[]} */
  #gaps = [];
  /** @type {{ from: number, label: string } | null} */
  #open = null;
  #views = [{ zOrder: () => /** @type {const} */ ("bottom"), renderer: () => ({ draw: (/** @type {import("fancy-canvas").CanvasRenderingTarget2D} */ target) => this.#draw(target) }) }];

  /** Called by the library. @param {{ chart: Chart, requestUpdate: () => void }} context */
  attached({ chart, requestUpdate }) {
    this.#chart = chart;
    this.#repaint = requestUpdate;
  }

  /** Called by the library. */
  detached() {
    this.#chart = null;
    this.#repaint = null;
  }

  /** Called by the library. */
  paneViews() {
    return this.#views;
  }

  /** How many bands there are. */
  get count() {
    return this.#gaps.length + (this.#open ? 1 : 0);
  }

  /** Replaces the closed bands. @param {(Gap & { label: string })[]} gaps */
  show(gaps) {
    this.#gaps = gaps;
    this.#repaint?.();
  }

  /**
   * Replaces the band without an end, from the bar that begins at `from` to the edge of the chart.
   * @param {{ from: number, label: string } | null} open
   */
  showOpen(open) {
    if (open?.from === this.#open?.from && open?.label === this.#open?.label) return;
    this.#open = open;
    this.#repaint?.();
  }

  /** @param {number} width of the pane @returns {Band[]} */
  #bands(width) {
    const scale = this.#chart?.timeScale();
    if (!scale) return [];
    const half = scale.options().barSpacing / 2;
    /** @type {Band[]} */
    const bands = [];
    for (const { from, to, label } of this.#gaps) {
      const [left, right] = [scale.timeToCoordinate(timeOf(from)), scale.timeToCoordinate(timeOf(to))];
      if (left !== null && right !== null && right - half > 0 && left + half < width) bands.push({ left: left + half, right: right - half, label });
    }
    const since = this.#open && scale.timeToCoordinate(timeOf(this.#open.from));
    if (this.#open && since !== null && since !== undefined && since + half < width) bands.push({ left: since + half, right: width, label: this.#open.label });
    return bands;
  }

  /** @param {import("fancy-canvas").CanvasRenderingTarget2D} target */
  #draw(target) {
    target.useMediaCoordinateSpace(({ context, mediaSize: { width, height } }) => {
      for (const band of this.#bands(width)) this.#drawBand(context, band, height);
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {Band} band @param {number} height */
  #drawBand(context, { left, right, label }, height) {
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, height);
    context.clip();
    context.fillStyle = context.strokeStyle = colourOf("text-soft");
    context.globalAlpha = 0.07;
    context.fillRect(left, 0, right - left, height);
    context.globalAlpha = 0.22;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = left - height; x < right; x += HATCH_PX) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.stroke();
    context.globalAlpha = 1;
    context.font = `11px ${colourOf("font")}`;
    if (context.measureText(label).width + LABEL_MARGIN_PX <= right - left) {
      context.textAlign = "center";
      context.fillText(label, (left + right) / 2, height - 10);
    }
    context.restore();
  }
}
