// @ts-check
// Checks that the tape is filled from the server's ring without a hole or a repeat. The server is a stub of `fetch`.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { balanceOf, spreadOf } from "../js/board.js";
import { PastTrades } from "../js/pasttrades.js";
import { TradeLog } from "../js/tradelog.js";

const realFetch = globalThis.fetch;
afterEach(() => { globalThis.fetch = realFetch; });

/** @param {number} offset */
const quote = (offset, bid = 99, ask = 101) => ({ type: "quote", symbol: "AAPL", offset, ts: offset, bid, ask });
/** @param {number} offset */
const trade = (offset, price = 100) => ({ type: "trade", symbol: "AAPL", seq: offset, offset, ts: offset, price, size: 1 });

/**
 * Serves a ring of events from `first` on, `page` of them to a request. Returns the offsets asked from.
 * @param {{ offset: number }[]} ring @param {{ first?: number, page?: number, epoch?: string }} [options]
 */
function serve(ring, { first = 0, page = 1_024, epoch = "e1" } = {}) {
  /** @type {number[]} */
  const asked = [];
  globalThis.fetch = async (url) => {
    const after = Number(new URL(String(url), "http://localhost/").searchParams.get("after")?.split(":")[1]);
    asked.push(after);
    const newest = ring.at(-1)?.offset ?? 0;
    if (after < first) return Response.json({ epoch, offset: newest, cursor: `${epoch}:${newest}`, recovered: false, messages: [] });
    const messages = ring.filter(({ offset }) => offset > after).slice(0, page);
    const cursor = messages.length < page ? newest : messages.at(-1)?.offset;
    return Response.json({ epoch, offset: newest, cursor: `${epoch}:${cursor}`, recovered: true, messages });
  };
  return asked;
}

/** @param {number} followed_offset @param {number} [count] */
async function filled(followed_offset, count = 3) {
  const log = new TradeLog();
  let fills = 0;
  const past = new PastTrades(log, () => ({ epoch: "e1", followed_offset }), () => { fills += 1; });
  await past.load("AAPL", count);
  return { log, past, fills: () => fills, offsets: () => log.newest("AAPL", 9).map(({ offset }) => offset) };
}

test("the newest trades before the snapshot fill the tape, each with its side", async () => {
  const asked = serve([trade(1), quote(2), trade(3, 101), trade(4, 99), trade(5, 100)]);
  const { log, offsets, fills } = await filled(5);
  assert.deepEqual(asked, [0]);
  assert.deepEqual(offsets(), [5, 4, 3]);
  assert.deepEqual(log.newest("AAPL", 9).map(({ side }) => side), [0, -1, 1]);
  assert.equal(fills(), 1);
});

test("a trade that was reported late has no side", async () => {
  serve([quote(1), trade(2), { ...trade(3, 101), ts: 1 }, trade(4, 99)]);
  const { log } = await filled(4);
  assert.deepEqual(log.newest("AAPL", 9).map(({ isLate }) => isLate), [false, true, false]);
});

test("trades that were corrected or cancelled later are so from the beginning", async () => {
  const cancel = (/** @type {number} */ trade_seq) => ({ type: /** @type {const} */ ("cancel"), symbol: "AAPL", trade_seq });
  serve([quote(1), trade(2), trade(3), trade(4), { ...cancel(3), offset: 5 }]);
  const { log, offsets } = await filled(5);
  assert.deepEqual(offsets(), [4, 2]);
  log.amend(/** @type {import("../js/protocol.js").Cancel} */ (cancel(4)));
  assert.deepEqual(offsets(), [2]);
});

test("without a quote before it, a trade of unknown side is left out", async () => {
  serve([trade(1), quote(2), trade(3)]);
  assert.deepEqual((await filled(3)).offsets(), [3]);
});

test("a trade that was pushed meanwhile is not shown twice, and pushed ones come first", async () => {
  serve([quote(1), trade(2), trade(6), trade(7)]);
  const { log, offsets } = await filled(5, 9);
  for (const offset of [6, 7, 9]) log.push({ symbol: "AAPL", seq: offset, offset, ts: offset, price: 100, size: 1, side: 0 });
  assert.deepEqual(offsets(), [9, 7, 6, 2]);
  log.clear();
  assert.deepEqual(offsets(), [], "after a loss of events, older trades would leave a hole");
});

test("trades that end before the snapshot are not shown, because some between would be missing", async () => {
  serve([quote(1), trade(2)]);
  const { offsets, fills } = await filled(10);
  assert.deepEqual(offsets(), []);
  assert.equal(fills(), 0);
});

test("a symbol with few trades is searched further back, but not before the ring", async () => {
  const asked = serve([quote(170_000), trade(170_001), trade(190_000), trade(200_000)], { first: 100_000 });
  assert.deepEqual((await filled(200_000, 9)).offsets(), [200_000, 190_000, 170_001]);
  assert.deepEqual(asked, [200_000 - 4_096, 200_000 - 32_768, 200_000 - 196_608]);
});

test("a long answer is read page by page", async () => {
  const asked = serve([quote(1), trade(2), trade(3), trade(4), trade(5)], { page: 2 });
  assert.deepEqual((await filled(5, 2)).offsets(), [5, 4]);
  assert.deepEqual(asked, [0, 2, 4]);
});

test("an answer of another run, an error, and a server that does not answer leave the tape empty", async () => {
  serve([quote(1), trade(2)], { epoch: "e2" });
  assert.deepEqual((await filled(2)).offsets(), []);
  globalThis.fetch = async () => Response.json({ status: 503 }, { status: 503 });
  assert.deepEqual((await filled(2)).offsets(), []);
  globalThis.fetch = async () => { throw new TypeError("failed"); };
  assert.deepEqual((await filled(2)).offsets(), []);
});

test("trades that come when another run of the server is in use, or after another symbol was asked for, are not shown", async () => {
  serve([quote(1), trade(2)]);
  const log = new TradeLog();
  let epoch = "e1";
  let fills = 0;
  const past = new PastTrades(log, () => ({ epoch, followed_offset: 2 }), () => { fills += 1; });
  const loaded = past.load("AAPL", 3);
  epoch = "e2";
  await loaded;
  assert.deepEqual([fills, log.newest("AAPL", 3)], [0, []]);
  epoch = "e1";
  await Promise.all([past.load("AAPL", 3), past.load("KO", 3)]);
  assert.deepEqual([fills, log.isFilled("AAPL")], [1, false]);
});

test("the spread and the balance of the best quotes", () => {
  assert.equal(spreadOf({ bid: 99.99, ask: 100.01 }), "0.02 · 2.0 bp");
  assert.equal(spreadOf({ bid: 0.5, ask: 0.5005 }), "0.0005 · 10.0 bp");
  assert.equal(balanceOf({ bid_size: 300, ask_size: 100 }), 0.75);
  assert.equal(balanceOf({ bid_size: 0, ask_size: 0 }), 0.5);
});
