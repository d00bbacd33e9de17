// @ts-check
// Checks when the bars of a chart are fetched, and when they are joined with the stream.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Market } from "../js/market.js";
import { SeriesFeed } from "../js/seriesfeed.js";

const START = 1_772_463_840_000_000;
const quiet = () => {};
const realFetch = globalThis.fetch;
/** The offsets of the next answers, and the requests that wait for theirs. @type {{ symbol: string, answer: (offset: number, status?: number) => Promise<void> }[]} */
let requests = [];
let now_ms = 0;

beforeEach(() => {
  requests = [];
  now_ms = 1_000_000;
  Object.assign(globalThis, { document: { hidden: false } });
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now_ms);
  globalThis.fetch = (url, options) => new Promise((resolve, reject) => {
    const symbol = new URLSearchParams(String(url).split("?")[1]).get("symbol");
    const bars = [{ ts: START, open: 1, high: 1, low: 1, close: 1, volume: 1, trades: 1, vwap: 1, final: false }];
    options?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    requests.push({
      symbol,
      async answer(offset, status = 200) {
        resolve(Response.json({ symbol, interval: "1m", epoch: "e1", offset, bars }, { status }));
        await settle();
      },
    });
  });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  Object.assign(globalThis, { early_: undefined });
  globalThis.fetch = realFetch;
  delete globalThis.document;
});

async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets `first.js` have sent a request. @param {string} symbol */
function sendEarly(symbol) {
  const response = fetch(`api/v1/bars?symbol=${symbol}`);
  Object.assign(globalThis, { early_: { symbol, interval: "1m", limit: 1, response } });
}

/** @param {number} ms */
async function pass(ms) {
  now_ms += ms;
  mock.timers.tick(ms);
  await settle();
}

function open() {
  const market = new Market({ onOpen: quiet, onReset: quiet, onFollowed: quiet, onLag: quiet, onUnknown: quiet });
  market.epoch = "e1";
  /** @type {string[]} */
  const log = [];
  const feed = new SeriesFeed(market, { onWait: () => log.push("wait"), onSeries: () => log.push("series"), onError: () => log.push("error") });
  const follow = (/** @type {number} */ offset) => {
    market.followed.set("AAPL", offset);
    feed.follow("AAPL");
  };
  return { market, feed, log, follow };
}

test("bars are shown before there is a stream, and joined with it when it comes", async () => {
  const { feed, log, follow } = open();
  sendEarly("AAPL");
  feed.want("AAPL", "1m");
  await requests[0].answer(5);
  assert.deepEqual([log, feed.isDue, feed.series?.offset], [["wait", "series"], true, 5]);
  assert.equal(feed.isBehind, false, "the stream may come in a moment");
  follow(9);
  assert.equal(requests.length, 2);
  await requests[1].answer(10);
  assert.deepEqual([feed.isDue, feed.series?.offset], [false, 10]);
  await pass(60_000);
  assert.deepEqual([feed.isBehind, requests.length], [false, 2]);
});

test("a stream that comes before the first bars does not give them up", async () => {
  const { feed, follow, log } = open();
  sendEarly("AAPL");
  feed.want("AAPL", "1m");
  follow(9);
  assert.equal(requests.length, 1);
  await requests[0].answer(8);
  assert.deepEqual([feed.isDue, feed.series?.offset, requests.length, log], [true, 8, 2, ["wait", "series"]], "shown, and asked for again");
  await requests[1].answer(10);
  assert.deepEqual([feed.isDue, feed.series?.offset, requests.length], [false, 10, 2]);
});

test("bars that come while the stream begins anew are joined again", async () => {
  const { market, feed, follow } = open();
  // A row of the watchlist gets the newest events only; as a chart it is subscribed to anew, in another mode.
  market.followed.set("AAPL", 3);
  feed.want("AAPL", "1m");
  market.followed.delete("AAPL");
  await requests[0].answer(5);
  assert.equal(feed.isDue, true, "events between these bars and the new snapshot would be missing");
  follow(9);
  await requests[1].answer(9);
  assert.equal(feed.isDue, false);
});

test("bars without a stream are behind after a while, and the chart is painted to say so", async () => {
  const { feed, log } = open();
  sendEarly("AAPL");
  feed.want("AAPL", "1m");
  await requests[0].answer(5);
  await pass(2_999);
  assert.deepEqual([feed.isBehind, log.length], [false, 2]);
  await pass(1);
  assert.deepEqual([feed.isBehind, log.length, requests.length], [true, 3, 1]);
});

test("bars that cannot be had are asked for again after a while, and when the stream comes", async () => {
  const { feed, log, follow } = open();
  sendEarly("AAPL");
  feed.want("AAPL", "1m");
  await requests[0].answer(0, 404);
  assert.deepEqual([requests.length, log], [1, ["wait"]], "another symbol may be charted in a moment");
  await pass(1_500);
  assert.equal(requests.length, 2);
  await requests[1].answer(0, 503);
  await pass(60_000);
  assert.deepEqual([requests.length, log], [2, ["wait", "error"]]);
  follow(9);
  await requests[2].answer(9);
  assert.deepEqual([feed.isDue, log.at(-1)], [false, "series"]);
});

test("without an early request the first bars wait for the stream", async () => {
  const { feed, follow } = open();
  sendEarly("MSFT");
  feed.want("AAPL", "1m");
  assert.equal(requests.length, 1, "that of the other symbol");
  follow(9);
  await requests[1].answer(9);
  assert.deepEqual([requests[1].symbol, feed.isDue], ["AAPL", false]);
});

test("another symbol cancels the request and forgets the bars", async () => {
  const { market, feed, log } = open();
  for (const symbol of ["AAPL", "MSFT", "KO"]) market.followed.set(symbol, 1);
  feed.want("AAPL", "1m");
  feed.want("MSFT", "1m");
  await requests[0].answer(5);
  assert.equal(feed.series, null);
  await requests[1].answer(6);
  assert.deepEqual([requests[1].symbol, feed.series?.symbol, log], ["MSFT", "MSFT", ["wait", "wait", "series"]]);
  feed.want("KO", "1m");
  feed.want(null, "1m");
  await requests[2].answer(7);
  await pass(60_000);
  assert.deepEqual([feed.series, requests.length], [null, 3]);
});
