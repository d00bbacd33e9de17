// @ts-check
/**
 * The legend of a chart: open, high, low, close and volume of the bar under the crosshair, and the values of the lines over it.
 *
 * Owns: its elements. Does not own: the figures. Writes changed texts only.
 */

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("../protocol.js").Interval} Interval */
/** @typedef {import("./overlay.js").Overlay} Overlay */

import { element } from "../element.js";
import { directionOf, formatPercent, formatPrice, formatVolume } from "../format.js";
import { t } from "../i18n.js";
import { setData, setText } from "../write.js";
import { formatTime } from "../zone.js";

const NONE = "–";

export class Legend {
  #parts;
  #list;
  /** @type {readonly Overlay[]} */
  #overlays = [];
  /** @type {Element[]} */
  #values = [];
  /** Of a compared symbol: its change, and since when it counts. @type {Element[][]} */
  #changes = [];

  /** @param {HTMLElement} root of the chart */
  constructor(root) {
    this.#parts = root.querySelectorAll("[data-part]");
    this.#list = /** @type {HTMLElement} */ (root.querySelector(".lines"));
  }

  /** Replaces the lines that it names. @param {readonly Overlay[]} overlays */
  setOverlays(overlays) {
    this.#overlays = overlays;
    this.#values = overlays.map(() => element("span", { class: "value" }));
    this.#changes = overlays.map(({ isCompared }) => (isCompared ? [element("b"), element("span")] : []));
    this.#list.replaceChildren(...overlays.map(({ id, label, lines }, index) => {
      const sample = element("span", { class: "sample", "aria-hidden": "true" });
      sample.style.color = `var(--${lines[0].colour})`;
      sample.dataset.style = String(lines[0].style);
      return element("li", { "data-line": id }, sample, `${label} `, this.#changes[index][0] ?? "", " ", this.#values[index], " ", this.#changes[index][1] ?? "");
    }));
  }

  /**
   * @param {readonly Bar[]} bars @param {number} index of the bar, -1 for none @param {Interval} interval
   * @param {number} base the bar since which a comparison counts
   */
  paint(bars, index, interval, base = 0) {
    const bar = bars[index];
    for (const part of this.#parts) {
      const name = part.getAttribute("data-part");
      setText(part, bar ? textOf(name, bar, interval) : NONE);
      if (name !== "time") setData(part, "direction", bar ? directionOf(bar.close - bar.open) : "flat");
    }
    this.#overlays.forEach(({ values }, line) => {
      const texts = values.map((each) => each[index] ?? null).map((value) => (value === null ? NONE : formatPrice(value)));
      setText(this.#values[line], texts.join(" "));
      const [change, since] = this.#changes[line];
      if (!change) return;
      const compared = /** @type {import("./overlay.js").ComparedLine} */ (this.#overlays[line]).at(index, base);
      setText(change, compared ? formatPercent(compared.percent) : "");
      setText(since, bars[base] ? t("since {time}", { time: textOf("time", bars[base], interval) }) : "");
    });
  }
}

/** @param {string | null} part @param {Bar} bar @param {Interval} interval */
export function textOf(part, bar, interval) {
  const at_s = bar.ts / 1e6;
  switch (part) {
    case "time": {
      if (interval === "1d") return formatTime(at_s, "day", true);
      return `${formatTime(at_s, "day")} ${formatTime(at_s, interval === "1s" ? "second" : "minute")}`;
    }
    case "open": return formatPrice(bar.open);
    case "high": return formatPrice(bar.high);
    case "low": return formatPrice(bar.low);
    case "close": return formatPrice(bar.close);
    case "change": return bar.open > 0 ? formatPercent(((bar.close - bar.open) / bar.open) * 100) : NONE;
    case "volume": return formatVolume(bar.volume);
    default: return NONE;
  }
}
