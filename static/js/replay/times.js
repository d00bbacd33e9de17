// @ts-check
/**
 * Recorded times as text: in New York, where the market is, and in the time zone that the viewer has chosen.
 *
 * Owns: these texts. Does not own: the choice of the zone (`../zone.js`).
 */

import { currentLocale, t } from "../i18n.js";
import { formatTime, zone, zoneName } from "../zone.js";

const MARKET_ZONE = "America/New_York";
const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** @type {Readonly<Record<string, Intl.DateTimeFormatOptions>>} */
const FORMATS = {
  date: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  clock: { ...CLOCK, second: "2-digit" },
  exact: { ...CLOCK, second: "2-digit", fractionalSecondDigits: 3 },
  day: { day: "numeric", month: "short" },
  minute: CLOCK,
};
/** Formatters are expensive to create. @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();

/** @param {keyof typeof FORMATS} format @param {number} ts */
function inMarket(format, ts) {
  const key = `${currentLocale()} ${format}`;
  let formatter = formatters.get(key);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(currentLocale(), { ...FORMATS[format], timeZone: MARKET_ZONE });
    formatters.set(key, formatter);
  }
  return formatter.format(ts / 1_000);
}

/** Returns the date in New York. @param {number} ts microseconds */
export function dateOf(ts) {
  return inMarket("date", ts);
}

/** Returns the time of the day in New York. @param {number} ts @param {boolean} isExact whether with milliseconds */
export function clockOf(ts, isExact) {
  return inMarket(isExact ? "exact" : "clock", ts);
}

/** Returns date and time in New York, as they are spoken. @param {number} ts */
export function spokenOf(ts) {
  return `${dateOf(ts)} ${clockOf(ts, false)} ${t("New York")}`;
}

/** Returns an end of the files, in New York. @param {number} ts */
export function endOf(ts) {
  return `${inMarket("day", ts)} ${inMarket("minute", ts)}`;
}

/** Returns the time in the viewer's own zone, with the day if it is another one there; empty if that zone is New York. @param {number} ts */
export function ownOf(ts) {
  const chosen = zone.get();
  const name = chosen === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : chosen;
  if (name === MARKET_ZONE) return "";
  const day = formatTime(ts / 1e6, "day");
  const time = `${formatTime(ts / 1e6, "second")} ${zoneName(new Date(ts / 1_000))}`;
  return day === inMarket("day", ts) ? time : `${day} ${time}`;
}
