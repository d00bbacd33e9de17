// @ts-check
/**
 * What a line over the bars needs, and a line of the closes of a second symbol.
 */

/** @typedef {import("../candles.js").CandleSeries} CandleSeries */
/** @typedef {import("../protocol.js").Bar} Bar */

/** @typedef {{ before_us: number, volume: number, price: number }} Seed what was traded on the day of a moment, before it */

/**
 * One or more lines over the bars, or below them, that belong together, as a Bollinger band.
 * @typedef {object} Overlay
 * @property {string} id
 * @property {string} label for the legend; not translated
 * @property {boolean} isCompared whether it is another symbol, so that only percentages can be compared
 * @property {boolean} [isApart] whether it has a pane below the bars, as its values are no prices
 * @property {readonly number[]} [levels] values that are marked in its pane
 * @property {readonly { colour: string, style: import("lightweight-charts").LineStyle, isColumns?: boolean }[]} lines `colour` is a custom
 *   property of the page
 * @property {readonly (readonly (number | null)[])[]} values of each line, by the index of the bar; null where there is none
 * @property {(bars: readonly Bar[], from: number) => number} update computes the values of the bars from this index on; returns the index
 *   of the first value that has changed, which may be smaller
 * @property {((bars: readonly Bar[]) => number | null)} [seedBefore] returns the moment before which a seed is needed, or null
 * @property {(seed: Seed) => void} [seed] takes it
 */

/** @implements {Overlay} */
export class ComparedLine {
  isCompared = true;
  lines = [{ colour: "overlay-1", style: /** @type {0} */ (0) }];
  /** @type {(number | null)[][]} */
  values = [[]];
  /** @type {CandleSeries | null} */
  #series = null;
  #seen = -1;
  #revision = -1;

  /** @param {string} symbol */
  constructor(symbol) {
    this.id = symbol;
    this.label = symbol;
  }

  /** Gives it the bars of its symbol, in the interval of the chart; null while there are none. @param {CandleSeries | null} series */
  take(series) {
    if (series === this.#series) return;
    this.#series = series;
    this.#seen = -1;
    this.#revision = -1;
  }

  /** @param {readonly Bar[]} bars @param {number} from @returns {number} */
  update(bars, from) {
    const series = this.#series;
    const changes = series?.changes ?? 0;
    const revision = series?.revision ?? 0;
    let first = from;
    if (revision !== this.#revision) first = 0;
    else if (changes !== this.#seen) first = Math.min(first, Math.max(0, bars.length - 2));
    [this.#seen, this.#revision] = [changes, revision];
    const closes = new Map((series?.bars ?? []).slice(first === 0 ? 0 : first - bars.length - 4).map(({ ts, close }) => [ts, close]));
    this.values[0].length = Math.min(this.values[0].length, first);
    for (let index = this.values[0].length; index < bars.length; index += 1) this.values[0][index] = closes.get(bars[index].ts) ?? null;
    return first;
  }

  /**
   * Returns the close of a bar, and its change in percent since the first close from the bar `base` on, as the axis counts; null if there is none.
   * @param {number} index @param {number} base
   */
  at(index, base) {
    const closes = this.values[0];
    const close = closes[index] ?? null;
    const first = closes.find((value, at) => at >= base && value !== null) ?? null;
    return close === null || first === null || first === 0 ? null : { close, percent: ((close - first) / first) * 100 };
  }
}
