// @ts-check
/**
 * The charts of the page: the first one, which shows the charted symbol, up to three beside it, and what is drawn over them.
 *
 * Owns: which symbols and intervals they show, their options, the tie of their crosshairs. Does not own: the charted symbol of the
 * watchlist (`app.js`), the subscriptions (`wishes.js`), one chart (`chartcell.js`).
 */

/** @typedef {import("./chart/options.js").Options} Options */
/** @typedef {import("./chart/options.js").Pane} Pane */
/** @typedef {import("./chart/overlay.js").Overlay} Overlay */
/** @typedef {import("./market.js").Market} Market */
/** @typedef {import("./protocol.js").Interval} Interval */

import { address } from "./address.js";
import { chartOptions, linkedOptions, linkOf } from "./chart/options.js";
import { ComparedLine } from "./chart/overlay.js";
import { ChartCell } from "./chartcell.js";
import { ChartTools, fillSymbols } from "./charttools.js";
import { byId, element } from "./element.js";
import { t, translateMarked } from "./i18n.js";
import { INTERVALS } from "./protocol.js";
import { say } from "./say.js";
import { SeriesFeed } from "./seriesfeed.js";
import { Timeframes } from "./timeframes.js";

/** The intervals of the charts that are added beside the first. @type {readonly Interval[]} */
const FURTHER = ["5m", "1h", "1d"];

/**
 * @typedef {object} StageHandlers
 * @property {() => void} onCharts the wanted bars have changed
 * @property {() => void} onPaint the charts must be painted again
 * @property {(interval: Interval) => void} onInterval the viewer has chosen an interval of the first chart
 * @property {() => void} onLayout the viewer has chosen other charts beside the first
 * @property {() => string[]} symbols those of the watchlist
 * @property {(symbol: string) => string} nameOf of its company
 */

/** @typedef {{ cell: ChartCell, compared: SeriesFeed | null, line: ComparedLine | null, lines: Map<string, Overlay | null>, root: HTMLElement }} Held */

export class Stage {
  #market;
  #handlers;
  #grid = byId("charts");
  /** From which the charts beside the first are made. */
  #blank;
  #timeframes = new Timeframes((interval) => this.#handlers.onInterval(interval));
  #tools;
  /** The first one is the first chart. @type {Held[]} */
  #held = [];
  /** @type {string | null} */
  #symbol = null;
  /** @type {Interval} */
  #interval = "1m";
  #options = { ...chartOptions.get(), ...linkedOptions(address.get()) };
  /** Whether the options are being stored. */
  #isStoring = false;
  /** Since when nothing is known, by the market's time; null while the stream is whole. @type {number | null} */
  #blind_ts = null;
  /** @type {typeof import("./chart/indicators.js") | null} */
  #library = null;

  /** @param {Market} market @param {StageHandlers} handlers */
  constructor(market, handlers) {
    this.#market = market;
    this.#handlers = handlers;
    this.#tools = new ChartTools(byId("stage"), {
      onChange: (change) => this.#choose(change),
      onCount: (count) => this.#choose({ panes: resized(this.#options.panes, count - 1) }),
      onFit: () => { for (const { cell } of this.#held) cell.view.fit(); },
      onPicture: () => void this.#save(),
      onTable: () => void this.#table(),
      symbols: () => this.#handlers.symbols(),
      nameOf: (symbol) => this.#handlers.nameOf(symbol),
      charted: () => this.#symbol,
    });
    const first = /** @type {HTMLElement} */ (this.#grid.firstElementChild);
    this.#blank = blankOf(first);
    this.#hold(first);
    chartOptions.subscribe((options) => {
      if (!this.#isStoring) this.#apply({ ...options, ...linkedOptions(address.get()) });
    });
  }

  /** The bars that are needed, the first chart's first. @returns {{ symbol: string, interval: Interval }[]} */
  get charts() {
    const feeds = this.#held.flatMap(({ cell, compared }) => [cell.feed, ...(compared ? [compared] : [])]);
    return feeds.flatMap(({ symbol, interval }) => (symbol === null ? [] : [{ symbol, interval }]));
  }

  /** The symbols and intervals of all charts, the first one's first. @returns {{ charts: string[], intervals: Interval[] }} */
  get layout() {
    const shown = this.#held.map(({ cell }) => cell.feed);
    return { charts: shown.flatMap(({ symbol }) => symbol ?? []), intervals: shown.map(({ interval }) => interval) };
  }

  /** The drawings of all charts, with the elements around them, the first one's first. */
  get drawings() {
    return this.#held.map(({ cell, root }) => ({ view: cell.view, root }));
  }

  /** What a link has of the options. */
  get link() {
    return linkOf(this.#options);
  }

  /** Takes the options of the address, without keeping them for the next visit. @param {Pane[]} [panes] the charts beside the first, if it names them */
  setLinked(panes = this.#options.panes) {
    this.#options = { ...chartOptions.get(), ...linkedOptions(address.get()), panes };
  }

  /** The bars that are needed beside those of the first chart. */
  get further() {
    return this.#symbol === null ? [] : this.charts.slice(1);
  }

  /** Replaces the handlers. @param {StageHandlers} handlers */
  listen(handlers) {
    this.#handlers = handlers;
  }

  /**
   * Draws the charts for the first time, and again after a change of symbol or interval.
   * @param {string | null} symbol
   * @param {Interval} interval
   * @param {boolean} [isRenewed] whether the histories of charts that show these already are fetched again
   */
  show(symbol, interval, isRenewed = true) {
    [this.#symbol, this.#interval] = [symbol, interval];
    this.#timeframes.mark(interval);
    this.#apply(this.#options, isRenewed);
  }

  /** @param {ReadonlySet<string> | null} symbols events of these are lost, or of all */
  lose(symbols) {
    for (const feed of this.#feeds()) feed.lose(symbols);
  }

  /** @param {string} symbol its snapshot came */
  follow(symbol) {
    for (const feed of this.#feeds()) feed.follow(symbol);
  }

  /** @param {boolean} isWhole whether the stream runs */
  setWhole(isWhole) {
    const { now_us } = this.#market;
    const blind_ts = isWhole || now_us === 0 ? null : (this.#blind_ts ?? now_us);
    if (blind_ts === this.#blind_ts) return;
    this.#blind_ts = blind_ts;
    this.#handlers.onPaint();
  }

  /** Draws what has changed. */
  draw() {
    for (const { cell, compared, line } of this.#held) {
      line?.take(compared?.series ?? null);
      cell.draw(this.#blind_ts);
    }
  }

  /** Paints the time left in the open bars. @param {number | null} market_us the market's time; null if it is not known */
  tick(market_us) {
    for (const { cell } of this.#held) cell.tick(this.#blind_ts === null ? market_us : null);
  }

  /** Rewrites what no frame repaints, after the language was switched. */
  relabel() {
    this.#tools.show(this.#options);
    for (const { cell } of this.#held) cell.relabel();
    this.#labelPanes();
  }

  #feeds() {
    return this.#held.flatMap(({ cell, compared }) => (compared ? [cell.feed, compared] : [cell.feed]));
  }

  /** Makes a choice of the viewer's. Others, which may be those of a link, are not stored with it. @param {Partial<Options>} change */
  #choose(change) {
    const before = JSON.stringify(this.layout);
    this.#isStoring = true;
    chartOptions.set({ ...chartOptions.get(), ...change });
    this.#isStoring = false;
    address.follow(linkOf(change));
    if (change.compared !== undefined) say(change.compared === null ? t("No comparison") : t("compared with {symbol}", { symbol: change.compared }));
    this.#apply({ ...this.#options, ...change });
    if (JSON.stringify(this.layout) !== before) this.#handlers.onLayout();
  }

  /** @param {Options} options @param {boolean} isRenewed whether to fetch every history again */
  #apply(options, isRenewed = false) {
    this.#options = options;
    while (this.#held.length > options.panes.length + 1) this.#held.pop()?.cell.remove();
    while (this.#held.length < options.panes.length + 1) this.#add();
    this.#grid.dataset.count = String(this.#held.length);
    this.#tools.show(options);
    this.#labelPanes();
    for (const { cell } of this.#held) {
      cell.view.setKind(options.kind);
      cell.view.setLog(options.isLog);
    }
    this.#wantAll(isRenewed);
    void this.#applyLines();
  }

  /** Sets the symbol and interval of every chart and of the compared symbol in it. @param {boolean} isRenewed */
  #wantAll(isRenewed) {
    const { compared, panes } = this.#options;
    this.#held.forEach((held, index) => {
      const symbol = index === 0 ? this.#symbol : (panes[index - 1].symbol ?? this.#symbol);
      const interval = index === 0 ? this.#interval : panes[index - 1].interval;
      if (isRenewed || !isOf(held.cell.feed, symbol, interval)) held.cell.show(symbol, interval);
      const other = compared === symbol || symbol === null ? null : compared;
      if (other !== null) {
        held.compared ??= new SeriesFeed(this.#market, { onWait() {}, onSeries: () => this.#handlers.onPaint(), onError() {} });
        if (isRenewed || !isOf(held.compared, other, interval)) held.compared.want(other, interval);
      } else {
        held.compared?.want(null, interval);
        held.compared = null;
      }
    });
    this.#handlers.onCharts();
  }

  /** Sets the lines over the bars of every chart. Loads the library of the indicators if one is chosen. */
  async #applyLines() {
    const { indicators } = this.#options;
    if (indicators.length > 0) this.#library ??= await import("./chart/indicators.js");
    const library = this.#library;
    if (indicators !== this.#options.indicators) return;
    for (const held of this.#held) {
      const other = held.compared?.symbol ?? null;
      if (held.line?.id !== other) held.line = other === null ? null : new ComparedLine(other);
      // An indicator knows the day of its symbol, so another symbol has others.
      const kept = held.lines;
      held.lines = new Map(indicators.map((name) => [`${name} ${held.cell.feed.symbol}`, name]).map(([key, name]) => [key, kept.get(key) ?? library?.indicatorOf(name) ?? null]));
      const lines = [held.line, ...held.lines.values()].filter((line) => line !== null);
      held.cell.setOverlays(lines);
    }
  }

  #add() {
    const root = /** @type {HTMLElement} */ (this.#blank.cloneNode(true));
    translateMarked(root);
    this.#grid.append(root);
    const index = this.#held.length - 1;
    const change = (/** @type {Partial<Pane>} */ pane) => {
      const panes = this.#options.panes.map((each, at) => (at === index ? { ...each, ...pane } : each));
      this.#choose({ panes });
    };
    const symbol = /** @type {HTMLSelectElement} */ (root.querySelector(".cell-symbol"));
    symbol.addEventListener("change", () => change({ symbol: symbol.value || null }));
    symbol.addEventListener("focus", () => this.#labelPanes());
    const interval = /** @type {HTMLSelectElement} */ (root.querySelector(".cell-interval"));
    interval.addEventListener("change", () => change({ interval: INTERVALS.find((known) => known === interval.value) ?? "1m" }));
    this.#hold(root);
  }

  async #table() {
    const { cell } = this.#held[0];
    const { openTable } = await import("./chart/barstable.js");
    const { series } = cell.feed;
    if (series) openTable(series.symbol, series.interval, series.bars, cell.compared);
  }

  /** @param {HTMLElement} root */
  #hold(root) {
    const cell = new ChartCell(root, this.#market, {
      onPaint: () => this.#handlers.onPaint(),
      onHover: (ts) => {
        for (const other of this.#held) if (other.cell !== cell) other.cell.cross(ts);
      },
    });
    this.#held.push({ cell, compared: null, line: null, lines: new Map(), root });
  }

  /** Writes the lists of the charts beside the first. */
  #labelPanes() {
    this.#options.panes.forEach(({ symbol, interval }, index) => {
      const root = this.#held[index + 1]?.root;
      if (!root) return;
      const [symbols, intervals] = root.querySelectorAll("select");
      fillSymbols(symbols, this.#symbol ?? "–", this.#handlers.symbols(), symbol);
      symbols.setAttribute("aria-label", t("Symbol of chart {number}", { number: index + 2 }));
      intervals.setAttribute("aria-label", t("Interval of chart {number}", { number: index + 2 }));
      for (const option of intervals.options) option.text = t(option.value);
      intervals.value = interval;
      root.querySelector(".chart")?.setAttribute("aria-label", `${symbol ?? this.#symbol} ${interval}`);
    });
  }

  async #save() {
    const { pictureOf, save, titleOf } = await import("./chart/picture.js");
    const whole = this.#grid.getBoundingClientRect();
    const parts = this.#held.map(({ cell, root }) => {
      const { left, top } = /** @type {Element} */ (root.querySelector(".chart")).getBoundingClientRect();
      return { canvas: cell.view.picture(), left: left - whole.left, top: top - whole.top };
    });
    const names = this.charts.map(({ symbol, interval }) => `${symbol} ${interval}`);
    save(pictureOf(parts, titleOf(names, this.#market.now_us), whole), names);
  }
}

/** Returns the elements of a chart like the first, which is still empty and in English, with lists of symbols and intervals above. @param {HTMLElement} first */
function blankOf(first) {
  const blank = /** @type {HTMLElement} */ (first.cloneNode(true));
  for (const each of blank.querySelectorAll("[id]")) each.removeAttribute("id");
  blank.querySelector(".chart")?.removeAttribute("aria-labelledby");
  const intervals = INTERVALS.map((interval) => element("option", { value: interval }, interval));
  blank.prepend(element("div", { class: "cell-head" }, element("select", { class: "cell-symbol" }), element("select", { class: "cell-interval" }, ...intervals)));
  return blank;
}

/** Whether a feed has this symbol and interval. @param {SeriesFeed} feed @param {string | null} symbol @param {Interval} interval */
function isOf(feed, symbol, interval) {
  return feed.symbol === symbol && feed.interval === interval;
}

/** Returns as many panes as wanted: those that there are, and further ones of longer intervals. @param {readonly Pane[]} panes @param {number} count @returns {Pane[]} */
export function resized(panes, count) {
  return FURTHER.slice(0, count).map((interval, index) => panes[index] ?? { symbol: null, interval });
}
