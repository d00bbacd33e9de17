// @ts-check
/**
 * The watchlist as text: for a spreadsheet by the clipboard (tabs), or as a file (CSV, RFC 4180).
 *
 * Owns: these texts, the clipboard and the download. Does not own: the rows. Figures have a point and no separators, times are ISO 8601.
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */

import { download } from "./download.js";
import { fetchSnapshots } from "./rest.js";
import { changeOf, fromSnapshot } from "./ticker.js";

const HEAD = ["symbol", "name", "last", "change", "change_percent", "bid", "bid_size", "ask", "ask_size", "open", "high", "low", "prev_close", "volume", "time"];
/** A spreadsheet would take a text that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Returns the rows as fields of text, the head first. Figures that have not come are empty.
 * @param {readonly string[]} symbols
 * @param {(symbol: string) => string} nameOf
 * @param {ReadonlyMap<string, Ticker>} tickers
 */
export function fieldsOf(symbols, nameOf, tickers) {
  return [HEAD, ...symbols.map((symbol) => {
    const ticker = tickers.get(symbol);
    if (!ticker) return [symbol, nameOf(symbol), ...HEAD.slice(2).map(() => "")];
    const { change, percent } = changeOf(ticker);
    const { price, bid, bid_size, ask, ask_size, open, high, low, prev_close, volume, ts } = ticker;
    return [
      symbol, nameOf(symbol), price, change?.toFixed(4), percent?.toFixed(4), bid, bid_size, ask, ask_size, open, high, low, prev_close, volume,
      ts === undefined ? "" : new Date(ts / 1_000).toISOString(),
    ].map((figure) => String(figure ?? ""));
  })];
}

/**
 * Returns the rows as fields of text. Their figures are fetched, since those of rows out of sight are old.
 * @param {readonly string[]} symbols
 * @param {readonly string[]} traded those that the server trades
 * @param {(symbol: string) => string} nameOf
 * @param {ReadonlyMap<string, Ticker>} known figures, in case they cannot be fetched
 */
export async function freshFields(symbols, traded, nameOf, known) {
  const tickers = new Map(known);
  try {
    for (const snapshot of await fetchSnapshots(traded)) tickers.set(snapshot.symbol, fromSnapshot(snapshot));
  } catch {
    // Those that the page has are better than none.
  }
  return fieldsOf(symbols, nameOf, tickers);
}

/** Saves the rows as a file. @param {readonly (readonly string[])[]} rows */
export function saveCsv(rows) {
  download("watchlist.csv", "text/csv", csvOf(rows));
}

/** @param {readonly (readonly string[])[]} rows */
export function csvOf(rows) {
  const lines = rows.map((row) => row.map((text, index) => {
    const safe = index < 2 && FORMULA.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll("\"", "\"\"")}"` : safe;
  }).join());
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {readonly (readonly string[])[]} rows */
export function tabbed(rows) {
  return rows.map((row) => row.map((text) => text.replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
}

/** Puts a text on the clipboard. Returns whether that was possible. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOld(text);
  }
}

/** As pages without TLS must do it. @param {string} text */
function copyOld(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isDone;
}
