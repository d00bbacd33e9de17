// @ts-check
/**
 * Connects the parts of the live page: messages update the state, the viewer's input changes the subscriptions, and the state is
 * painted once per animation frame at most.
 *
 * Owns: the only state of the page. Does not own: the connection, the figures, any element; each has a module of its own.
 */

/** @typedef {import("./protocol.js").Interval} Interval */

import { address } from "./address.js";
import { ChartView } from "./chart.js";
import { Connection } from "./connection.js";
import { byId } from "./element.js";
import { Heading } from "./heading.js";
import { failureOf, HistoryLoader } from "./history.js";
import { mark } from "./i18n.js";
import { korean } from "./korean/live.js";
import { Link } from "./link.js";
import { Market } from "./market.js";
import { RateMeter } from "./meter.js";
import { Notice } from "./notice.js";
import { PaceSlider, paceOf, usualPace } from "./pace.js";
import { settings } from "./settings.js";
import { StatusBar } from "./statusbar.js";
import { loadChoices, saveChoice } from "./storage.js";
import { Timeframes } from "./timeframes.js";
import { TradesPanel } from "./tradespanel.js";
import { startViewer } from "./viewer.js";
import { WatchPanel } from "./watchpanel.js";
import { wishesOf } from "./wishes.js";
import { zoneName } from "./zone.js";

const PULSE_MS = 500;
/** The history is fetched without a connection if none is open after this time. */
const PATIENCE_MS = 1_500;
/** How long no `lag` may come before the page subscribes anew, which brings fresh snapshots. */
const LAG_QUIET_MS = 2_000;
/** How often the figures of the day are fetched anew. */
const RENEW_MS = 10_000;

const state = {
  /** @type {string | null} */
  charted: null,
  interval: /** @type {Interval} */ ("1m"),
  /** Whether to fetch the charted history as soon as the symbol's snapshot has come. */
  isHistoryDue: true,
  /** Start of the bar under the crosshair. @type {number | null} */
  hovered_ts: null,
  isFrameAsked: false,
  /** Whether the next frame repaints the charted symbol even if its figures are unchanged. */
  isStageDue: true,
  measured_at_ms: 0,
  /** The received bytes that are counted. */
  bytes: 0,
  /** The merged events when the figures of the day were last fetched anew, and the time of that. */
  renewed: { merged: 0, at_ms: 0 },
  market: new Market({ onOpen, onReset, onFollowed, onLag, onUnknown: (symbols) => panel.addUnknown(symbols) }),
};
const { market } = state;
/** Bytes of messages a second. */
const byteRate = new RateMeter();

/** @type {ReturnType<typeof setTimeout> | undefined} */
let lag_timer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience_timer;

const link = new Link(new URL(".", location.href).href, {
  onStatus: requestPaint,
  onFrame(messages, received_us) {
    market.take(messages, received_us, link.clock.best?.offset_us);
    byteRate.add(link.bytes - state.bytes, performance.now());
    state.bytes = link.bytes;
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
const connection = new Connection(link);
const heading = new Heading();
const statusBar = new StatusBar();
const trades = new TradesPanel(market, paintStage);
const timeframes = new Timeframes(chooseInterval);
const panel = new WatchPanel(market.tickers, {
  onChart: chart,
  charted: () => state.charted,
  onRows() {
    follow();
    for (const symbol of panel.traded) market.changed.add(symbol);
    paintStage();
  },
  onRemoved: (symbol) => market.forget(symbol),
});
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
const paceSetting = settings.define("hz", paceOf);
const pace = new PaceSlider(address.get().hz ?? paceSetting.get() ?? usualPace(/** @type {{ connection?: { saveData?: boolean } }} */ (navigator).connection), (chosen) => {
  paceSetting.set(chosen);
  if (address.get().hz !== null) address.replace({ hz: chosen });
  follow();
});

function onOpen() {
  follow();
  paintStage();
  // Another run of the server may trade other symbols.
  void panel.load(market.epoch);
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

// The viewer's input.

/** @param {string | null} symbol */
function chart(symbol) {
  if (symbol !== null && symbol === state.charted) return;
  state.charted = symbol;
  panel.mark();
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
    notice.show(panel.listings.length > 0 ? mark("Nothing is charted. Add a symbol to the watchlist.") : "");
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
  const { traded } = panel;
  const wishes = wishesOf({
    charted: state.charted, interval: state.interval, isHidden: document.hidden, seen: traded, unseen: [], pace: pace.pace, watched: new Map(),
  });
  market.want(wishes);
  link.want(wishes);
  panel.note.leaveOut(Math.max(traded.length - link.symbols_max, 0), link.symbols_max);
}

/** Whether a series is of the charted symbol and interval. @param {import("./candles.js").CandleSeries | null} series */
function isChosen(series) {
  return series !== null && series.symbol === state.charted && series.interval === state.interval;
}

/** Rewrites the texts that no frame repaints, after the language was switched. */
function relabel() {
  notice.relabel();
  byId("zone").textContent = zoneName();
  panel.relabel();
  pace.relabel();
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
  panel.paint(market.changed);
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
      byte_rate: byteRate.rate(now_ms),
      merged: market.merged,
    });
  }
}

/** Paints the state of the connection and the title of the document. */
function paintHead() {
  connection.paint(performance.now());
  heading.paintTitle(state.charted, market.tickers.get(state.charted ?? ""));
}

/** Paints the charted symbol: heading, chart, legend, tape. */
function drawStage() {
  state.isStageDue = false;
  const { charted, interval } = state;
  const ticker = market.tickers.get(charted ?? "");
  const series = isChosen(market.series) ? market.series : null;
  heading.paint(charted, panel.nameOf(charted ?? ""), ticker);
  chartView.draw(series, ticker?.price ?? series?.newest?.close);
  const hovered = state.hovered_ts === null ? undefined : series?.bars.findLast((bar) => bar.ts === state.hovered_ts);
  heading.paintLegend(hovered ?? series?.newest, interval);
  trades.paint(charted);
}

/**
 * Requests fresh snapshots where events were merged: the day's volume, high and low include the merged ones, which no event tells.
 */
function renew() {
  const now_ms = performance.now();
  if (document.hidden || market.merged === state.renewed.merged || now_ms - state.renewed.at_ms < RENEW_MS) return;
  state.renewed = { merged: market.merged, at_ms: now_ms };
  link.askAnew();
}

/** Repaints the countdown and the rate while no message comes. */
function pulse() {
  renew();
  requestPaint();
  setTimeout(pulse, PULSE_MS);
}

function start() {
  startViewer(korean, relabel);
  const saved = loadChoices();
  state.interval = saved.interval ?? state.interval;
  timeframes.mark(state.interval);
  byId("zone").textContent = zoneName();
  state.charted = panel.start();
  panel.arrange();
  showHistory();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) follow();
    else showHistory();
  });
  link.start();
  void panel.load(null);
  pulse();
}

start();
