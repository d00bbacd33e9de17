// @ts-check
// Checks what the page makes of a replay: how far it is between two answers, where it is sent, when the server is asked, and that it is
// never called live. Clock, requests and elements are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Ages } from "../js/ages.js";
import { CandleSeries } from "../js/candles.js";
import { Tally } from "../js/compare/statistics.js";
import { describe, describeReason } from "../js/connection.js";
import { FeedWatch } from "../js/feedwatch.js";
import { titleOf } from "../js/heading.js";
import { isLost } from "../js/link.js";
import { Market } from "../js/market.js";
import { MarketTime } from "../js/markettime.js";
import { countsOf, noteOf, speedText } from "../js/replay/bar.js";
import { ReplayModel, SPEEDS, speedsWith } from "../js/replay/model.js";
import { clockOf, dateOf, endOf, ownOf, spokenOf } from "../js/replay/times.js";
import { AnswerError } from "../js/rest.js";
import { fromSnapshot } from "../js/ticker.js";
import { zone } from "../js/zone.js";
import { snapshot, trade } from "./messages.js";

/** @typedef {import("../js/feed.js").ReplayStatus} ReplayStatus */

/** 15 December 2020, 09:30 in New York. */
const FROM = 1_608_042_600_000_000;
const MINUTE = 60_000_000;
/** @param {Partial<ReplayStatus>} [more] @returns {ReplayStatus} */
const status = (more = {}) => ({
  kind: "replay", state: "running", market_ts: 0, speed: 10, paused: false, file_ts: FROM + MINUTE, from: FROM, to: FROM + 300 * MINUTE, position: 0, files: ["SPY.csv"],
  loop: false, counted: { rounded: 0, skipped: 0, reordered: 0 }, operator: true, ...more,
});

const NATIVE = { document: globalThis.document, fetch: globalThis.fetch };
/** @type {{ url: string, method: string, answer: (code: number, body: object) => Promise<void> }[]} */
let requests = [];
let page = Object.assign(new EventTarget(), { hidden: false });
const settle = async () => { for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve)); };
/** @param {number} ms */
const pass = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  requests = [];
  page = Object.assign(new EventTarget(), { hidden: false });
  Object.assign(globalThis, {
    document: page,
    fetch: (/** @type {string} */ url, /** @type {RequestInit} */ { method = "GET" }) => new Promise((resolve) => {
      const answer = async (/** @type {number} */ code, /** @type {object} */ body) => {
        resolve(Response.json(body, { status: code }));
        await settle();
      };
      requests.push({ url, method, answer });
    }),
  });
});
afterEach(() => {
  mock.timers.reset();
  zone.set("local");
  Object.assign(globalThis, NATIVE);
});

test("the recorded time goes on between two answers, at the speed, for a while, and not beyond the end", () => {
  const model = new ReplayModel(status(), 1_000);
  assert.equal(model.timeAt(1_000), FROM + MINUTE);
  assert.equal(model.timeAt(1_500), FROM + MINUTE + 5_000_000, "ten times as fast");
  assert.equal(model.timeAt(60_000), FROM + MINUTE + 30_000_000, "nobody knows what became of it");
  model.take(status({ file_ts: FROM + 300 * MINUTE - 1 }), 2_000);
  assert.equal(model.timeAt(2_900), FROM + 300 * MINUTE);
  for (const state of /** @type {const} */ (["paused", "seeking", "ended", "failed"])) {
    const still = new ReplayModel(status({ state }), 0);
    assert.equal(still.timeAt(5_000), FROM + MINUTE, state);
  }
  assert.equal(new ReplayModel(status({ speed: 0 }), 0).timeAt(900), FROM + MINUTE, "as fast as possible is no speed");
});

test("an answer that was late on its way does not set the shown time back, and a replay that has gone back does", () => {
  const model = new ReplayModel(status(), 0);
  const shown = model.timeAt(1_000);
  model.take(status({ file_ts: shown - 500_000 }), 1_000);
  assert.equal(model.timeAt(1_000), shown);
  assert.equal(model.timeAt(1_100), shown + 500_000);
  model.take(status({ file_ts: FROM }), 2_000);
  assert.equal(model.timeAt(2_000), FROM, "a minute is no delay: it begins again");
  model.take(status({ file_ts: FROM + 10_000_000 }), 3_000);
  model.timeAt(3_500);
  model.take(status({ file_ts: FROM + 11_000_000, state: "paused", paused: true }), 3_500);
  assert.equal(model.timeAt(3_500), FROM + 11_000_000, "where it was paused is exact");
});

test("a movement of the slider shows its time, and goes there when it ends", () => {
  const model = new ReplayModel(status(), 0);
  model.wish(model.timeOf(600));
  assert.deepEqual([model.timeAt(9_000), model.takeWish(), model.isMoving], [FROM + 10 * MINUTE, null, false], "it is still being moved");
  model.choose(model.timeOf(1_200));
  assert.deepEqual([model.takeWish(), model.takeWish(), model.isMoving], [FROM + 20 * MINUTE, null, true]);
  model.take(status({ state: "seeking" }), 100);
  assert.equal(model.timeAt(100), FROM + 20 * MINUTE);
  model.choose(model.timeOf(0));
  assert.equal(model.takeWish(), null, "it is on its way");
  model.take(status({ file_ts: FROM + 20 * MINUTE }), 200);
  assert.equal(model.takeWish(), FROM, "and there it turns round");
  model.take(status({ state: "paused", file_ts: FROM }), 300);
  assert.deepEqual([model.isMoving, model.timeAt(400)], [false, FROM]);
  model.wish(FROM + MINUTE);
  model.drop();
  assert.equal(model.timeAt(400), FROM, "a movement that was broken off");
  model.choose(FROM + MINUTE);
  model.drop();
  assert.equal(model.timeAt(400), FROM + MINUTE);
  model.drop(true);
  assert.deepEqual([model.isMoving, model.timeAt(400)], [false, FROM], "the server refuses");
});

test("the slider has minutes, of short files seconds, and covers the files", () => {
  const long = new ReplayModel(status(), 0);
  assert.deepEqual([long.scale, long.valueOf(FROM + MINUTE), long.timeOf(18_000)], [{ step_s: 60, max_s: 18_000 }, 60, FROM + 300 * MINUTE]);
  assert.equal(long.timeOf(99_999), FROM + 300 * MINUTE);
  assert.deepEqual(new ReplayModel(status({ to: FROM + 90_500_000 }), 0).scale, { step_s: 1, max_s: 91 });
  assert.deepEqual(new ReplayModel(status({ to: FROM }), 0).scale, { step_s: 1, max_s: 1 }, "one event");
});

test("each state has its button, and only a paused replay steps", () => {
  const of = (/** @type {Partial<ReplayStatus>} */ more) => {
    const { action, canStep } = new ReplayModel(status(more), 0);
    return [action, canStep];
  };
  assert.deepEqual(of({}), ["pause", false]);
  assert.deepEqual(of({ state: "paused", paused: true }), ["resume", true]);
  assert.deepEqual(of({ state: "seeking", paused: true }), ["resume", false]);
  assert.deepEqual(of({ state: "ended" }), ["again", false]);
  assert.deepEqual(of({ state: "failed" }), [null, false]);
});

test("a speed that is not offered is one of the choices while it is in force", () => {
  assert.equal(speedsWith(60), SPEEDS);
  assert.deepEqual(speedsWith(25), [0.1, 1, 10, 25, 60, 100, 1_000, 0]);
  assert.deepEqual([speedText(0.1), speedText(0)], ["0.1×", "max"]);
});

test("the bar says what the time does not", () => {
  const note = (/** @type {Partial<ReplayStatus>} */ more, isWatching = false) => noteOf(new ReplayModel(status(more), 0), isWatching);
  assert.deepEqual([note({}), note({}, true), note({ speed: 0 }, true)], ["", "Speed 10×", "Speed max"]);
  assert.deepEqual([note({ state: "paused", paused: true }), note({ state: "seeking" }), note({ state: "ended" })], ["Paused", "Going to another time", "The files have ended."]);
  assert.equal(note({ state: "failed", complaint: "line 7: no price" }), "The replay has failed: line 7: no price");
  const model = new ReplayModel(status(), 0);
  model.choose(FROM);
  assert.equal(noteOf(model, false), "Going to another time");
  assert.equal(countsOf(status()), "");
  assert.equal(countsOf({ counted: { rounded: 1_200, skipped: 3, reordered: 5 } }), "1,200 figures rounded, 3 records left out, 5 rows put in order");
});

test("recorded times are those of New York, and of the viewer's zone if it is another one", () => {
  assert.deepEqual([dateOf(FROM), clockOf(FROM, false), clockOf(FROM + 7_000, true), endOf(FROM)], ["Tue, 15 Dec 2020", "09:30:00", "09:30:00.007", "15 Dec 09:30"]);
  assert.equal(spokenOf(FROM), "Tue, 15 Dec 2020 09:30:00 New York");
  zone.set("UTC");
  assert.equal(ownOf(FROM), "14:30:00 UTC");
  zone.set("America/New_York");
  assert.equal(ownOf(FROM), "");
  zone.set("Europe/London");
  assert.equal(ownOf(1_593_610_200_000_000), "14:30:00 GMT+1", "the name is that of the recorded day");
  zone.set("Asia/Seoul");
  assert.equal(ownOf(FROM + 60 * MINUTE), "16 Dec 00:30:00 KST");
});

test("a replay is never called live, nor is a feed that is not known yet", () => {
  /** @type {import("../js/link.js").Status & { state: "live" }} */
  const live = { state: "live", fallback: null, transport: "websocket" };
  assert.deepEqual(describe(live, 0, "simulated"), ["Live", "WebSocket"]);
  assert.deepEqual(describe(live, 0, null), ["Connecting", ""]);
  assert.deepEqual(describe(live, 0, "replay"), ["Replay", "WebSocket"]);
  assert.deepEqual(describe({ ...live, delay_ms: 900_000 }, 0, "replay"), ["Replay", "Delayed 15 min"]);
  assert.deepEqual(describe({ ...live, fallback: "sse", transport: "sse" }, 0, "replay"), ["Replay", "server-sent events"]);
  assert.equal(titleOf("AAPL", fromSnapshot(snapshot({})), true, true), "Replay · ⚠ stale · AAPL 200.00");
  assert.match(titleOf("AAPL", fromSnapshot(snapshot({})), false, true), /^Replay · AAPL 200\.00/);
});

test("a session that ends because the replay goes elsewhere is no failure", () => {
  const moving = /** @type {const} */ ({ state: "moving" });
  assert.deepEqual([describe(moving, 0, "replay"), describeReason(moving), isLost(moving)], [["Replay", "to another time"], "", false]);
});

test("what was known of another time is forgotten: prices without a subscription, and which trades are old", () => {
  const market = new Market({ onOpen() {}, onReset() {}, onFollowed() {}, onLag() {}, onUnknown() {} });
  const [spy, qqq] = ["SPY", "QQQ"].map((symbol) => snapshot({ trades: 1 }, { symbol, ts: FROM + 90 * MINUTE }));
  market.want(new Map([["SPY", { channels: ["trades"] }], ["QQQ", { channels: ["trades"] }]]));
  market.take([{ type: "open", transport: "websocket", epoch: "e1", symbols_max: 9 }, spy, qqq], 0, undefined);
  market.want(new Map([["SPY", { channels: ["trades"] }]]));
  market.take([{ type: "reset", symbols: ["*"], reason: "restarted" }, { type: "open", transport: "websocket", epoch: "e2", symbols_max: 9 }], 0, undefined);
  assert.deepEqual([[...market.tickers.keys()], market.now_us], [["SPY"], 0]);
  market.take([{ type: "snapshot", symbol: "SPY", offset: 0, volume: 0, seq: { trades: 0 } }], 0, undefined);
  assert.deepEqual([market.tickers.get("SPY").price, market.now_us], [undefined, 0]);

  const bar = (/** @type {number} */ ts) => ({ ts, open: 5, high: 5, low: 5, close: 5, volume: 1, trades: 1, vwap: 5, final: true });
  const answer = { symbol: "SPY", interval: /** @type {const} */ ("1m"), epoch: "e1", offset: 1, bars: [bar(FROM), bar(FROM + 90 * MINUTE)] };
  const series = new CandleSeries(answer);
  series.applyTrade(trade(2, 2, { ts: FROM + 90 * MINUTE + 5 }));
  series.renew({ ...answer, epoch: "e2", offset: 0, bars: [bar(FROM)] });
  series.applyTrade(trade(1, 1, { ts: FROM + 3, price: 7 }));
  assert.deepEqual(series.bars.map(({ ts, close }) => [ts, close]), [[FROM, 7]], "later bars are gone, and the trade is the newest one");
});

test("a market that stands still has no latency, and no symbol is old for that", () => {
  const time = new MarketTime();
  time.take({ server_ts: 10, market_ts: 20, speed: 0 });
  assert.ok(Number.isNaN(time.toServer(20)));
  const market = new Market({ onOpen() {}, onReset() {}, onFollowed() {}, onLag() {}, onUnknown() {} });
  market.want(new Map([["AAPL", { channels: ["trades"] }]]));
  const welcome = /** @type {const} */ ({ type: "welcome", epoch: "e", offset: 0, heartbeat_ms: 1, server_ts: 1_000, market_ts: FROM, speed: 10 });
  market.take([welcome, snapshot({ trades: 1 }, { ts: FROM }), trade(2, 102, { ts: FROM })], 1_500, 0);
  assert.equal(market.latency.median, 500);
  market.speed = 0;
  market.take([trade(3, 103, { ts: FROM + 1 })], 1_600, 0);
  assert.deepEqual([market.latency.median, market.speed], [null, 0]);
  const tally = new Tally();
  tally.toServer = ({ ts }) => time.toServer(ts);
  tally.open(0);
  tally.take([trade(1, 1)], 77);
  assert.deepEqual([tally.records[0].counted, tally.records[0].latency_us, tally.staleness.meanAt(177)], [false, 0, 50]);

  const ages = new Ages();
  ages.begin("AAPL", 0);
  ages.begin("KO", 0);
  ages.end("KO");
  assert.equal(ages.silence("AAPL", 90_000), 90_000);
  ages.setStill(true, 90_000);
  assert.deepEqual([ages.silence("AAPL", 200_000), ages.silence("AAPL", 200_000, true)], [null, 200_000], "a lost connection is another thing");
  ages.setStill(false, 200_000);
  assert.deepEqual([ages.silence("AAPL", 230_000), ages.silence("AAPL", 290_000), ages.silence("KO", 290_000)], [null, 90_000, null]);
});

/** @param {() => boolean} [isReachable] */
function watching(isReachable = () => true) {
  /** @type {(string | undefined)[]} */
  const told = [];
  const watch = new FeedWatch({ onStatus: (each) => told.push(each.kind === "replay" ? each.state : each.kind), isReachable });
  return { watch, told };
}

test("a simulated feed is asked for once, and so is a server that knows no feeds", async () => {
  for (const [code, body] of /** @type {const} */ ([[200, { kind: "simulated", state: "running" }], [404, { detail: "no such address" }]])) {
    requests = [];
    const { watch, told } = watching();
    assert.equal(watch.kind, null);
    void watch.look();
    await settle();
    await requests[0].answer(code, body);
    await pass(60_000);
    page.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual([requests.length, told, watch.kind], [1, ["simulated"], "simulated"]);
  }
});

test("a replay is asked once a second while the page is seen and the server is there, and more often on its way elsewhere", async () => {
  let isReachable = true;
  const { watch, told } = watching(() => isReachable);
  void watch.look();
  await settle();
  await requests[0].answer(200, status());
  await pass(999);
  assert.equal(requests.length, 1);
  await pass(1);
  await requests[1].answer(200, status({ state: "seeking" }));
  await pass(150);
  await requests[2].answer(200, status());
  page.hidden = true;
  await pass(5_000);
  await requests[3].answer(200, status());
  await pass(5_000);
  assert.equal(requests.length, 4, "nobody looks");
  page.hidden = false;
  page.dispatchEvent(new Event("visibilitychange"));
  await settle();
  await requests[4].answer(200, status({ state: "paused" }));
  isReachable = false;
  await pass(9_000);
  assert.equal(requests.length, 5, "there is no connection");
  isReachable = true;
  await pass(1_000);
  assert.deepEqual([requests.length, told], [6, ["running", "seeking", "running", "running", "paused"]]);
});

test("an order is answered with the state after it, which an older answer does not replace, and a refusal is told", async () => {
  const { watch, told } = watching();
  void watch.look();
  await settle();
  await requests[0].answer(200, status());
  await pass(1_000);
  const ordered = watch.order("pause");
  await settle();
  const [, looked, order] = requests;
  assert.deepEqual([order.method, order.url], ["POST", "api/v1/feed/pause"]);
  await order.answer(200, status({ state: "paused" }));
  await ordered;
  await looked.answer(200, status());
  assert.deepEqual(told, ["running", "paused"]);
  const refused = watch.order("step?events=1").catch((err) => err);
  await settle();
  await requests.at(-1)?.answer(409, { detail: "only a paused replay can be stepped" });
  const err = await refused;
  assert.ok(err instanceof AnswerError);
  assert.deepEqual([err.status, err.message], [409, "only a paused replay can be stepped"]);
  await pass(150);
  assert.equal(requests.at(-1)?.method, "GET", "what the state is now");
});
