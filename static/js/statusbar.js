// @ts-check
/**
 * The bar of measurements: event rate, latency, number of events, holes.
 *
 * Owns: those elements. Does not own: the measuring (`meter.js`, `clock.js`, `sequences.js`).
 */

/** @typedef {import("./clock.js").Estimate} Estimate */

import { formatBytes } from "./bytes.js";
import { describeLatency } from "./clock.js";
import { formatCount } from "./format.js";
import { t } from "./i18n.js";
import { setData, setText } from "./write.js";

/**
 * @typedef {object} Measurements
 * @property {number} rate events a second
 * @property {number | null} latency_us median
 * @property {Estimate | null} clock
 * @property {number} events
 * @property {number} holes
 * @property {number} skipped by the server's `lag` messages
 * @property {number} byte_rate bytes of messages a second
 * @property {number} merged events that newer ones have replaced
 * @property {boolean} isLost whether there is no connection
 */

export class StatusBar {
  #rate = document.querySelector("#rate");
  #latency = document.querySelector("#latency");
  #events = document.querySelector("#events");
  #holes = document.querySelector("#holes");
  #bytes = document.querySelector("#bytes");
  #merged = document.querySelector("#merged");

  /** @param {Measurements} measured */
  paint({ rate, latency_us, clock, events, holes, skipped, byte_rate, merged, isLost }) {
    setText(this.#bytes, t("{bytes}/s", { bytes: formatBytes(byte_rate) }));
    setText(this.#merged, formatCount(merged));
    setData(this.#merged, "count", String(merged));
    setText(this.#rate, t("{rate}/s", { rate: formatCount(rate) }));
    setText(this.#latency, describeLatency(latency_us, clock));
    setText(this.#events, formatCount(events));
    setData(this.#events, "count", String(events));
    setText(this.#holes, holesOf(holes, skipped, isLost));
    setData(this.#holes, "count", String(holes));
    if (clock && this.#latency instanceof HTMLElement) {
      const error = (clock.error_us / 1_000).toFixed(1);
      const ahead = (clock.offset_us / 1_000).toFixed(1);
      const title = t("Median of the last 512 events, from the server's stamp to this page. Server clock {ahead} ms ahead, known to ±{error} ms.", { ahead, error });
      if (this.#latency.title !== title) this.#latency.title = title;
    }
  }
}

/** Returns the number of holes as text. Without a connection nobody knows what is missed. @param {number} holes @param {number} skipped @param {boolean} isLost */
export function holesOf(holes, skipped, isLost) {
  const counts = { holes: formatCount(holes), skipped: formatCount(skipped) };
  const text = skipped > 0 ? t("{holes} ({skipped} skipped)", counts) : counts.holes;
  return isLost ? t("{holes}, now unknown", { holes: text }) : text;
}
