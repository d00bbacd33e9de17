// @ts-check
/**
 * The pages and states of which pictures are taken, and how each is reached.
 *
 * Owns: this list. Does not own: the browser (`browser.mjs`), the server (`server.mjs`), the files (`take.mjs`).
 */

import { fileURLToPath } from "node:url";
import { pause } from "./browser.mjs";

/** @typedef {import("./browser.mjs").Page} Page */
/** @typedef {import("./server.mjs").Server} Server */
/**
 * @typedef {object} State
 * @property {string} name
 * @property {string} path with a query
 * @property {Record<string, string>} [settings] of the server
 * @property {readonly number[]} [widths] of the window; all by default
 * @property {(page: Page, server: Server) => Promise<void>} [reach] brings the page from its load to the state
 */

const LIVE = "document.querySelector('#status')?.dataset.state === 'live'";
/** Every part has its data: the bars, the rows with their times and sparklines, the tape, the latency. */
export const FULL = `${LIVE} && Number(document.querySelector('#chart').dataset.bars) > 300
  && document.querySelectorAll('#tape tbody tr:not([hidden])').length === 40 && /\\d/.test(document.querySelector('#latency').textContent)`;
const DESK_AND_PHONE = [1280, 390];
const MANY = `symbols=${Array.from({ length: 100 }, (_, index) => `SYM${String(index).padStart(3, "0")}`)}`;

/** A server that asks for a key, and its key. */
const KEYED = { TICKCAST__AUTH__REQUIRED: "true", TICKCAST__AUTH__KEYS_FILE: fileURLToPath(new URL("keys.toml", import.meta.url)) };
const KEY = "the key of the pictures";
/** A replay of an afternoon, with the bars of the two days before. */
const REPLAY = {
  TICKCAST__FEED__KIND: "replay",
  TICKCAST__FEED__SPEED: "60",
  TICKCAST__FEED__REPLAY__FILES: fileURLToPath(new URL("../../crates/tape/fixtures/SPY-minutes.csv.gz", import.meta.url)),
  TICKCAST__FEED__REPLAY__TZ: "America/New_York",
  TICKCAST__FEED__REPLAY__SYMBOL: "SPY",
  TICKCAST__FEED__REPLAY__START: "2020-12-17T13:00",
  TICKCAST__FEED__REPLAY__TIME: "original",
};
/** The last minutes of it. */
const REPLAY_END = { ...REPLAY, TICKCAST__FEED__SPEED: "1000", TICKCAST__FEED__REPLAY__START: "2020-12-18T15:55" };
const REPLAYED = `${LIVE} && document.querySelector('#replay')?.checkVisibility() && Number(document.querySelector('#chart').dataset.bars) > 300
  && document.querySelectorAll('#tape tbody tr:not([hidden])').length >= 20`;
const ASKED = "document.querySelector('#signin')?.open === true";

/** @param {Page} page @param {string} key */
async function signIn(page, key) {
  await page.until(ASKED);
  await page.type(key);
  await page.press("Enter");
}

/** @param {string} selector */
const opened = (selector) => async (/** @type {Page} */ page) => {
  await page.until(FULL);
  await page.click(selector);
};

/** @type {readonly State[]} */
export const STATES = [
  { name: "live", path: "", reach: (page) => page.until(FULL) },
  {
    name: "offline",
    path: "",
    async reach(page, server) {
      await page.until(FULL);
      await page.offline(true);
      // The emulation does not end a WebSocket that is open.
      server.close();
      await page.until("document.querySelector('#status').dataset.state === 'reconnecting' && !document.querySelector('#retry').hidden");
    },
  },
  {
    name: "stale",
    path: "",
    async reach(page, server) {
      await page.until(FULL);
      server.freeze(true);
      await page.until("document.querySelector('#status').dataset.state === 'stale'");
    },
  },
  { name: "empty", path: "symbols=", reach: (page) => page.until(LIVE) },
  { name: "rows", path: MANY, settings: { TICKCAST__FEED__EXTRA_SYMBOLS: "100", TICKCAST__FEED__EVENTS_PER_SECOND: "3000" }, reach: (page) => page.until(FULL) },
  { name: "charts", path: "chart=AAPL,MSFT,NVDA,TSLA&interval=1m,5m,15m,1h", reach: (page) => page.until(FULL) },
  { name: "settings", path: "", widths: DESK_AND_PHONE, reach: opened("#settings-open") },
  { name: "connection", path: "", widths: DESK_AND_PHONE, reach: opened("#connection-open") },
  { name: "alerts", path: "", widths: DESK_AND_PHONE, reach: opened("#alerts-open") },
  { name: "columns", path: "", widths: DESK_AND_PHONE, reach: opened("#columns-open") },
  { name: "more", path: "", widths: DESK_AND_PHONE, reach: opened("#list-open") },
  { name: "map", path: "", widths: DESK_AND_PHONE, reach: opened("#heat-open") },
  { name: "table", path: "", widths: DESK_AND_PHONE, reach: opened("#chart-table") },
  {
    name: "search",
    path: "",
    widths: DESK_AND_PHONE,
    async reach(page) {
      await page.until(FULL);
      await page.click("#search");
      await page.type("a");
      await page.until("document.querySelector('#search-list li')");
    },
  },
  { name: "compare", path: "compare?", reach: (page) => page.until("document.querySelector('#headline li')") },
  {
    name: "compared",
    path: "compare?",
    async reach(page) {
      await page.until("document.querySelector('#headline li')");
      await page.value("document.querySelector('#seconds').selectedIndex = 0");
      await page.click("#start");
      await page.until("document.querySelector('#run').dataset.state === 'ended' || document.querySelector('#summary li')");
    },
  },
  { name: "replay", path: "symbols=SPY", settings: REPLAY, reach: (page) => page.until(REPLAYED) },
  {
    name: "replay-paused",
    path: "symbols=SPY",
    settings: REPLAY,
    widths: DESK_AND_PHONE,
    async reach(page) {
      await page.until(REPLAYED);
      await page.click("#replay-pause");
      await page.until("document.querySelector('#replay').dataset.state === 'paused'");
    },
  },
  { name: "replay-ended", path: "symbols=SPY", settings: REPLAY_END, widths: DESK_AND_PHONE, reach: (page) => page.until(`${LIVE} && document.querySelector('#replay')?.dataset.state === 'ended'`) },
  {
    name: "replay-compared",
    path: "compare?",
    settings: REPLAY,
    widths: DESK_AND_PHONE,
    async reach(page) {
      await page.until("!document.querySelector('#feed').hidden && document.querySelector('#symbols').value === 'SPY'");
      await page.value("document.querySelector('#seconds').selectedIndex = 0");
      await page.click("#start");
      await page.until("document.querySelector('#summary li')");
    },
  },
  { name: "handshake", path: "handshake?", reach: (page) => page.until("document.querySelectorAll('#frames li').length > 5") },
  { name: "signin", path: "", settings: KEYED, reach: (page) => page.until(ASKED) },
  {
    name: "signin-compare",
    path: "compare?",
    settings: KEYED,
    widths: DESK_AND_PHONE,
    async reach(page) {
      await page.until("document.querySelector('#headline li')");
      await page.click("#start");
      await page.until(ASKED);
    },
  },
  {
    name: "signin-wrong",
    path: "handshake?",
    settings: KEYED,
    widths: DESK_AND_PHONE,
    async reach(page) {
      await signIn(page, "another key");
      await page.until("document.querySelector('#signin-note').textContent !== ''");
    },
  },
  {
    name: "signin-later",
    path: "",
    settings: KEYED,
    widths: DESK_AND_PHONE,
    async reach(page) {
      await page.until(ASKED);
      await page.press("Escape");
      await page.until("!!document.querySelector('#account') && document.querySelector('#status').dataset.state === 'reconnecting'");
    },
  },
  {
    name: "signed-in",
    path: "",
    settings: KEYED,
    async reach(page) {
      await signIn(page, KEY);
      await page.until(`!document.querySelector('#signin') && ${FULL} && !!document.querySelector('#account')`);
    },
  },
  { name: "embed", path: "embed?symbol=AAPL,MSFT,NVDA", reach: () => pause(2_000) },
];
