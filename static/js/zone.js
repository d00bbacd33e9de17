// @ts-check
/**
 * Times in the time zone that the viewer has chosen, by default that of the machine. The chart library counts days and hours in UTC; these functions give it the boundaries of days,
 * hours and minutes in the viewer's zone, and the labels. Daily bars are days of UTC and are labelled in UTC.
 *
 * Owns: tick weights and time labels. Does not own: the axis (`chart.js`). Pure but for the setting and the time zone of the machine.
 */

import { currentLocale, t } from "./i18n.js";
import { oneOf, settings } from "./settings.js";

export const zone = settings.define("zone", oneOf(/** @type {const} */ (["local", "UTC", "America/New_York", "Europe/London", "Asia/Seoul"])));

/** Weights of the library's own scale. If room is short, the labels with the greatest weights are kept. */
const WEIGHT = { year: 70, month: 60, day: 50, none: 0 };
/** Weight by length in seconds, longest first. */
const INTRADAY = /** @type {const} */ ([
  [43_200, 33], [21_600, 32], [10_800, 31], [3_600, 30], [1_800, 22], [300, 21], [60, 20], [1, 10],
]);

/** Every zone changes its offset on a quarter of an hour. */
const QUARTER_MS = 900_000;
/** The most offsets that are kept; one for each quarter of an hour of about six weeks. */
const OFFSETS_MAX = 4_096;
/** Offsets from UTC in milliseconds, by zone and quarter of an hour: working one out is expensive. @type {Map<string, number>} */
const offsets = new Map();

/**
 * Returns a moment whose UTC fields read as the wall clock, in milliseconds.
 * @param {number} at_ms
 * @param {boolean} utc
 */
function shifted(at_ms, utc) {
  const name = zone.get();
  if (utc || name === "UTC") return at_ms;
  return at_ms + (name === "local" ? new Date(at_ms).getTimezoneOffset() * -60_000 : offsetOf(name, at_ms));
}

/** @param {string} name of a zone @param {number} at_ms */
function offsetOf(name, at_ms) {
  const quarter = Math.floor(at_ms / QUARTER_MS);
  const key = `${name} ${quarter}`;
  const kept = offsets.get(key);
  if (kept !== undefined) return kept;
  const parts = Object.fromEntries(formatterOf("offset", false).formatToParts(quarter * QUARTER_MS).map(({ type, value }) => [type, Number(value)]));
  const { year, month, day, hour, minute } = parts;
  const offset = Date.UTC(year, month - 1, day, hour, minute) - quarter * QUARTER_MS;
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

/**
 * Returns the weight of the boundary between two neighbouring bars.
 * @param {number} previous_s
 * @param {number} current_s
 * @param {boolean} utc
 */
export function tickWeight(previous_s, current_s, utc) {
  const previous = new Date(shifted(previous_s * 1_000, utc));
  const current = new Date(shifted(current_s * 1_000, utc));
  if (current.getUTCFullYear() !== previous.getUTCFullYear()) return WEIGHT.year;
  if (current.getUTCMonth() !== previous.getUTCMonth()) return WEIGHT.month;
  if (current.getUTCDate() !== previous.getUTCDate()) return WEIGHT.day;
  for (const [length_s, weight] of INTRADAY) {
    const length_ms = length_s * 1_000;
    if (Math.floor(current.getTime() / length_ms) !== Math.floor(previous.getTime() / length_ms)) return weight;
  }
  return WEIGHT.none;
}

const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** @type {Readonly<Record<string, Intl.DateTimeFormatOptions>>} */
const FORMATS = {
  year: { year: "numeric" },
  month: { month: "short" },
  day: { day: "numeric", month: "short" },
  minute: CLOCK,
  second: { ...CLOCK, second: "2-digit" },
  offset: { ...CLOCK, year: "numeric", month: "numeric", day: "numeric", calendar: "gregory", numberingSystem: "latn" },
  date: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
};
/** Formatters are expensive to create, so they are kept by locale, format and zone. @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();

/** @param {keyof typeof FORMATS} format @param {boolean} utc */
function formatterOf(format, utc) {
  const locale = currentLocale();
  const timeZone = utc ? "UTC" : zone.get();
  const key = `${locale} ${format} ${timeZone}`;
  const made = formatters.get(key);
  if (made) return made;
  const formatter = new Intl.DateTimeFormat(locale, { ...FORMATS[format], ...(timeZone === "local" ? {} : { timeZone }) });
  formatters.set(key, formatter);
  return formatter;
}

/**
 * Writes a moment.
 * @param {number} at_s seconds since 1970
 * @param {keyof typeof FORMATS} format
 * @param {boolean} utc
 */
export function formatTime(at_s, format, utc = false) {
  return formatterOf(format, utc).format(at_s * 1_000);
}

/** Returns the name of the chosen zone as it is at a moment, such as "UTC" or "GMT+2". @param {Date} [at] */
export function zoneName(at = new Date()) {
  const name = zone.get();
  // Browsers name this zone by its offset, which nobody in Korea does.
  if ((name === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : name) === "Asia/Seoul") return t("KST");
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short", ...(name === "local" ? {} : { timeZone: name }) }).formatToParts(at);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? t("local time");
}
