// @ts-check
/**
 * Times in the viewer's time zone. The chart library counts days and hours in UTC; these functions give it the boundaries of days,
 * hours and minutes in the viewer's zone, and the labels. Daily bars are days of UTC and are labelled in UTC.
 *
 * Owns: tick weights and time labels. Does not own: the axis (`chart.js`). Pure but for the time zone of the machine.
 */

import { currentLocale, t } from "./i18n.js";

/** Weights of the library's own scale. If room is short, the labels with the greatest weights are kept. */
const WEIGHT = { year: 70, month: 60, day: 50, none: 0 };
/** Weight by length in seconds, longest first. */
const INTRADAY = /** @type {const} */ ([
  [43_200, 33], [21_600, 32], [10_800, 31], [3_600, 30], [1_800, 22], [300, 21], [60, 20], [1, 10],
]);

/**
 * Returns the milliseconds to add to a moment so that its UTC fields read as the wall clock.
 * @param {number} at_ms
 * @param {boolean} utc
 */
function shifted(at_ms, utc) {
  return utc ? at_ms : at_ms - new Date(at_ms).getTimezoneOffset() * 60_000;
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
  date: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
};
/** Formatters are expensive to create, so they are kept by locale, format and zone. @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();

/** @param {keyof typeof FORMATS} format @param {boolean} utc */
function formatterOf(format, utc) {
  const locale = currentLocale();
  const key = `${locale} ${format} ${utc}`;
  const made = formatters.get(key);
  if (made) return made;
  const formatter = new Intl.DateTimeFormat(locale, { ...FORMATS[format], ...(utc ? { timeZone: "UTC" } : {}) });
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

/** Returns the name of the viewer's zone as it is now, such as "UTC" or "GMT+2". */
export function zoneName() {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(new Date());
  return parts.find((part) => part.type === "timeZoneName")?.value ?? t("local time");
}
