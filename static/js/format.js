// @ts-check
/**
 * Formats of numbers. A figure that does not exist yet, as a bid before the first quote, is a dash.
 *
 * Minus is U+2212, which is as wide as plus, so that signed columns line up.
 */

import { currentLanguage } from "./i18n.js";
import { oneOf, settings } from "./settings.js";

/** How great numbers are shortened: `M` and `B`, or 만 and 억; `auto` by the language of the page. */
export const numbers = settings.define("numbers", oneOf(/** @type {const} */ (["auto", "western", "korean"])));

const MINUS = "\u2212";
/** Stands for a figure that does not exist. */
export const NONE = "–";
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const mills = new Intl.NumberFormat("en-US", { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
/** Fractions of a share are exact to a millionth. */
const exact = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });
const hundredths = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

/** Writes a price in dollars: to the cent, and below one dollar to the hundredth of a cent. @param {number | undefined} price */
export function formatPrice(price) {
  if (!isFigure(price)) return NONE;
  const text = Math.abs(price) < 1 && price !== 0 ? mills.format(price) : cents.format(price);
  return price < 0 ? text.replace("-", MINUS) : text;
}

/** Writes a number with its sign (plus too) and two decimals. @param {number | undefined} value */
export function formatSigned(value) {
  if (!isFigure(value)) return NONE;
  const text = cents.format(Math.abs(value));
  if (text === "0.00") return text;
  return (value < 0 ? MINUS : "+") + text;
}

/** Writes a signed percentage. @param {number | undefined} percent */
export function formatPercent(percent) {
  return isFigure(percent) ? `${formatSigned(percent)}%` : NONE;
}

/** Writes a count in full. @param {number} count */
export function formatCount(count) {
  return whole.format(count);
}

/** Writes a number of shares in full. @param {number | undefined} shares */
export function formatShares(shares) {
  return isFigure(shares) ? exact.format(shares) : NONE;
}

/** Writes a volume below ten thousand: whole shares, unless there are so few that fractions matter. @param {number} volume */
function formatFew(volume) {
  return (volume < 1 ? exact : volume < 1e3 ? hundredths : whole).format(volume);
}

const myriads = new Intl.NumberFormat("ko-KR", { notation: "compact", maximumFractionDigits: 1, useGrouping: true });
const axisMyriads = new Intl.NumberFormat("ko-KR", { notation: "compact", maximumSignificantDigits: 3, useGrouping: false });

/** @param {number | undefined} value @returns {value is number} */
function isFigure(value) {
  return value !== undefined && !Number.isNaN(value);
}

function isKorean() {
  const chosen = numbers.get();
  return chosen === "korean" || (chosen === "auto" && currentLanguage() === "ko");
}

/** Writes a volume: in full below a million, in millions or billions from there; in Korean in 만 and 억. @param {number | undefined} volume */
export function formatVolume(volume) {
  if (!isFigure(volume)) return NONE;
  if (isKorean()) return volume < 1e4 ? formatFew(volume) : myriads.format(volume);
  if (volume < 1e6) return formatFew(volume);
  return volume < 1e9 ? `${(volume / 1e6).toFixed(2)}M` : `${(volume / 1e9).toFixed(2)}B`;
}

/** Writes a volume in at most five characters, for an axis. @param {number} volume */
export function formatVolumeShort(volume) {
  if (volume < 10) return hundredths.format(volume);
  if (isKorean()) return volume < 1e4 ? String(Math.round(volume)) : axisMyriads.format(volume);
  if (volume < 1e3) return whole.format(volume);
  for (const [size, unit] of /** @type {const} */ ([[1e9, "B"], [1e6, "M"], [1e3, "K"]])) {
    if (volume >= size) return `${(volume / size).toFixed(volume < size * 10 ? 1 : 0)}${unit}`;
  }
  return "";
}

/** Returns the value of `data-direction`, which the style sheet colours. @param {number | undefined} value */
export function directionOf(value) {
  if (!isFigure(value) || Math.abs(value) < 0.005) return "flat";
  return value > 0 ? "up" : "down";
}

/** Returns the arrow of a direction. @param {number | undefined} value */
export function arrowOf(value) {
  return { up: "\u25B2", down: "\u25BC", flat: "" }[directionOf(value)];
}
