// @ts-check
/**
 * Connects the parts of the live page after the first chart is drawn: messages update the state, the viewer's input changes the
 * subscriptions, and the state is painted in an animation frame, 12 times a second at most.
 *
 * Owns: the only state of the page. Does not own: the connection, the figures, any element; each has a module of its own.
 */

/** @typedef {import("./protocol.js").Interval} Interval */

import { address } from "./address.js";
import { AlertPanel } from "./alertpanel.js";
import { listenForPaper } from "./chart/paper.js";
import { nowMicros } from "./clock.js";
import { Connection } from "./connection.js";
import { byId } from "./element.js";
import { market, stage } from "./firstchart.js";
import { Heading } from "./heading.js";
import { HeatMap } from "./heatmap.js";
import { isLost, Link } from "./link.js";
import { RateMeter } from "./meter.js";
import { Replaying } from "./replaying.js";
import { PaceSlider, paceOf, usualPace } from "./pace.js";
import { t } from "./i18n.js";
import { say } from "./say.js";
import { settings } from "./settings.js";
import { StatusBar } from "./statusbar.js";
import { loadChoices, saveChoice } from "./storage.js";
import { TradesPanel } from "./tradespanel.js";
import { lookForUpdate } from "./version.js";
import { onRelabel } from "./viewer.js";
import { WatchPanel } from "./watchpanel.js";
import { lacking, wishesOf } from "./wishes.js";
import { zoneName } from "./zone.js";

const PULSE_MS = 500;
/** The least time between two paintings. The eye reads no figure that changes more often, and each one costs the browser a layout of the page. */
const PAINT_MS = 80;
/** The list of symbols is fetched without a connection if none is open after this time. */
const PATIENCE_MS = 1_500;
/** The time between two looks for symbols that the server has added. */
const NEW_SYMBOLS_MS = 5_000;
/** How long no `lag` may come before the page subscribes anew, which brings fresh snapshots. */
const LAG_QUIET_MS = 2_000;
/** How often the figures of the day are fetched anew. */
const RENEW_MS = 10_000;
/** The sparklines are fetched after this time even if there is no chart. */
const SPARKS_MS = 5_000;

/** The height of the head that stays above a page that scrolls, at most. */
const HEAD_PX = 96;

const state = {
  /** @type {string | null} */
  charted: null,
  interval: /** @type {Interval} */ ("1m"),
  /** What is charted if the address does not say. */
  first: { charted: /** @type {string | null} */ (null), interval: /** @type {Interval} */ ("1m") },
  isFrameAsked: false,
  painted_at_ms: Number.NEGATIVE_INFINITY,
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer: undefined,
  /** Whether the next frame repaints the charted symbol even if its figures are unchanged. */
  isStageDue: true,
  measured_at_ms: 0,
  /** The received bytes that are counted. */
  bytes: 0,
  /** Why the server has refused a subscription; empty if it has not. */
  refusal: "",
  /** The merged events when the figures of the day were last fetched anew, and the time of that. */
  renewed: { merged: 0, at_ms: 0 },
};
/** Bytes of messages a second. */
const byteRate = new RateMeter();

/** @type {ReturnType<typeof setTimeout> | undefined} */
let lag_timer;
const link = new Link(new URL(".", location.href).href, {
  onStatus: requestPaint,
  onFrame(messages, received_us) {
    market.take(messages, received_us, link.clock.best?.offset_us);
    byteRate.add(link.bytes - state.bytes, performance.now());
    state.bytes = link.bytes;
    requestPaint();
  },
  onRefused(message) {
    state.refusal = message;
    follow();
  },
});
const connection = new Connection(link);
const heading = new Heading();
const replaying = new Replaying(market, requestPaint, () => !isLost(link.status));
const statusBar = new StatusBar();
const trades = new TradesPanel(market, paintStage);
const panel = new WatchPanel(market, {
  onChart: chart,
  charted: () => state.charted,
  onSight: follow,
  hasAlert: (symbol) => alerts.hasAlert(symbol),
  link: () => address.link({ symbols: [...panel.own], ...stage.layout, ...stage.link, sort: panel.sort, hz: pace.pace }),
});
const heat = new HeatMap(market.tickers, {
  listings: () => panel.listings.all,
  onSymbols: follow,
  onChart: chart,
  nameOf: (symbol) => panel.nameOf(symbol),
});
const alerts = new AlertPanel(market.tickers, {
  charted: () => state.charted,
  listings: () => panel.listings.all,
  onChart: chart,
  onChange() {
    follow();
    panel.arrange();
  },
});
market.onFigures = (now, before) => alerts.take(now, before);
const paceSetting = settings.define("hz", paceOf);
const pace = new PaceSlider(address.get().hz ?? paceSetting.get() ?? usualPace(/** @type {{ connection?: { saveData?: boolean } }} */ (navigator).connection), (chosen) => {
  paceSetting.set(chosen);
  if (address.get().hz !== null) address.replace({ hz: chosen });
  follow();
});

function onOpen() {
  state.refusal = "";
  replaying.look();
  follow();
  paintStage();
  void lookForUpdate(market.epoch);
  // Another run of the server may trade other symbols.
  void panel.load(market.epoch);
}

/** The charts need their history again if events of their symbols are lost. @param {ReadonlySet<string> | null} symbols */
function onReset(symbols) {
  stage.lose(symbols);
  if (symbols !== null) return;
  panel.renewSparks();
  trades.clear();
}

/** @param {string} symbol */
function onFollowed(symbol) {
  stage.follow(symbol);
  if (symbol === state.charted && !document.hidden) fillTape(symbol);
}

/** Fetches the past trades of a symbol, which a key must permit whole. @param {string} symbol */
function fillTape(symbol) {
  if (link.limits.max_hz === undefined && lacking(link.limits).length === 0) trades.load(symbol);
}

function onLag() {
  clearTimeout(lag_timer);
  lag_timer = setTimeout(() => {
    stage.lose(null);
    link.askAnew();
  }, LAG_QUIET_MS);
}

// The viewer's input.

/** @param {string | null} symbol */
function chart(symbol) {
  if (symbol !== null && symbol === state.charted) return;
  state.charted = symbol;
  panel.mark();
  if (symbol !== null) say(t("{symbol} is charted", { symbol }));
  saveChoice({ charted: symbol });
  showHistory();
  address.push(stage.layout);
  offerChart();
}

/** Looks for the chart that is offered. @type {IntersectionObserver | undefined} */
let seen;

/** Offers to go to the chart if its symbol and price are out of sight, as on a phone, until they are seen. */
function offerChart() {
  const button = byId("to-chart");
  const title = byId("title");
  button.hidden = title.getBoundingClientRect().bottom > HEAD_PX;
  seen?.disconnect();
  if (button.hidden) return;
  seen = new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    button.hidden = true;
    observer.disconnect();
  }, { rootMargin: `-${HEAD_PX}px 0px 0px` });
  seen.observe(title);
  button.onclick = () => byId("stage").scrollIntoView();
}

/** @param {Interval} interval */
function chooseInterval(interval) {
  if (interval === state.interval) return;
  state.interval = interval;
  saveChoice({ interval });
  showHistory();
  address.push(stage.layout);
}

/**
 * Shows the charts of the address; what it does not name is as it was when the page was loaded.
 * @param {boolean} isRenewed whether the histories of charts that are shown already are fetched again
 */
function applyAddress(isRenewed) {
  const { charts, intervals } = address.get();
  state.charted = charts[0] ?? state.first.charted;
  state.interval = intervals[0] ?? state.first.interval;
  stage.setLinked(charts.length > 0 ? charts.slice(1).map((symbol, index) => ({ symbol, interval: intervals[index + 1] ?? "1m" })) : undefined);
  panel.mark();
  showHistory(isRenewed);
}

/** Shows the charted symbol. Until its bars are there, the chart is empty. */
function showHistory(isRenewed = true) {
  stage.show(state.charted, state.interval, isRenewed);
  if (state.charted) fillTape(state.charted);
}

/** Makes the subscriptions those of the symbols that the page shows. */
function follow() {
  const { seen, unseen } = panel.sight;
  const wishes = wishesOf({
    charted: state.charted, interval: state.interval, isHidden: document.hidden, seen, unseen: [...unseen, ...heat.symbols], pace: pace.pace, watched: alerts.watched, further: stage.further,
  });
  const asked = link.want(wishes);
  market.want(asked);
  panel.note.leaveOut(Math.max(asked.size - link.symbols_max, 0), link.symbols_max);
  panel.note.explain(state.refusal, lacking(link.limits));
}

/** Rewrites the texts that no frame repaints, after the language was switched. */
function relabel() {
  byId("zone").textContent = zoneName();
  panel.relabel();
  alerts.relabel();
  pace.relabel();
  heat.relabel();
  replaying.relabel();
  state.measured_at_ms = 0;
  paintStage();
}

/** Requests a repaint of the charted symbol at once, even if its figures are unchanged: the viewer may have pointed at a bar. */
function paintStage() {
  state.isStageDue = true;
  askFrame();
}

/** Requests a repaint soon. */
function requestPaint() {
  // A hidden page gets no animation frames, but the viewer sees its title.
  if (document.hidden) paintHead();
  if (!state.isFrameAsked) state.timer ??= setTimeout(askFrame, state.painted_at_ms + PAINT_MS - performance.now());
}

function askFrame() {
  clearTimeout(state.timer);
  state.timer = undefined;
  if (state.isFrameAsked) return;
  state.isFrameAsked = true;
  requestAnimationFrame(paint);
}

function paint() {
  state.isFrameAsked = false;
  const now_ms = performance.now();
  state.painted_at_ms = now_ms;
  paintHead();
  stage.setWhole(link.status.state === "live" || link.status.state === "moving");
  if (state.isStageDue || stage.charts.some(({ symbol }) => market.changed.has(symbol))) drawStage();
  stage.tick(market.timeAt(nowMicros() + (link.clock.best?.offset_us ?? Number.NaN)));
  if (panel.paint(market.changed, now_ms)) requestPaint();
  heat.paint(market.changed);
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
      isLost: isLost(link.status),
    });
  }
}

/** Paints the state of the connection and the title of the document. */
function paintHead() {
  connection.paint(performance.now(), replaying.kind);
  const charted = state.charted ?? "";
  const lost = isLost(link.status);
  heading.paintTitle(state.charted, market.tickers.get(charted), market.ages.silence(charted, performance.now(), lost), lost, replaying.kind === "replay");
}

/** Paints the charted symbol: heading, chart, legend, tape. */
function drawStage() {
  state.isStageDue = false;
  const { charted } = state;
  heading.paint(charted, panel.nameOf(charted ?? ""), market.tickers.get(charted ?? ""));
  stage.draw();
  trades.paint(charted);
}

/**
 * Requests fresh snapshots where events were merged: the day's volume, high and low include the merged ones, which no event tells. With
 * a key that has a rate the bars are fetched anew, too.
 */
function renew() {
  const now_ms = performance.now();
  if (document.hidden || market.merged === state.renewed.merged || now_ms - state.renewed.at_ms < RENEW_MS) return;
  state.renewed = { merged: market.merged, at_ms: now_ms };
  if (link.limits.max_hz !== undefined) stage.lose(null);
  link.askAnew();
}

/** Repaints the countdown and the rate while no message comes. */
function pulse() {
  renew();
  // What the chart needs is fetched first.
  if (Number(byId("chart").dataset.bars) > 0 || performance.now() > SPARKS_MS) panel.startSparks();
  panel.tick(performance.now(), isLost(link.status));
  alerts.tick();
  requestPaint();
  setTimeout(pulse, PULSE_MS);
}

/** Follows a key that works wherever the focus is, unless it is typed into a field. @param {KeyboardEvent} event */
function onKey(event) {
  const { key, target, ctrlKey, metaKey } = event;
  const isTyped = target instanceof Element && target.matches("input:not([type=checkbox], [type=radio], [type=range]), select");
  if (isTyped || ctrlKey || metaKey || document.querySelector("dialog[open]")) return;
  if (replaying.takeKey(event)) event.preventDefault();
  if (key === "?") void showKeys();
  if (key !== "/") return;
  // Firefox would open its own search.
  event.preventDefault();
  byId("search").focus();
}

async function showKeys() {
  const { openKeys } = await import("./keyshelp.js");
  openKeys();
}

/** Takes over the page. */
export function goLive() {
  market.listen({ onOpen, onReset, onFollowed, onLag, onUnknown: (symbols) => panel.addUnknown(symbols) });
  stage.listen({ onCharts: follow, onPaint: paintStage, onInterval: chooseInterval, onLayout: () => address.push(stage.layout), symbols: () => panel.traded, nameOf: (symbol) => panel.nameOf(symbol) });
  onRelabel(relabel);
  listenForPaper(() => stage.drawings);
  pace.relabel();
  alerts.relabel();
  byId("zone").textContent = zoneName();
  state.first = { charted: panel.start(), interval: loadChoices().interval ?? state.interval };
  state.charted = state.first.charted;
  panel.arrange();
  applyAddress(false);
  address.onBack(() => applyAddress(true));
  document.addEventListener("keydown", onKey);
  byId("share").addEventListener("click", () => void panel.share());
  const skips = { "#chart": "#chart", "#watchlist": "#watchlist tbody [tabindex='0']" };
  for (const [href, target] of Object.entries(skips)) {
    // Without a step of the browser's history, which would restore charts.
    document.querySelector(`.skip [href="${href}"]`)?.addEventListener("click", (event) => {
      event.preventDefault();
      /** @type {HTMLElement | null} */ (document.querySelector(target))?.focus();
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) follow();
    else showHistory();
  });
  link.start();
  setTimeout(() => void panel.load(market.epoch), PATIENCE_MS);
  setInterval(() => {
    if (!document.hidden) void panel.refresh();
  }, NEW_SYMBOLS_MS);
  pulse();
}
