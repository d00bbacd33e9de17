// @ts-check
/**
 * Saves a picture of the charts as a PNG, with a line above that says what it shows.
 *
 * Owns: the picture. Does not own: the charts.
 */

import { colourOf } from "../colours.js";
import { element } from "../element.js";
import { t } from "../i18n.js";
import { formatTime, zoneName } from "../zone.js";

const HEAD_PX = 30;
const MARGIN_PX = 10;
/** The browser may still be reading the file when the click returns. */
const REVOKE_AFTER_MS = 60_000;

/** @typedef {{ canvas: HTMLCanvasElement, left: number, top: number }} Part a chart and its place among the others, in CSS pixels */

/**
 * Returns one picture of several charts.
 * @param {readonly Part[]} parts
 * @param {string} title
 * @param {{ width: number, height: number }} size of all charts together, in CSS pixels
 * @returns {HTMLCanvasElement}
 */
export function pictureOf(parts, title, { width, height }) {
  const ratio = devicePixelRatio;
  const canvas = element("canvas");
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round((height + HEAD_PX) * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = colourOf("panel");
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const part of parts) context.drawImage(part.canvas, Math.round(part.left * ratio), Math.round((part.top + HEAD_PX) * ratio));
  context.scale(ratio, ratio);
  context.fillStyle = colourOf("text");
  context.font = `600 13px ${colourOf("font")}`;
  context.textBaseline = "middle";
  context.fillText(title, MARGIN_PX, HEAD_PX / 2, width - 2 * MARGIN_PX);
  return canvas;
}

/** Returns the line above a picture: what it shows, and when that was. @param {readonly string[]} names @param {number} now_us the market's time, 0 if it is not known */
export function titleOf(names, now_us) {
  const at_s = (now_us || Date.now() * 1e3) / 1e6;
  const replay = document.documentElement.dataset.feed === "replay" ? [t("Replay")] : [];
  return [names.join(", "), `${formatTime(at_s, "date")} ${formatTime(at_s, "second")} ${zoneName()}`, ...replay, "tickcast"].join(" · ");
}

/** Saves a picture as a file. @param {HTMLCanvasElement} canvas @param {readonly string[]} names what it shows */
export function save(canvas, names) {
  const name = names.join("-").replaceAll(" ", "-") || "tickcast";
  canvas.toBlob((blob) => {
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    element("a", { href: url, download: `${name}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
  }, "image/png");
}
