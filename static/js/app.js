// @ts-check
/**
 * Connects the parts of the live page: messages update the state, the viewer's input changes the subscriptions, and the state is
 * painted once per animation frame at most.
 *
 * Owns: the only state of the page. Does not own: the connection, the figures, any element; each has a module of its own.
 */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./protocol.js").Listing} Listing */

import { ChartView } from "./chart.js";
import { Connection } from "./connection.js";
import { byId } from "./element.js";
import { Heading } from "./heading.js";
import { failureOf, HistoryLoader } from "./history.js";
import { mark, onLanguage, startLanguage } from "./i18n.js";
import { korean } from "./korean/live.js";
import { Link } from "./link.js";
import { Market } from "./market.js";
import { Notice } from "./notice.js";
import { fetchListings } from "./rest.js";
import { Search } from "./search.js";
import { StatusBar } from "./statusbar.js";
import { loadChoices, onOtherTab, saveChoice } from "./storage.js";
import { Timeframes } from "./timeframes.js";
import { TradesPanel } from "./tradespanel.js";
import { FIRST_TEN, firstTen, Watch, WATCH_MAX } from "./watch.js";
import { Watchlist } from "./watchlist.js";
import { WatchNote } from "./watchnote.js";
import { wishesOf } from "./wishes.js";
import { zoneName } from "./zone.js";

const PULSE_MS = 500;
/** The history is fetched without a connection if none is open after this time. */
const PATIENCE_MS = 1_500;
/** How long no `lag` may come before the page subscribes anew, which brings fresh snapshots. */
const LAG_QUIET_MS = 2_000;

const state = {
  /** @type {Listing[]} */
  listings: [],
  watch: new Watch(),
  /** Listed symbols that this run of the server does not trade. @type {Set<string>} */
  unknown: new Set(),
  /** @type {string | null} */
  charted: null,
  interval: /** @type {Interval} */ ("1m"),
  /** Whether to fetch the charted history as soon as the symbol's snapshot has come. */
  isHistoryDue: true,
  /** Start of the bar under the crosshair. @type {number | null} */
  hovered_ts: null,
  isFirstVisit: false,
  isFrameAsked: false,
  /** Whether the next frame repaints the charted symbol even if its figures are unchanged. */
  isStageDue: true,
  /** The epoch whose symbol list is loaded. @type {string | null} */
  listed_epoch: null,
  /** Whether the symbol list is being fetched. */
  isListing: false,
  measured_at_ms: 0,
  market: new Market({ onOpen, onReset, onFollowed, onLag, onUnknown: (symbols) => onUnknown([...state.unknown, ...symbols]) }),
};
const { market, watch } = state;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let lag_timer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience_timer;

const link = new Link(new URL(".", location.href).href, {
  onStatus: requestPaint,
  onFrame(messages, received_us) {
    market.take(messages, received_us, link.clock.best?.offset_us);
    requestPaint();
  },
});
const loader = new HistoryLoader(market.log, {
  position: () => ({ epoch: market.epoch, followed_offset: market.followed.get(state.charted ?? ""), now_us: market.now_us }),
  onSeries(series) {
    market.series = series;
    notice.show("");
    paintStage();
  },
  onError(err) {
    const { phrase, values } = failureOf(err);
    notice.show(phrase, values, true);
  },
});
const notice = new Notice(showHistory);
const connection = new Connection(() => link.retryNow());
const heading = new Heading();
const statusBar = new StatusBar();
const trades = new TradesPanel(market, paintStage);
const note = new WatchNote(undo);
const timeframes = new Timeframes(chooseInterval);
const watchlist = new Watchlist(byId("watchlist"), { onChart: chart, onRemove: remove, onSort });
const chartView = new ChartView(byId("chart"), {
  onHover(ts) {
    if (ts === state.hovered_ts) return;
    state.hovered_ts = ts;
    paintStage();
  },
  async onNeedOlder() {
    if (market.series && (await loader.extend(market.series))) paintStage();
  },
});
const search = new Search(/** @type {HTMLInputElement} */ (byId("search")), byId("search-list"), {
  listings: () => state.listings,
  isListed: (symbol) => watch.own.includes(symbol),
  onChoose: choose,
});

function onOpen() {
  follow();
  paintStage();
  // Another run of the server may trade other symbols.
  if (state.listed_epoch !== market.epoch) void loadListings();
}

/** The chart needs its history again if events of its symbol are lost. @param {ReadonlySet<string> | null} symbols */
function onReset(symbols) {
  state.isHistoryDue ||= symbols?.has(state.charted ?? "") ?? true;
}

/** @param {string} symbol */
function onFollowed(symbol) {
  if (symbol === state.charted && state.isHistoryDue && !document.hidden) loadHistory();
}

function onLag() {
  clearTimeout(lag_timer);
  lag_timer = setTimeout(() => {
    state.isHistoryDue = true;
    link.askAnew();
  }, LAG_QUIET_MS);
}

function loadHistory() {
  clearTimeout(patience_timer);
  if (!state.charted) return;
  state.isHistoryDue = !market.followed.has(state.charted);
  trades.load(state.charted);
  void loader.load(state.charted, state.interval, isChosen(market.series) ? market.series : null);
}

async function loadListings() {
  if (state.isListing) return;
  state.isListing = true;
  try {
    const { epoch } = market;
    state.listings = await fetchListings();
    state.listed_epoch = epoch;
    search.refresh();
  } catch {
    return; // The next `welcome` tries again.
  } finally {
    state.isListing = false;
  }
  const known = new Set(state.listings.map((listing) => listing.symbol));
  if (state.isFirstVisit) {
    watch.adopt(firstTen([...known]));
    if (!known.has(state.charted ?? "")) chart(watch.own[0] ?? null);
  }
  onUnknown(watch.own.filter((symbol) => !known.has(symbol)));
}

/** Marks symbols that this server does not trade. They stay listed, because its next run may trade them. @param {string[]} symbols */
function onUnknown(symbols) {
  state.unknown = new Set(symbols);
  follow();
  arrange();
}

// The viewer's input.

/** Loads the watchlist, which another tab may have changed, edits it and saves it. @param {() => void} edit */
function change(edit) {
  watch.adopt(loadChoices().watch ?? watch.own);
  state.isFirstVisit = false;
  edit();
  saveChoice({ watch: watch.own });
  follow();
  arrange();
}

/** @param {string[]} symbols */
function add(symbols) {
  change(() => {
    const { refused } = watch.add(symbols);
    if (refused.length > 0) note.show(mark("The list is full: {symbols} is not added, {count} symbols is the most."), { symbols: refused.join(", "), count: WATCH_MAX });
  });
  if (!state.charted && watch.shown.length > 0) chart(watch.shown[0]);
}

/** @param {string} symbol */
function remove(symbol) {
  if (!watch.own.includes(symbol)) return;
  /** @type {string | null} */
  let next = null;
  change(() => {
    next = watch.remove(symbol);
    market.forget(symbol);
  });
  note.show(mark("{symbol} is removed."), { symbol }, true);
  if (state.charted === symbol) chart(next);
}

/** Undoes the last removal. */
function undo() {
  /** @type {string | null} */
  let symbol = null;
  change(() => {
    symbol = watch.undo();
  });
  note.show("");
  if (symbol === null) return;
  if (!state.charted) chart(symbol);
  watchlist.focus(symbol);
}

/** Adds a symbol to the watchlist; charts it if it is listed already. @param {string} symbol */
function choose(symbol) {
  if (watch.own.includes(symbol)) chart(symbol);
  else add([symbol]);
  watchlist.reveal(symbol);
}

/** @param {string | null} symbol */
function chart(symbol) {
  if (symbol !== null && symbol === state.charted) return;
  state.charted = symbol;
  watchlist.mark(symbol);
  saveChoice({ charted: symbol });
  showHistory();
}

/** @param {Interval} interval */
function chooseInterval(interval) {
  if (interval === state.interval) return;
  state.interval = interval;
  timeframes.mark(interval);
  saveChoice({ interval });
  showHistory();
}

/** Subscribes to the bars of the charted symbol and fetches its history. Until both are there, the chart is empty. */
function showHistory() {
  clearTimeout(patience_timer);
  loader.cancel();
  follow();
  if (!isChosen(market.series)) market.series = null;
  paintStage();
  if (!state.charted) {
    notice.show(state.listings.length > 0 ? mark("Nothing is charted. Add a symbol to the watchlist.") : "");
    return;
  }
  if (market.series) notice.show("");
  else notice.wait();
  state.isHistoryDue = true;
  if (market.followed.has(state.charted)) loadHistory();
  else patience_timer = setTimeout(loadHistory, PATIENCE_MS);
}

/** Makes the subscriptions those of the symbols that the page shows. */
function follow() {
  const traded = watch.shown.filter((symbol) => !state.unknown.has(symbol));
  const wishes = wishesOf(traded, state.charted, state.interval, document.hidden);
  market.want(wishes);
  link.want(wishes);
  note.leaveOut(Math.max(traded.length - link.symbols_max, 0), link.symbols_max);
}

/** Whether a series is of the charted symbol and interval. @param {import("./candles.js").CandleSeries | null} series */
function isChosen(series) {
  return series !== null && series.symbol === state.charted && series.interval === state.interval;
}

/** @param {string} key */
function onSort(key) {
  watch.sort(key, market.tickers);
  arrange();
}

/** @param {string} symbol */
function nameOf(symbol) {
  return state.listings.find((listing) => listing.symbol === symbol)?.name ?? "";
}

function arrange() {
  watchlist.arrange(watch.shown, nameOf, state.unknown);
  watchlist.mark(state.charted);
  watchlist.markOrder(watch.order);
  byId("watchlist-empty").hidden = watch.shown.length > 0;
  for (const symbol of watch.shown) market.changed.add(symbol);
  paintStage();
}

/** Rewrites the texts that no frame repaints, after the language was switched. */
function relabel() {
  notice.relabel();
  note.relabel();
  byId("zone").textContent = zoneName();
  watchlist.relabel();
  chartView.relabel();
  state.measured_at_ms = 0;
  paintStage();
}

/** Requests a repaint of the charted symbol, even if its figures are unchanged. */
function paintStage() {
  state.isStageDue = true;
  requestPaint();
}

function requestPaint() {
  // A hidden page gets no animation frames, but the viewer sees its title.
  if (document.hidden) paintHead();
  if (state.isFrameAsked) return;
  state.isFrameAsked = true;
  requestAnimationFrame(paint);
}

function paint() {
  state.isFrameAsked = false;
  const now_ms = performance.now();
  paintHead();
  if (state.isStageDue || market.changed.has(state.charted ?? "")) drawStage();
  for (const symbol of market.changed) {
    const ticker = market.tickers.get(symbol);
    if (ticker) watchlist.paint(ticker);
  }
  market.changed.clear();
  if (now_ms - state.measured_at_ms >= PULSE_MS) {
    state.measured_at_ms = now_ms;
    statusBar.paint({
      rate: market.rate.rate(now_ms),
      latency_us: market.latency.median,
      clock: link.clock.best,
      events: market.events,
      holes: market.sequences.holes,
      skipped: market.skipped,
    });
  }
}

/** Paints the state of the connection and the title of the document. */
function paintHead() {
  connection.paint(link.status, performance.now());
  heading.paintTitle(state.charted, market.tickers.get(state.charted ?? ""));
}

/** Paints the charted symbol: heading, chart, legend, tape. */
function drawStage() {
  state.isStageDue = false;
  const { charted, interval } = state;
  const ticker = market.tickers.get(charted ?? "");
  const series = isChosen(market.series) ? market.series : null;
  heading.paint(charted, nameOf(charted ?? ""), ticker);
  chartView.draw(series, ticker?.price ?? series?.newest?.close);
  const hovered = state.hovered_ts === null ? undefined : series?.bars.findLast((bar) => bar.ts === state.hovered_ts);
  heading.paintLegend(hovered ?? series?.newest, interval);
  trades.paint(charted);
}

/** Repaints the countdown and the rate while no message comes. */
function pulse() {
  requestPaint();
  setTimeout(pulse, PULSE_MS);
}

function start() {
  startLanguage(korean);
  onLanguage(relabel);
  const saved = loadChoices();
  state.interval = saved.interval ?? state.interval;
  state.isFirstVisit = saved.watch === null;
  timeframes.mark(state.interval);
  byId("zone").textContent = zoneName();
  watch.adopt(saved.watch ?? FIRST_TEN);
  state.charted = watch.own.find((symbol) => symbol === saved.charted) ?? watch.own[0] ?? null;
  arrange();
  showHistory();
  byId("watchlist-empty").hidden = saved.watch?.length !== 0;
  onOtherTab((choices) => {
    watch.adopt(choices.watch ?? watch.own);
    follow();
    arrange();
  });
  byId("restore").addEventListener("click", () => add(firstTen(state.listings.map((listing) => listing.symbol))));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) follow();
    else showHistory();
  });
  link.start();
  void loadListings();
  pulse();
}

start();
