// @ts-check
/**
 * The time axis of a chart: the library's, with days and hours of the viewer's time zone instead of UTC.
 *
 * Owns: the labels and weights of the axis. Does not own: the formats (`zone.js`).
 */

import { defaultHorzScaleBehavior, TickMarkType } from "../../node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { formatTime, tickWeight } from "../zone.js";

/** @typedef {import("../protocol.js").Interval} Interval */
/** @typedef {import("lightweight-charts").UTCTimestamp} UTCTimestamp */

/** The narrowest width of a bar, in pixels. */
export const SPACING_LEAST_PX = 0.5;

export class WallClockScale extends defaultHorzScaleBehavior() {
  utc = false;

  /**
   * @override
   * @param {readonly { timeWeight: number, originalTime: unknown }[]} points
   * @param {number} startIndex
   */
  fillWeightsForPoints(points, startIndex) {
    for (let index = startIndex; index < points.length; index += 1) {
      const current = Number(points[index].originalTime);
      const step = points.length > 1 ? Number(points[1].originalTime) - Number(points[0].originalTime) : 60;
      const previous = index > 0 ? Number(points[index - 1].originalTime) : current - step;
      points[index].timeWeight = tickWeight(previous, current, this.utc);
    }
  }
}

/** Returns a time in seconds, as the library counts. @param {number} ts microseconds */
export function timeOf(ts) {
  return /** @type {UTCTimestamp} */ (ts / 1e6);
}

/** Writes a label of the time axis. @param {number} at_s @param {number} type @param {boolean} utc */
function tickLabel(at_s, type, utc) {
  switch (type) {
    case TickMarkType.Year: return formatTime(at_s, "year", utc);
    case TickMarkType.Month: return formatTime(at_s, "month", utc);
    case TickMarkType.DayOfMonth: return formatTime(at_s, "day", utc);
    case TickMarkType.TimeWithSeconds: return formatTime(at_s, "second", utc);
    default: return formatTime(at_s, "minute", utc);
  }
}

/** Returns the options of the axis for an interval. Daily bars are days of UTC, and labelled so. @param {Interval} interval */
export function timeOptions(interval) {
  const utc = interval === "1d";
  const secondsVisible = interval === "1s";
  const clock = secondsVisible ? "second" : "minute";
  return {
    localization: {
      locale: "en-US",
      timeFormatter: (/** @type {number} */ at_s) =>
        utc ? `${formatTime(at_s, "date", utc)} UTC` : `${formatTime(at_s, "date")}  ${formatTime(at_s, clock)}`,
    },
    timeScale: {
      timeVisible: !utc,
      secondsVisible,
      minBarSpacing: SPACING_LEAST_PX,
      tickMarkFormatter: (/** @type {number} */ at_s, /** @type {number} */ type) => tickLabel(at_s, type, utc),
    },
  };
}
