// @ts-check
/**
 * Wires the page together: what came from the socket goes into the state, what the viewer did goes to the socket, and
 * the state is painted once per animation frame.
 *
 * Owns: the only state of the page. Does not own: the socket, the figures, any element; each has a module of its own.
 */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./protocol.js").Listing} Listing */

import { ChartView } from "./chart.js";
import { Connection } from "./connection.js";
import { byId } from "./element.js";
import { Feed } from "./feed.js";
import { Heading } from "./heading.js";
import { failureOf, HistoryLoader } from "./history.js";
import { mark, onLanguage, startLanguage } from "./i18n.js";
import { korean } from "./korean/live.js";
import { Market } from "./market.js";
import { Notice } from "./notice.js";
import { nextOrder, sorted } from "./order.js";
import { INTERVALS } from "./protocol.js";
import { fetchListings } from "./rest.js";
import { Search } from "./search.js";
import { StatusBar } from "./statusbar.js";
import { loadChoices, saveChoices } from "./storage.js";
import { Tape, TAPE_ROWS } from "./tape.js";
import { Watchlist } from "./watchlist.js";
import { wishesOf } from "./wishes.js";
import { zoneName } from "./zone.js";

const FIRST_TEN = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "V", "XOM"];
const WATCH_MAX = 100;
const PULSE_MS = 500;
/** History is shown even without a connection when none came within this time. */
const PATIENCE_MS = 1_500;
/** How long the stream must have been whole again after a `lag` before everything is asked for anew. */
const LAG_QUIET_MS = 2_000;

const state = {
  /** @type {Listing[]} */
  listings: [],
  /** @type {string[]} */
  watch: [],
  /** @type {string | null} */
  charted: null,
  interval: /** @type {Interval} */ ("1m"),
  order: /** @type {import("./order.js").Order} */ ({ key: null, direction: "descending" }),
  /** Whether the charted history must be fetched as soon as the symbol is followed. */
  isHistoryDue: true,
  /** Start of the bar under the crosshair. @type {number | null} */
  hovered_ts: null,
  isFirstVisit: false,
  isFrameAsked: false,
  /** Whether the next frame paints what belongs to the charted symbol, whether it has changed or not. */
  isStageDue: true,
  /** Whether the symbol list is being fetched. */
  isListing: false,
  measured_at_ms: 0,
  market: new Market({ onWelcome, onFollowed, onLag, onUnknown: (symbols) => symbols.forEach(remove) }),
};
const { market } = state;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let lag_timer;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience_timer;

const feed = new Feed(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`, {
  onStatus: requestPaint,
  onFrame(messages, received_us) {
    market.take(messages, received_us, feed.clock.best?.offset_us);
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
const connection = new Connection(() => feed.retryNow());
const heading = new Heading();
const statusBar = new StatusBar();
const tape = new Tape(byId("tape"));
const watchlist = new Watchlist(byId("watchlist"), { onChart: chart, onRemove: remove, onSort: sort });
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
const search = /** @type {HTMLInputElement} */ (byId("search"));
new Search(search, byId("search-list"), {
  listings: () => state.listings,
  isListed: (symbol) => state.watch.includes(symbol),
  onChoose: choose,
});

// What the market brings about.

function onWelcome() {
  paintStage();
  state.isHistoryDue = true;
  if (state.listings.length === 0) void loadListings();
}

/** @param {string} symbol */
function onFollowed(symbol) {
  if (symbol === state.charted && state.isHistoryDue && !document.hidden) loadHistory();
}

function onLag() {
  clearTimeout(lag_timer);
  lag_timer = setTimeout(() => {
    state.isHistoryDue = true;
    feed.askAnew();
  }, LAG_QUIET_MS);
}

function loadHistory() {
  clearTimeout(patience_timer);
  if (!state.charted) return;
  state.isHistoryDue = !market.followed.has(state.charted);
  void loader.load(state.charted, state.interval, isChosen(market.series) ? market.series : null);
}

async function loadListings() {
  if (state.isListing) return;
  state.isListing = true;
  try {
    state.listings = await fetchListings();
  } catch {
    // The next welcome asks again.
    return;
  } finally {
    state.isListing = false;
  }
  const known = new Set(state.listings.map((listing) => listing.symbol));
  for (const symbol of state.watch.filter((listed) => !known.has(listed))) remove(symbol);
  if (state.watch.length === 0 && state.isFirstVisit) restoreFirstTen();
  arrange();
}

// What the viewer does.

/** @param {string[]} symbols */
function add(symbols) {
  const fresh = symbols.filter((symbol) => !state.watch.includes(symbol)).slice(0, WATCH_MAX - state.watch.length);
  if (fresh.length === 0) return;
  state.watch = [...state.watch, ...fresh];
  state.order.key = null;
  follow();
  arrange();
  if (!state.charted) chart(fresh[0]);
}

function restoreFirstTen() {
  const known = state.listings.map((listing) => listing.symbol);
  const first = FIRST_TEN.filter((symbol) => known.includes(symbol));
  add([...first, ...known.filter((symbol) => !first.includes(symbol))].slice(0, FIRST_TEN.length));
}

/** @param {string} symbol */
function remove(symbol) {
  const index = state.watch.indexOf(symbol);
  if (index < 0) return;
  state.watch = state.watch.filter((listed) => listed !== symbol);
  market.forget(symbol);
  if (state.charted === symbol) chart(state.watch[Math.min(index, state.watch.length - 1)] ?? null);
  else follow();
  arrange();
}

/** Adds what was searched for; what is listed already is charted. @param {string} symbol */
function choose(symbol) {
  if (state.watch.includes(symbol)) chart(symbol);
  else add([symbol]);
  watchlist.reveal(symbol);
}

/** @param {string | null} symbol */
function chart(symbol) {
  if (symbol !== null && symbol === state.charted) return;
  state.charted = symbol;
  watchlist.mark(symbol);
  save();
  showHistory();
}

/** @param {Interval} interval */
function chooseInterval(interval) {
  if (interval === state.interval) return;
  state.interval = interval;
  markInterval();
  save();
  showHistory();
}

/** Takes care that the bars of the charted symbol are pushed, and asks for those before. Nothing else is drawn meanwhile. */
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

/** Makes the server send what is shown, and nothing else. */
function follow() {
  const wishes = wishesOf(state.watch, state.charted, state.interval, document.hidden);
  market.want(wishes);
  feed.want(wishes);
}

/** Whether a series is of what the viewer has chosen, so that it may be drawn. @param {import("./candles.js").CandleSeries | null} series */
function isChosen(series) {
  return series !== null && series.symbol === state.charted && series.interval === state.interval;
}

/** Sorts once; the order then stays while prices move, so that no row runs from the pointer. @param {string} key */
function sort(key) {
  state.order = nextOrder(state.order, key);
  state.watch = sorted(state.watch, market.tickers, state.order);
  arrange();
}

function save() {
  saveChoices({ watch: state.watch, charted: state.charted, interval: state.interval });
}

// What the page shows.

/** @param {string} symbol */
function nameOf(symbol) {
  return state.listings.find((listing) => listing.symbol === symbol)?.name ?? "";
}

function arrange() {
  watchlist.arrange(state.watch, nameOf);
  watchlist.mark(state.charted);
  watchlist.markOrder(state.order);
  byId("watchlist-empty").hidden = state.watch.length > 0;
  for (const symbol of state.watch) market.changed.add(symbol);
  save();
  paintStage();
}

function markInterval() {
  for (const button of document.querySelectorAll("#timeframes button")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-interval") === state.interval));
  }
}

/** Writes in another language what no frame paints again. */
function relabel() {
  notice.relabel();
  byId("zone").textContent = zoneName();
  watchlist.relabel();
  chartView.relabel();
  state.measured_at_ms = 0;
  paintStage();
}

/** Paints what belongs to the charted symbol anew. */
function paintStage() {
  state.isStageDue = true;
  requestPaint();
}

function requestPaint() {
  // No frame is painted of a page that is hidden, but its title is seen.
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
      clock: feed.clock.best,
      events: market.events,
      holes: market.sequences.holes,
      skipped: market.skipped,
    });
  }
}

/** Paints what is seen first, or alone: the state of the connection and the title of the document. */
function paintHead() {
  connection.paint(feed.status, performance.now());
  heading.paintTitle(state.charted, market.tickers.get(state.charted ?? ""));
}

/** Paints everything about the charted symbol. */
function drawStage() {
  state.isStageDue = false;
  const { charted, interval } = state;
  const ticker = market.tickers.get(charted ?? "");
  const series = isChosen(market.series) ? market.series : null;
  heading.paint(charted, nameOf(charted ?? ""), ticker);
  chartView.draw(series, ticker?.price ?? series?.newest?.close);
  const hovered = state.hovered_ts === null ? undefined : series?.bars.findLast((bar) => bar.ts === state.hovered_ts);
  heading.paintLegend(hovered ?? series?.newest, interval);
  tape.paint(charted, charted ? market.log.newest(charted, TAPE_ROWS) : []);
}

/** Keeps countdown and rate moving while nothing comes. */
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
  markInterval();
  byId("zone").textContent = zoneName();
  if (saved.charted && saved.watch?.includes(saved.charted)) state.charted = saved.charted;
  add(saved.watch ?? FIRST_TEN);
  showHistory();
  byId("watchlist-empty").hidden = saved.watch?.length !== 0;
  byId("timeframes").addEventListener("click", (event) => {
    const pressed = event.target instanceof HTMLElement ? event.target.dataset.interval : undefined;
    const interval = INTERVALS.find((known) => known === pressed);
    if (interval) chooseInterval(interval);
  });
  byId("restore").addEventListener("click", restoreFirstTen);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    search.focus();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) follow();
    else showHistory();
  });
  feed.start();
  void loadListings();
  pulse();
}

start();
