// @ts-check
/**
 * Reads a chart by keyboard: the left and the right arrow move the crosshair from bar to bar, and a screen reader speaks the bar. Home and
 * End go to the oldest and the newest, Page Up and Page Down go a page, which `keys.js` scrolls; Escape hides the crosshair.
 *
 * Owns: these keys, the spoken text. Does not own: the crosshair (`chart.js`), the other keys (`keys.js`).
 */

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("../protocol.js").Interval} Interval */

import { formatCount, formatPercent, formatPrice } from "../format.js";
import { t } from "../i18n.js";
import { setText } from "../write.js";
import { formatTime } from "../zone.js";

/** How far a page goes. */
export const PAGE_BARS = 50;

/**
 * @typedef {object} Walked
 * @property {() => readonly Bar[]} bars
 * @property {() => Interval} interval
 * @property {(bar: Bar) => string} more what is spoken after the bar; empty for nothing
 * @property {(ts: number | null) => void} cross shows the crosshair on a bar, and the bar if it is out of sight
 */

/** Returns a bar as a sentence. @param {Bar} bar @param {Interval} interval */
export function spokenBar(bar, interval) {
  const at_s = bar.ts / 1e6;
  const day = formatTime(at_s, "day", interval === "1d");
  const time = interval === "1d" ? day : `${day} ${formatTime(at_s, interval === "1s" ? "second" : "minute")}`;
  return t("{time}: open {open}, high {high}, low {low}, close {close}, change {change}, volume {volume}", {
    time, open: formatPrice(bar.open), high: formatPrice(bar.high), low: formatPrice(bar.low), close: formatPrice(bar.close),
    change: formatPercent(bar.open > 0 ? ((bar.close - bar.open) / bar.open) * 100 : 0), volume: formatCount(bar.volume),
  });
}

/**
 * Listens for the keys on a chart.
 * @param {HTMLElement} chart
 * @param {Walked} walked
 */
export function listenForWalk(chart, { bars, interval, more, cross }) {
  const spoken = document.querySelector("#chart-spoken");
  /** The start of the bar that was spoken last. @type {number | null} */
  let at = null;
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.target !== chart || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = bars();
    const next = all.length === 0 ? undefined : targetOf(event.key, all, at);
    if (next === undefined) return;
    event.preventDefault();
    at = next?.ts ?? null;
    cross(at);
    setText(spoken, next ? [spokenBar(next, interval()), more(next)].filter(Boolean).join("; ") : "");
  };
  chart.addEventListener("keydown", onKey);
  chart.addEventListener("blur", () => {
    if (at !== null) cross(null);
    at = null;
    setText(spoken, "");
  });
}

/**
 * Returns the bar that a key goes to, null for none, undefined if the key does nothing.
 * @param {string} key
 * @param {readonly Bar[]} bars not empty
 * @param {number | null} at the start of the present one
 */
export function targetOf(key, bars, at) {
  const last = bars.length - 1;
  const present = at === null ? null : bars.findLastIndex((bar) => bar.ts <= at);
  switch (key) {
    case "ArrowLeft": return bars[present === null ? last : Math.max(0, present - 1)];
    case "ArrowRight": return bars[present === null ? last : Math.min(last, present + 1)];
    case "PageUp": return bars[Math.max(0, (present ?? last) - PAGE_BARS)];
    case "PageDown": return bars[Math.min(last, (present ?? last) + PAGE_BARS)];
    case "Home": return bars[0];
    case "End": return bars[last];
    case "Escape": return at === null ? undefined : null;
    default: return undefined;
  }
}
