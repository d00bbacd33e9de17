// @ts-check
/**
 * The sparkline of a row: the prices of the day as a line, with the previous close as its base.
 *
 * Owns: the points of each symbol and their picture. Does not own: the requests for them (`rest.js`), or which rows are in sight
 * (`watchlist.js`).
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {{ ts: number, price: number }} Point `ts`: start of its interval, in microseconds */

import { INTERVAL_US } from "./protocol.js";
import { fetchBars } from "./rest.js";

const INTERVAL = "15m";
const POINTS_MAX = INTERVAL_US["1d"] / INTERVAL_US[INTERVAL];
/** The most requests at a time: the chart's own come first. */
const FETCHES_MAX = 2;
/** A symbol whose request has failed is asked for again after this time. */
const RETRY_MS = 30_000;
const WIDTH = 76;
const HEIGHT = 26;
const SVG = "http://www.w3.org/2000/svg";

/** The points of each symbol since midnight (UTC); null until they have come. @type {Map<string, Point[] | null>} */
const lines = new Map();
/** Symbols whose points are wanted, in the order of their rows. @type {string[]} */
let wanted = [];
/** When each failed request may be repeated. @type {Map<string, number>} */
const failed = new Map();
let fetches = 0;
/** Grows when all points are forgotten. */
let round = 0;

/** Fetches the points of these symbols, a few at a time; those that are no longer wanted are not fetched. @param {readonly string[]} symbols */
export function wantSparks(symbols) {
  wanted = symbols.filter((symbol) => !lines.has(symbol));
  fetchNext();
}

/** Forgets all points, as the page has not seen every event since they came; answers that are still under way do not count. */
export function forgetSparks() {
  round += 1;
  lines.clear();
  failed.clear();
}

function fetchNext() {
  const now_ms = performance.now();
  while (fetches < FETCHES_MAX) {
    const at = wanted.findIndex((symbol) => !lines.has(symbol) && !((failed.get(symbol) ?? 0) > now_ms));
    if (at < 0) return;
    const [symbol] = wanted.splice(at, 1);
    lines.set(symbol, null);
    fetches += 1;
    void fetchLine(symbol);
  }
}

/** @param {string} symbol */
async function fetchLine(symbol) {
  const own = round;
  try {
    const { bars } = await fetchBars(symbol, INTERVAL, { limit: POINTS_MAX });
    const points = bars.map((bar) => ({ ts: bar.ts, price: bar.close }));
    if (round === own) lines.set(symbol, points);
  } catch {
    if (round !== own) return;
    failed.set(symbol, performance.now() + RETRY_MS);
    lines.delete(symbol);
  } finally {
    fetches -= 1;
    fetchNext();
  }
}

/**
 * Adds the last price, if there is one, to the points of a day, and removes those of an earlier one.
 * @param {Point[]} points
 * @param {Ticker} ticker
 */
export function extend(points, { ts, price, day_us = 0 }) {
  if (ts === undefined || price === undefined) return;
  const start = ts - (ts % INTERVAL_US[INTERVAL]);
  const last = points.at(-1);
  if (last && last.ts >= start) last.price = price;
  else points.push({ ts: start, price });
  const first = points.findIndex((point) => point.ts >= day_us);
  if (first > 0) points.splice(0, first);
}

/**
 * Returns the paths of the line through points, and of its base, in the pixels of the picture; empty where there is none.
 * @param {readonly Point[]} points
 * @param {number | undefined} base the previous close
 */
export function shapeOf(points, base) {
  if (points.length < 2) return { line: "", base: "" };
  const prices = [...(base === undefined ? [] : [base]), ...points.map((point) => point.price)];
  const low = Math.min(...prices);
  const span = Math.max(...prices) - low || 1;
  const first_ts = points[0]?.ts ?? 0;
  const length = Math.max((points.at(-1)?.ts ?? 0) - first_ts, 1);
  const y = (/** @type {number} */ price) => (1 + (1 - (price - low) / span) * (HEIGHT - 2)).toFixed(1);
  const line = points.map(({ ts, price }, index) => `${index === 0 ? "M" : "L"}${(((ts - first_ts) / length) * WIDTH).toFixed(1)} ${y(price)}`).join("");
  return { line, base: base === undefined ? "" : `M0 ${y(base)}H${WIDTH}` };
}

/** Returns the picture of a row, still empty. */
export function sparkElement() {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" })) svg.setAttribute(name, String(value));
  for (const name of ["base", "line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
  }
  return svg;
}

/** Paints the picture of a row. @param {HTMLElement} cell @param {Ticker} ticker */
export function paintSpark(cell, ticker) {
  // Until they have come the picture is empty: an old line may be of another run of the server.
  const points = lines.get(ticker.symbol) ?? [];
  if (lines.get(ticker.symbol)) extend(points, ticker);
  const { line, base } = shapeOf(points, ticker.prev_close);
  const [basePath, linePath] = cell.querySelectorAll("path");
  for (const [path, shape] of /** @type {const} */ ([[basePath, base], [linePath, line]])) {
    if ((path.getAttribute("d") ?? "") !== shape) path.setAttribute("d", shape);
  }
}
