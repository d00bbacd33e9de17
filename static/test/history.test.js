// @ts-check
// Checks that history and stream are joined only when the join is exact. The server is a stub of `fetch`.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { failureOf, HistoryLoader } from "../js/history.js";
import { earlyChart } from "../js/rest.js";
import { TradeLog } from "../js/tradelog.js";

/** @typedef {import("../js/candles.js").CandleSeries} CandleSeries */
/** @typedef {import("../js/protocol.js").BarsAnswer} BarsAnswer */
/** @typedef {import("../js/protocol.js").Problem} Problem */

const START = 1_772_463_840_000_000;
const realFetch = globalThis.fetch;
afterEach(() => { globalThis.fetch = realFetch; });

/** Answers each request with the next of these bodies, the last one again and again. Returns the URLs asked for. @param {(BarsAnswer | Problem)[]} bodies */
function serve(...bodies) {
  /** @type {string[]} */
  const urls = [];
  globalThis.fetch = async (url, options) => {
    urls.push(String(url));
    const body = bodies[Math.min(urls.length, bodies.length) - 1];
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (options?.signal?.aborted) throw new DOMException("aborted", "AbortError");
    return Response.json(body, { status: ("status" in body && body.status) || 200 });
  };
  return urls;
}

/** @param {number} ts */
const bar = (ts) => ({ ts, open: 100, high: 100, low: 100, close: 100, volume: 10, trades: 1, vwap: 100, final: true });
/** @param {number} offset @param {Partial<BarsAnswer>} [more] @returns {BarsAnswer} */
const answer = (offset, more = {}) => ({ symbol: "AAPL", interval: "1m", epoch: "e1", offset, bars: [bar(START)], ...more });

/** @param {Partial<ReturnType<ConstructorParameters<typeof HistoryLoader>[1]["position"]>>} position @param {number[]} [offsets] */
function loaderAt(position, offsets = []) {
  const log = new TradeLog();
  for (const offset of offsets) log.push({ symbol: "AAPL", seq: 1, offset, ts: START + offset, price: 101, size: 1, side: 1 });
  /** @type {{ series: CandleSeries[], joined: boolean[], errors: ReturnType<typeof failureOf>[] }} */
  const results = { series: [], joined: [], errors: [] };
  const loader = new HistoryLoader(log, {
    position: () => ({ epoch: "", followed_offset: undefined, now_us: 0, ...position }),
    onSeries: (series, isJoined) => {
      results.series.push(series);
      results.joined.push(isJoined);
    },
    onError: (err) => results.errors.push(failureOf(err)),
  });
  return { loader, results };
}

test("only trades after the answer are added to the bars", async () => {
  const urls = serve(answer(60));
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 }, [55, 60, 61, 70]);
  await loader.load("AAPL", "1m");
  assert.deepEqual(urls, ["api/v1/bars?symbol=AAPL&interval=1m&limit=600"]);
  assert.equal(results.series[0].newest.volume, 12);
  assert.equal(results.series[0].offset, 70);
});

test("an answer older than the subscription is fetched again", async () => {
  const urls = serve(answer(40), answer(60));
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 }, [61]);
  await loader.load("AAPL", "1m");
  assert.equal(urls.length, 2);
  assert.equal(results.series.length, 1);
  assert.equal(results.series[0].newest.volume, 11);
});

test("trades of another epoch are not added", async () => {
  const urls = serve(answer(60, { epoch: "e0" }), answer(60));
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 }, [61]);
  await loader.load("AAPL", "1m");
  assert.equal(urls.length, 2);
  assert.equal(results.series[0].epoch, "e1");
});

test("a newer request cancels the running one", async () => {
  serve(answer(60), answer(60, { interval: "5m" }));
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 });
  await Promise.all([loader.load("AAPL", "1m"), loader.load("AAPL", "5m")]);
  assert.deepEqual(results.series.map((series) => series.interval), ["5m"]);
  assert.deepEqual(results.errors, []);
});

test("each cause of a failure has a phrase that can be translated", async () => {
  serve({ type: "about:blank", title: "Too busy", status: 503 });
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 });
  await loader.load("AAPL", "1m");
  globalThis.fetch = async () => { throw new TypeError("Failed to fetch"); };
  await loader.load("AAPL", "1m");
  assert.deepEqual(results.errors, [
    { phrase: "The history could not be loaded: the server has answered {status}.", values: { status: 503 } },
    { phrase: "The history could not be loaded: the server cannot be reached." },
  ]);
});

test("older bars are fetched until there are none", async () => {
  const many = Array.from({ length: 600 }, (_, index) => bar(START + index * 60_000_000));
  const urls = serve(answer(60, { bars: many }), answer(60, { bars: [bar(START - 60_000_000)] }));
  const { loader, results } = loaderAt({ epoch: "e1", followed_offset: 50 });
  await loader.load("AAPL", "1m");
  const [series] = results.series;
  assert.deepEqual(await Promise.all([loader.extend(series), loader.extend(series)]), [true, false]);
  assert.ok(urls[1].endsWith(`&before=${START}`));
  assert.equal(series.bars.length, 601);
  assert.equal(await loader.extend(series), false);
  assert.equal(urls.length, 2);
});

test("after a break the newest bars adjoin those held, or replace them if the server is another one", async () => {
  /** @param {number} count @param {number} end */
  const many = (count, end) => Array.from({ length: count }, (_, index) => bar(START + (end - count + index) * 60_000_000));
  const position = { epoch: "e1", followed_offset: 50, now_us: START + 1_800 * 60_000_000 };
  const urls = serve(answer(60, { bars: many(600, 1_800) }), answer(61, { bars: many(600, 1_200) }), answer(70, { bars: many(600, 1_802) }),
    answer(80, { bars: many(1_004, 2_600) }), answer(5, { epoch: "e2", bars: many(2_001, 2_601) }));
  const { loader, results } = loaderAt(position);
  const asked = () => new URLSearchParams(urls.at(-1).split("?")[1]).get("limit");
  await loader.load("AAPL", "1m");
  const [series] = results.series;
  await loader.extend(series);
  assert.equal(series.bars.length, 1_200);
  await loader.load("AAPL", "1m", series);
  assert.deepEqual([asked(), series.bars.length, results.series.at(-1) === series], ["600", 1_202, true]);
  position.now_us = START + 2_600 * 60_000_000;
  await loader.load("AAPL", "1m", series);
  assert.deepEqual([asked(), series.bars.length], ["800", 2_000], "so many that none is left out");
  assert.deepEqual([...series.bars.keys()].filter((at) => at > 0 && series.bars[at].ts - series.bars[at - 1].ts !== 60_000_000), []);
  position.epoch = "e2";
  await loader.load("AAPL", "1m", series);
  assert.deepEqual([asked(), series.bars.length, series.epoch], ["2002", 2_001, "e2"]);
});

/** Lets `first.js` have sent a request. @param {BarsAnswer | Problem | Error} body @param {Partial<import("../js/rest.js").Early>} [more] */
function sendEarly(body, more = {}) {
  const status = "status" in body ? body.status : 200;
  const response = body instanceof Error ? Promise.reject(body) : Promise.resolve(Response.json(body, { status }));
  response.catch(() => {});
  Object.assign(globalThis, { early_: { symbol: "AAPL", interval: "1m", limit: 1, response, ...more } });
}

test("bars that were requested before the script was there are shown at once, and joined when there is a stream", async () => {
  const urls = serve(answer(60));
  /** @type {Parameters<typeof loaderAt>[0]} */
  const position = { epoch: "e1" };
  const { loader, results } = loaderAt(position, [61]);
  sendEarly(answer(40));
  const loading = loader.load("AAPL", "1m");
  assert.equal(loader.isLoading, true);
  await loading;
  assert.deepEqual([urls.length, results.joined, loader.isLoading], [0, [false], false]);
  Object.assign(position, { followed_offset: 50 });
  sendEarly(answer(41));
  await loader.load("AAPL", "1m", null);
  assert.deepEqual([urls.length, results.joined], [1, [false, false, true]], "the stream was there first");
  assert.equal(results.series[1], results.series[2], "the same bars go on");
  assert.deepEqual([results.series[2].offset, results.series[2].newest.volume], [61, 11]);
  assert.equal(earlyChart(), null, "it is taken once");
  await loader.load("AAPL", "1m");
  assert.equal(urls.length, 2);
});

test("an early answer that is an error, of another symbol, or late does no harm", async () => {
  const urls = serve(answer(60));
  const { loader, results } = loaderAt({});
  sendEarly({ type: "about:blank", title: "no such symbol", status: 404 });
  await loader.load("AAPL", "1m");
  assert.deepEqual([urls.length, results.series, results.errors], [0, [], []], "the page will chart another symbol");
  for (const body of [{ type: "about:blank", title: "busy", status: 503 }, new TypeError("Failed to fetch"), answer(60, { symbol: "MSFT" })]) {
    sendEarly(body);
    await loader.load("AAPL", "1m");
  }
  assert.deepEqual([urls.length, results.joined.length, results.errors], [3, 3, []], "requested again");
  for (const more of [{ symbol: "MSFT" }, { interval: /** @type {const} */ ("5m") }]) {
    sendEarly(answer(60, more), more);
    await loader.load("AAPL", "1m");
  }
  assert.deepEqual([urls.length, results.joined.length], [5, 5], "not taken");
  sendEarly(answer(60), { response: new Promise((resolve) => setTimeout(() => resolve(Response.json(answer(60))), 5)) });
  const early = loader.load("AAPL", "1m");
  loader.cancel();
  await early;
  assert.deepEqual([results.joined.length, results.errors], [5, []], "cancelled");
});
