// @ts-check
// The page over server-sent events: the snapshots of a changed subscription come on a connection of their own, before or after events of
// the streams. The page counts no hole, and the tape misses no trade.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../../clients/js/tickcast.js";
import { Market } from "../js/market.js";
import { snapshot, trade } from "./messages.js";

/** @typedef {import("../js/wishes.js").Wish} Wish */
/** @typedef {{ url: string, say: (offset: number, ...messages: object[]) => Promise<void> }} Stream */
/** @typedef {{ url: string, answer: (offset: number, ...messages: object[]) => Promise<void> }} Poll */

/** Lets everything happen that waits for nothing but its turn. */
async function settled() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A page whose requests the test answers. @param {import("node:test").TestContext} context */
function openPage(context) {
  /** @type {Stream[]} */
  const streams = [];
  /** @type {Poll[]} */
  const polls = [];
  const encoder = new TextEncoder();
  const fetch = async (/** @type {string | URL | Request} */ address) => {
    const url = String(address);
    if (!url.includes("/stream?")) {
      return new Promise((/** @type {(response: Response) => void} */ resolve) => {
        const answer = async (/** @type {number} */ offset, /** @type {object[]} */ ...messages) => {
          resolve(new Response(JSON.stringify({ epoch: "e1", offset, cursor: `e1:${offset}`, recovered: true, messages })));
          await settled();
        };
        polls.push({ url, answer });
      });
    }
    const body = new ReadableStream({
      start(controller) {
        const say = async (/** @type {number} */ offset, /** @type {object[]} */ ...messages) => {
          controller.enqueue(encoder.encode(`id: e1:${offset}\ndata: ${JSON.stringify(messages)}\n\n`));
          await settled();
        };
        streams.push({ url, say });
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const client = new Client("http://localhost/", { transports: ["sse"], fetch, ping_ms: 0 });
  const quiet = () => {};
  const market = new Market({ onOpen: quiet, onReset: quiet, onFollowed: quiet, onLag: quiet, onUnknown: quiet });
  client.on("batch", ({ messages, received_us }) => market.take(messages, received_us, undefined));
  const want = async (/** @type {Record<string, Wish>} */ wishes) => {
    market.want(new Map(Object.entries(wishes)));
    client.replace(Object.entries(wishes).map(([symbol, { channels, max_hz }]) => [symbol, { channels, max_hz }]));
    if (client.status.state === "idle") client.connect();
    await settled();
  };
  context.after(() => client.close());
  return { client, market, want, streams, polls };
}

const hello = (/** @type {number} */ offset) => ({ type: "welcome", epoch: "e1", offset, heartbeat_ms: 15_000 });
/** A trade of MSFT whose price is its number. @param {number} seq @param {number} offset @param {object} [more] */
const msft = (seq, offset, more = {}) => trade(seq, offset, { symbol: "MSFT", price: seq, ...more });
/** @param {number} trades @param {number} offset @param {Record<string, number>} [seq] */
const fresh = (trades, offset, seq = {}) => snapshot({ trades, quotes: 9, ...seq }, { symbol: "MSFT", offset, ts: offset * 1_000, price: trades });
const QUOTED = /** @type {Wish["channels"]} */ (["trades", "quotes"]);

test("a row whose rate changes goes on without a snapshot", async (context) => {
  const { client, market, want, streams, polls } = openPage(context);
  await want({ MSFT: { channels: QUOTED, max_hz: 4 } });
  await polls[0].answer(100, fresh(57, 100));
  await streams[0].say(100, hello(100));
  await streams[0].say(104, msft(61, 104, { skipped: 3 }));
  await want({ MSFT: { channels: QUOTED, max_hz: 1 } });
  await streams[1].say(104, hello(104));
  client.refresh();
  await streams[1].say(108, msft(65, 108, { skipped: 3 }));
  assert.equal(market.tickers.get("MSFT")?.price, 65, "the row does not wait for a snapshot");
  await polls[1].answer(106, fresh(63, 106));
  await streams[1].say(112, msft(69, 112, { skipped: 3 }));
  assert.deepEqual([market.sequences.holes, market.tickers.get("MSFT")?.price], [0, 69]);
});

test("of two fresh snapshots the older one, which comes later, sets nothing back", async (context) => {
  const { client, market, want, streams, polls } = openPage(context);
  await want({ MSFT: { channels: QUOTED, max_hz: 4 } });
  await polls[0].answer(100, fresh(57, 100));
  await streams[0].say(100, hello(100));
  client.refresh();
  client.refresh();
  await settled();
  await polls[2].answer(104, fresh(61, 104));
  await streams[0].say(103, msft(60, 103, { skipped: 2 }));
  await polls[1].answer(102, fresh(59, 102));
  await streams[0].say(106, msft(63, 106, { skipped: 2 }));
  assert.deepEqual([market.sequences.holes, market.tickers.get("MSFT")?.price], [0, 63]);
});

test("another channel of a symbol takes no trade from the tape", async (context) => {
  const { market, want, streams, polls } = openPage(context);
  const bars = { "bars.1m": 3, "bars.5m": 3 };
  await want({ MSFT: { channels: [...QUOTED, "bars.1m"] } });
  await polls[0].answer(100, fresh(57, 100, bars));
  await streams[0].say(100, hello(100));
  await streams[0].say(101, msft(58, 101));
  await want({ MSFT: { channels: [...QUOTED, "bars.5m"] } });
  await polls[1].answer(103, fresh(60, 103, bars));
  await streams[1].say(101, hello(101));
  await streams[1].say(104, msft(59, 102), msft(60, 103), msft(61, 104));
  assert.equal(market.sequences.holes, 0);
  assert.deepEqual(market.log.newest("MSFT", 9).map(({ seq }) => seq), [61, 60, 59, 58]);
});

test("a stream that is replaced begins where it was, however far the others are", async (context) => {
  const { client, market, want, streams, polls } = openPage(context);
  /** @type {string[]} */
  const failures = [];
  client.on("status", ({ failure }) => failure && failures.push(failure.cause));
  const aapl = (/** @type {number} */ seq, /** @type {number} */ offset) => trade(seq, offset, { symbol: "AAPL" });
  const row = { channels: /** @type {Wish["channels"]} */ (["trades"]), max_hz: 4 };
  await want({ AAPL: { channels: ["trades"] }, MSFT: row });
  await polls[0].answer(100, snapshot({ trades: 10 }, { symbol: "AAPL", offset: 100 }));
  await polls[1].answer(100, fresh(57, 100));
  for (const stream of streams) await stream.say(100, hello(100));
  await streams[0].say(101, aapl(11, 101));
  await streams[1].say(101);
  await want({ AAPL: { channels: QUOTED }, MSFT: row });
  await streams[1].say(110, msft(58, 110));
  await polls[2].answer(104, snapshot({ trades: 14, quotes: 1 }, { symbol: "AAPL", offset: 104 }));
  const after = Number(/after=e1%3A(\d+)/.exec(streams[2].url)?.[1]);
  await streams[2].say(after, hello(after));
  const trades = Array.from({ length: 9 }, (_, index) => aapl(12 + index, 102 + index));
  await streams[2].say(112, ...trades.filter(({ offset }) => offset > after));
  assert.deepEqual([failures, market.sequences.holes], [[], 0]);
  assert.deepEqual(market.log.newest("AAPL", 99).map(({ seq }) => seq), [20, 19, 18, 17, 16, 15, 14, 13, 12, 11]);
});
