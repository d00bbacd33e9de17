// @ts-check
/**
 * The embedded ticker: the last prices of a few symbols, and the line of one of them over 24 hours.
 *
 * Owns: the elements of `embed.html`. Does not own: connections (`clients/js/`), tickers (`ticker.js`), the line (`line.js`).
 */

/** @typedef {import("../protocol.js").Bar} Bar */
/** @typedef {import("../ticker.js").Ticker} Ticker */

import { Client } from "../../clients/js/tickcast.js";
import { startAccess } from "../access.js";
import { byId, element } from "../element.js";
import { fetchFeed } from "../feed.js";
import { directionOf, formatPercent, formatPrice, formatSigned, NONE } from "../format.js";
import { mark, onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/embed.js";
import { onFailure, token } from "../linkaccess.js";
import { startLook } from "../look.js";
import { fetchBars } from "../rest.js";
import { applyTrade, changeOf, fromSnapshot } from "../ticker.js";
import { setData, setText } from "../write.js";
import { BARS, INTERVAL, lineOf, withTrade } from "./line.js";

/** The most symbols of one frame. */
const SYMBOLS_MAX = 10;
/** The most updates of a price a second. */
const HZ = 2;
const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;
const STATES = {
  idle: mark("Connecting"), connecting: mark("Connecting"), live: mark("Live"), reconnecting: mark("Reconnecting"), closed: mark("Disconnected"),
};
const SVG = "http://www.w3.org/2000/svg";

const asked = (new URLSearchParams(location.search).get("symbol") ?? "").split(",").map((part) => part.trim().toUpperCase());
const symbols = [...new Set(asked.filter((symbol) => SYMBOL.test(symbol)))].slice(0, SYMBOLS_MAX);
/** @type {Map<string, Ticker>} */
const tickers = new Map();
/** @type {Set<string>} */
const unknown = new Set();
let drawn = symbols[0] ?? "";
/** @type {Bar[]} */
let bars = [];
let isFrameAsked = false;
/** What the server's feed is: a replay is never called live. @type {import("../feed.js").Kind | null} */
let feed = null;

void startAccess(async () => await import("./entrance.js"));
const client = new Client(new URL(".", location.href).href, { token });
client.on("status", ({ failure }) => void onFailure(failure));
client.on("status", requestPaint);
client.on("open", () => void look());
client.on("snapshot", (snapshot) => {
  tickers.set(snapshot.symbol, fromSnapshot(snapshot));
  // A snapshot comes after events were lost, so bars may be missing too.
  if (snapshot.symbol === drawn) void load();
  requestPaint();
});
client.on("trade", (trade) => {
  const ticker = tickers.get(trade.symbol);
  if (!ticker) return;
  const isNewest = applyTrade(ticker, trade);
  if (isNewest && trade.symbol === drawn && bars.length > 0) bars = withTrade(bars, trade);
  requestPaint();
});
client.on("error", ({ code, symbols: named }) => {
  if (code !== "unknown_symbol") return;
  for (const symbol of named ?? []) unknown.add(symbol);
  requestPaint();
});

/** Asks what the feed is. Another run of the server may have another one. */
async function look() {
  const { kind } = await fetchFeed().catch(() => ({ kind: feed ?? /** @type {const} */ ("simulated") }));
  feed = kind === "replay" ? kind : "simulated";
  requestPaint();
}

/** Fetches the line of the drawn symbol. Without an answer, the line stays as it is until the next snapshot. */
async function load() {
  const symbol = drawn;
  const answer = await fetchBars(symbol, INTERVAL, { limit: BARS }).catch(() => null);
  if (!answer || symbol !== drawn) return;
  bars = answer.bars;
  requestPaint();
}

/** @param {string} symbol */
function draw(symbol) {
  drawn = symbol;
  bars = [];
  void load();
  requestPaint();
}

function requestPaint() {
  if (isFrameAsked) return;
  isFrameAsked = true;
  requestAnimationFrame(paint);
}

function paint() {
  isFrameAsked = false;
  const state = client.status.state === "live" && feed === null ? "connecting" : client.status.state;
  setData(byId("state"), "state", state === "idle" ? "connecting" : state);
  setData(byId("state"), "feed", feed ?? "");
  setText(byId("state"), state === "live" && feed === "replay" ? t("Replay") : t(STATES[state]));
  for (const row of byId("tape").children) paintRow(/** @type {HTMLElement} */ (row));
  paintLine();
  const message = symbols.length === 0 ? t("No symbol is named: the address needs ?symbol=AAPL.")
    : unknown.has(drawn) ? t("The server does not trade {symbols}.", { symbols: [...unknown].join(", ") }) : "";
  setText(byId("message"), message);
  byId("message").hidden = message === "";
  byId("more").setAttribute("href", drawn ? `./?chart=${drawn}` : "./");
}

/** @param {HTMLElement} row */
function paintRow(row) {
  const symbol = row.dataset.symbol ?? "";
  const ticker = tickers.get(symbol);
  row.setAttribute("aria-current", String(symbol === drawn));
  const [last, change] = row.querySelectorAll(".last, .change");
  setText(last, formatPrice(ticker?.price));
  const { change: moved, percent } = ticker ? changeOf(ticker) : {};
  setText(change, moved === undefined ? NONE : `${formatSigned(moved)} (${formatPercent(percent)})`);
  setData(change, "direction", directionOf(moved));
}

function paintLine() {
  const chart = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (byId("chart")));
  const close = tickers.get(drawn)?.prev_close;
  const isDrawn = bars.length > 0 && tickers.has(drawn);
  const { parts, close_y, low, high } = isDrawn ? lineOf(bars, close) : { parts: [], close_y: null, low: 0, high: 0 };
  const lines = [...chart.querySelectorAll("polyline")];
  while (lines.length > parts.length) lines.pop()?.remove();
  parts.forEach((points, index) => {
    const line = lines[index] ?? chart.appendChild(document.createElementNS(SVG, "polyline"));
    if (line.getAttribute("points") !== points) line.setAttribute("points", points);
  });
  const dashes = chart.querySelector("line");
  if (close_y !== null) for (const side of ["y1", "y2"]) dashes?.setAttribute(side, close_y.toFixed(1));
  dashes?.toggleAttribute("hidden", close_y === null);
  chart.dataset.symbol = isDrawn ? drawn : "";
  chart.dataset.bars = String(isDrawn ? bars.length : 0);
  chart.setAttribute("aria-label", isDrawn ? t("{symbol}, the last 24 hours: from {low} to {high}", { symbol: drawn, low: formatPrice(low), high: formatPrice(high) }) : t("Prices"));
}

startLook();
startLanguage(korean);
onLanguage(requestPaint);
byId("tape").append(...symbols.map((symbol) => {
  const button = element("button", { type: "button" }, element("span", { class: "symbol" }, symbol), element("span", { class: "last" }, "–"), element("span", { class: "change" }, "–"));
  button.addEventListener("click", () => draw(symbol));
  return element("li", { "data-symbol": symbol }, button);
}));
if (symbols.length > 0) {
  client.subscribe(symbols, { channels: ["trades"], max_hz: HZ });
  client.connect();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) client.pause();
    else client.connect();
  });
}
paint();
