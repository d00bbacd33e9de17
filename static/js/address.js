// @ts-check
/**
 * The state of the page in its address: `?symbols=AAPL,MSFT&chart=AAPL,MSFT&interval=1m,1h&hz=4&lang=ko&theme=dark&transport=sse`.
 * A link shares the state, and the browser's back restores it. `interval` has one value for each chart, or one for all of them.
 * `compare`, `kind`, `indicators`, `log` and `sort` are there in a copied link: what the viewer would else find as on the last visit.
 *
 * Owns: these parameters; others stay in the address. Does not own: which state is in effect if a parameter is missing, or what those of the charts
 * (`chart/options.js`) and of the order (`order.js`) mean. A wrong value
 * counts as missing, because a link may come from anyone and from an older page.
 */

import { INTERVALS } from "./protocol.js";

/** @typedef {import("./protocol.js").Interval} Interval */
/**
 * @typedef {object} Address
 * @property {string[] | null} symbols the watchlist: null if the address has none, empty for an empty one
 * @property {string[]} charts the symbols of the charts, at most `CHARTS_MAX`; several charts may have the same
 * @property {(Interval | null)[]} intervals as many as `charts`, and at least one; null where the address has none
 * @property {number | "all" | null} hz how often a row is updated at most, in events a second; "all" for every event
 * @property {"en" | "ko" | null} lang
 * @property {"system" | "light" | "dark" | null} theme
 * @property {"auto" | "websocket" | "sse" | "poll" | null} transport
 * @property {string | null} compare the second symbol, empty for none
 * @property {string | null} kind of the charts
 * @property {string | null} indicators separated by commas, empty for none
 * @property {string | null} log 1 or 0
 * @property {string | null} sort a column and a direction, `percent-down`; empty for the own order
 */

/** The most symbols that a link can have. */
export const SYMBOLS_MAX = 1_000;
/** The most characters of all symbols in a link: common proxies refuse a request whose first line is longer than 8 KiB. */
const SYMBOLS_CHARS_MAX = 7_000;
export const CHARTS_MAX = 4;
/** The greatest rate in a link: above it, a screen shows no more. The lowest is that of the frequency slider. */
const HZ = { least: 0.1, most: 60 };
const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;
const LANGUAGES = /** @type {const} */ (["en", "ko"]);
const THEMES = /** @type {const} */ (["system", "light", "dark"]);
/** Parameters that are read and written by those who know what they mean. */
const VERBATIM = /** @type {const} */ (["compare", "kind", "indicators", "log", "sort"]);
const TRANSPORTS = /** @type {const} */ (["auto", "websocket", "sse", "poll"]);

/** Reads the state of an address. @param {string} search the part of the address from `?` on @returns {Address} */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const symbols = query.get("symbols");
  const charts = wellFormed(query.get("chart")).slice(0, CHARTS_MAX);
  const named = (query.get("interval") ?? "").split(",", CHARTS_MAX).map((name) => INTERVALS.find((known) => known === name.trim()) ?? null);
  const intervals = Array.from({ length: Math.max(charts.length, 1) }, (_, index) => named[named.length === 1 ? 0 : index] ?? null);
  return {
    symbols: symbols === null ? null : symbolsOf(symbols, SYMBOLS_MAX),
    charts,
    intervals,
    hz: hzOf(query.get("hz")),
    lang: LANGUAGES.find((known) => known === query.get("lang")) ?? null,
    theme: THEMES.find((known) => known === query.get("theme")) ?? null,
    transport: TRANSPORTS.find((known) => known === query.get("transport")) ?? null,
    compare: query.get("compare"),
    kind: query.get("kind"),
    indicators: query.get("indicators"),
    log: query.get("log"),
    sort: query.get("sort"),
  };
}

/**
 * Returns an address with a part of its state changed. Null removes a parameter, and so does an empty list of charts.
 * @param {string} search
 * @param {Partial<Address>} change
 */
export function writeAddress(search, change) {
  const query = new URLSearchParams(search);
  /** @param {string} name @param {string | null | undefined} text */
  const put = (name, text) => {
    if (text === null) query.delete(name);
    else if (text !== undefined) query.set(name, text);
  };
  const { symbols, charts, intervals } = change;
  put("symbols", symbols === null ? null : symbols && listOf(symbols));
  put("chart", charts?.length === 0 ? null : charts?.slice(0, CHARTS_MAX).join());
  put("interval", intervals?.includes(null) ? null : intervals && joined(intervals));
  put("hz", typeof change.hz === "number" ? String(change.hz) : change.hz);
  put("lang", change.lang);
  put("theme", change.theme);
  put("transport", change.transport);
  for (const name of VERBATIM) put(name, change[name]);
  // A comma needs no escape in a query (RFC 3986, section 3.4), and a link with commas is easier to read.
  const text = query.toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

/** Returns as many symbols as a link can have, separated by commas. @param {readonly string[]} symbols */
function listOf(symbols) {
  const text = symbols.slice(0, SYMBOLS_MAX).join();
  return text.length <= SYMBOLS_CHARS_MAX ? text : text.slice(0, text.lastIndexOf(",", SYMBOLS_CHARS_MAX));
}

/** @param {readonly (Interval | null)[]} intervals */
function joined(intervals) {
  return new Set(intervals).size === 1 ? String(intervals[0]) : intervals.slice(0, CHARTS_MAX).join();
}

/** Returns the well-formed symbols of a list, each once. @param {string | null} list @param {number} most @returns {string[]} */
function symbolsOf(list, most) {
  return [...new Set(wellFormed(list))].slice(0, most);
}

/** @param {string | null} list */
function wellFormed(list) {
  return (list ?? "").split(",").map((part) => part.trim().toUpperCase()).filter((symbol) => SYMBOL.test(symbol));
}

/** @param {string | null} text */
function hzOf(text) {
  if (text === "all") return text;
  const hz = text === null || text.trim() === "" ? Number.NaN : Number(text);
  return hz >= HZ.least && hz <= HZ.most ? hz : null;
}

export class PageAddress {
  /** @type {Set<(address: Address) => void>} */
  #listeners = new Set();

  constructor() {
    globalThis.addEventListener?.("popstate", () => {
      const address = this.get();
      for (const listener of this.#listeners) listener(address);
    });
  }

  get() {
    return readAddress(location.search);
  }

  /** Changes the state with a step of the browser's history, so that back undoes it. @param {Partial<Address>} change */
  push(change) {
    this.#write(change, (url) => history.pushState(null, "", url));
  }

  /** Changes those parts of the state that the address has: one that came with a link stays true. @param {Partial<Address>} change */
  follow(change) {
    const present = new URLSearchParams(location.search);
    this.replace(Object.fromEntries(Object.entries(change).filter(([name]) => present.has(name))));
  }

  /** Changes the state without a step of the browser's history. @param {Partial<Address>} change */
  replace(change) {
    this.#write(change, (url) => history.replaceState(history.state, "", url));
  }

  /** Returns a link to the page with a part of its state changed. @param {Partial<Address>} change */
  link(change) {
    const url = new URL(location.href);
    url.hash = "";
    url.search = writeAddress(url.search, change);
    return url.href;
  }

  /** Calls a listener after the viewer went back or forward. @param {(address: Address) => void} listener */
  onBack(listener) {
    this.#listeners.add(listener);
  }

  /** @param {Partial<Address>} change @param {(url: string) => void} go */
  #write(change, go) {
    const search = writeAddress(location.search, change);
    if (search === location.search) return;
    try {
      go(`${location.pathname}${search}${location.hash}`);
    } catch {
      // Browsers refuse very many changes in a short time. The page goes on without this one.
    }
  }
}

/** The address of this page. */
export const address = new PageAddress();
