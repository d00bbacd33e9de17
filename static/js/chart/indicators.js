// @ts-check
/**
 * The indicators: over the bars moving averages, the volume-weighted average price of the day, and Bollinger bands; below them the relative
 * strength index and MACD. The library `trading-signals` computes them; this module is loaded when the viewer chooses one.
 *
 * Owns: which there are, and the order of their computation. Pure.
 */

import { MACD } from "../../node_modules/trading-signals/dist/momentum/MACD/MACD.js";
import { RSI } from "../../node_modules/trading-signals/dist/momentum/RSI/RSI.js";
import { EMA } from "../../node_modules/trading-signals/dist/trend/EMA/EMA.js";
import { SMA } from "../../node_modules/trading-signals/dist/trend/SMA/SMA.js";
import { VWAP } from "../../node_modules/trading-signals/dist/trend/VWAP/VWAP.js";
import { BollingerBands } from "../../node_modules/trading-signals/dist/volatility/BBANDS/BollingerBands.js";
import { INTERVAL_US } from "../protocol.js";

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("./overlay.js").Overlay} Overlay */
/** @typedef {import("./overlay.js").Seed} Seed */
/** @typedef {(number | null)[]} Values one for each line */
/** @typedef {{ add: (bar: Bar, isSame: boolean) => Values }} Computation `isSame` when the bar replaces the last one */

/** Styles of lines of the chart library. */
const STYLE = /** @type {const} */ ({ solid: 0, dotted: 1, dashed: 2 });

/** @param {{ update: (price: number, replace: boolean) => number | null, isStable: boolean }} average @returns {Computation} */
function ofCloses(average) {
  return {
    add(bar, isSame) {
      const value = average.update(bar.close, isSame);
      return [average.isStable ? value : null];
    },
  };
}

/** Returns the average price of each day, weighted by volume. Without a seed, a day that begins before the bars has none. @param {Seed | null} seed @returns {Computation} */
function ofDay(seed) {
  let vwap = new VWAP();
  /** @type {number | null} */
  let day = null;
  let isWhole = false;
  return {
    add({ ts, vwap: price, volume }, isSame) {
      const start = dayOf(ts);
      if (start !== day) {
        const isSeeded = day === null && seed?.before_us === ts;
        isWhole = day !== null || ts === start || isSeeded;
        day = start;
        vwap = new VWAP();
        if (isSeeded && seed.volume > 0) vwap.add(candle(seed.price, seed.volume));
      }
      // The library weights the middle of high, low and close; the server knows the exact average of each bar.
      const value = vwap.update(candle(price, volume), isSame);
      return [isWhole ? (value ?? vwap.getResult()) : null];
    },
  };
}

/** @param {number} ts */
function dayOf(ts) {
  return ts - (ts % INTERVAL_US["1d"]);
}

/** @param {number} price @param {number} volume */
function candle(price, volume) {
  return { open: price, high: price, low: price, close: price, volume };
}

/** @param {number} length @param {number} deviations @returns {Computation} */
function ofBands(length, deviations) {
  const bands = new BollingerBands(length, deviations);
  return {
    add(bar, isSame) {
      const result = bands.update(bar.close, isSame);
      return result ? [result.middle, result.upper, result.lower] : [null, null, null];
    },
  };
}

/** Returns the distance of two averages, its own average, and before these the distance of both. @param {number} short @param {number} long @param {number} smoothing @returns {Computation} */
function ofAverages(short, long, smoothing) {
  const signal = new EMA(smoothing);
  const macd = new MACD(new EMA(short), new EMA(long), signal);
  return {
    add(bar, isSame) {
      const result = macd.update(bar.close, isSame);
      return result && signal.isStable ? [result.histogram, result.macd, result.signal] : [null, null, null];
    },
  };
}

/** @typedef {Pick<Overlay, "label" | "lines" | "isApart" | "levels"> & { start: (seed: Seed | null) => Computation, isOfDay?: boolean }} Known */

/** @type {Readonly<Record<string, Known>>} */
const KNOWN = {
  sma20: { label: "SMA 20", lines: [{ colour: "overlay-2", style: STYLE.solid }], start: () => ofCloses(new SMA(20)) },
  sma50: { label: "SMA 50", lines: [{ colour: "overlay-3", style: STYLE.solid }], start: () => ofCloses(new SMA(50)) },
  ema20: { label: "EMA 20", lines: [{ colour: "overlay-4", style: STYLE.dashed }], start: () => ofCloses(new EMA(20)) },
  vwap: { label: "VWAP", lines: [{ colour: "overlay-5", style: STYLE.dashed }], start: ofDay, isOfDay: true },
  bands: {
    label: "BB 20, 2",
    lines: [STYLE.dotted, STYLE.solid, STYLE.solid].map((style) => ({ colour: "overlay-6", style })),
    start: () => ofBands(20, 2),
  },
  rsi14: { label: "RSI 14", isApart: true, levels: [30, 70], lines: [{ colour: "overlay-2", style: STYLE.solid }], start: () => ofCloses(new RSI(14)) },
  macd: {
    label: "MACD 12, 26, 9",
    isApart: true,
    lines: [
      { colour: "overlay-6", style: STYLE.solid, isColumns: true }, { colour: "overlay-3", style: STYLE.solid }, { colour: "overlay-5", style: STYLE.dashed },
    ],
    start: () => ofAverages(12, 26, 9),
  },
};

/** @implements {Overlay} */
class Indicator {
  isCompared = false;
  /** @type {(number | null)[][]} */
  values;
  #start;
  #isOfDay;
  #computation;
  /** @type {Seed | null} */
  #seed = null;
  /** Start of the last bar that was added. */
  #last_ts = -1;

  /** @param {string} id */
  constructor(id) {
    const { label, lines, isApart, levels, start, isOfDay } = KNOWN[id];
    this.id = id;
    this.label = label;
    this.isApart = isApart;
    this.levels = levels;
    this.lines = lines;
    this.values = lines.map(/** @returns {(number | null)[]} */ () => []);
    this.#start = start;
    this.#isOfDay = isOfDay ?? false;
    this.#computation = start(null);
  }

  /** @param {readonly Bar[]} bars @param {number} from @returns {number} */
  update(bars, from) {
    const count = this.values[0].length;
    if (from >= bars.length && count === bars.length) return from;
    // Only the last bar can be replaced.
    const isTail = from > 0 && count > 0 && from >= count - 1 && bars[count - 1]?.ts === this.#last_ts;
    if (!isTail) {
      this.#computation = this.#start(this.#seed);
      for (const line of this.values) line.length = 0;
      this.#last_ts = -1;
    }
    const first = isTail ? count - 1 : 0;
    for (let index = first; index < bars.length; index += 1) {
      const bar = bars[index];
      const values = this.#computation.add(bar, bar.ts === this.#last_ts);
      this.#last_ts = bar.ts;
      for (const [line, value] of values.entries()) this.values[line][index] = value;
    }
    return first;
  }

  /** @param {readonly Bar[]} bars @returns {number | null} */
  seedBefore(bars) {
    const first = bars[0]?.ts;
    const isNeeded = this.#isOfDay && first !== undefined && first !== dayOf(first) && this.#seed?.before_us !== first;
    return isNeeded ? first : null;
  }

  /** @param {Seed} seed */
  seed(seed) {
    this.#seed = seed;
    // Everything is computed again.
    this.#last_ts = -1;
    this.values[0].length = 0;
  }
}

/** Returns the indicator with this name, or null if there is none. @param {string} id @returns {Overlay | null} */
export function indicatorOf(id) {
  return Object.hasOwn(KNOWN, id) ? new Indicator(id) : null;
}
