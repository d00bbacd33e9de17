// @ts-check
// Checks that the pages ask for what the viewer's key permits, and say what it does not. Socket and answers are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setKey, setTickets, startAccess } from "../js/access.js";
import { CandleSeries } from "../js/candles.js";
import { describe } from "../js/connection.js";
import { formatPrice } from "../js/format.js";
import { Link } from "../js/link.js";
import { Market } from "../js/market.js";
import { Refusals } from "../js/refusals.js";
import { judge } from "../js/signin.js";
import { fromSnapshot } from "../js/ticker.js";
import { lacking, permitted, wishesOf } from "../js/wishes.js";
import { snapshot, trade } from "./messages.js";

const NATIVE = { WebSocket: globalThis.WebSocket, fetch: globalThis.fetch, document: globalThis.document, addEventListener: globalThis.addEventListener };
const wishes = wishesOf({ charted: "AAPL", interval: "1m", isHidden: false, seen: ["KO"], unseen: [], pace: 4, watched: new Map([["V", ["trades"]]]) });
const KEY = { symbols: 500, max_hz: 2, channels: /** @type {const} */ (["trades", "bars.1m"]) };
const WELCOME = { type: "welcome", epoch: "e1", offset: 1, heartbeat_ms: 15_000 };

/** @typedef {{ action: string, id: number, symbols: string[], channels: string[], mode?: string, max_hz?: number }} Request */

class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = [];
  readyState = 1;
  /** @type {Request[]} */
  sent = [];
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  constructor() {
    FakeSocket.all.push(this);
  }
  /** @param {object[]} messages */
  say(...messages) {
    this.onmessage?.({ data: JSON.stringify(messages) });
  }
  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {}
}

const turn = async () => {
  for (let step = 0; step < 5; step += 1) await new Promise((resolve) => setImmediate(resolve));
};
const quiet = () => {};
/** @type {string[]} */
let refusals = [];

beforeEach(async () => {
  // The page checks its connection for ever.
  mock.timers.enable({ apis: ["setTimeout"] });
  FakeSocket.all = [];
  refusals = [];
  setKey(null);
  setTickets(() => null);
  await startAccess(async () => ({ admit: async () => false, showAccount: async () => {} }));
  Object.assign(globalThis, { WebSocket: FakeSocket, document: Object.assign(new EventTarget(), { visibilityState: "visible" }), addEventListener: quiet });
});
afterEach(() => {
  document.dispatchEvent(new Event("freeze"));
  mock.timers.reset();
  Object.assign(globalThis, NATIVE);
});

/** Returns the page's connection, which has just begun. */
function start() {
  const link = new Link("http://localhost/", { onStatus: quiet, onFrame: quiet, onRefused: (message) => refusals.push(message) });
  link.want(wishes);
  link.start();
  return link;
}

/** @param {FakeSocket} socket */
const asked = ({ sent }) => sent.filter(({ action }) => action === "subscribe").map(({ symbols, channels, mode = "all", max_hz }) =>
  [symbols, channels, mode, max_hz ?? ""].join(" ").trim());

test("with a key that has a rate, every subscription is in mode latest, at no higher rate, and of channels that have this mode", async () => {
  start();
  const [socket] = FakeSocket.all;
  socket.say({ ...WELCOME, limits: { symbols: 500, max_hz: 2 } });
  await turn();
  assert.deepEqual(asked(socket), ["AAPL,V,KO quotes,trades latest 2"]);
  assert.deepEqual(lacking({ max_hz: 2 }), ["corrections", "cancels"]);
});

test("only channels are asked for that the key has, and of a symbol without one nothing", async () => {
  start();
  const [socket] = FakeSocket.all;
  socket.say({ ...WELCOME, limits: KEY });
  await turn();
  assert.deepEqual(asked(socket), ["AAPL,V,KO trades latest 2"]);
  assert.deepEqual(lacking(KEY), ["quotes", "corrections", "cancels"]);
  assert.deepEqual([...permitted(wishes, { channels: ["bars.1m"] }).keys()], ["AAPL"]);
  assert.equal(permitted(wishes, { symbols: 5 }), wishes, "without a key nothing changes");
  assert.deepEqual(lacking({}), []);
});

test("a refused subscription is told to the viewer, and one that the server puts off is not", async () => {
  start();
  const [socket] = FakeSocket.all;
  socket.say({ ...WELCOME, limits: { symbols: 500 } });
  await turn();
  const [{ id }] = socket.sent;
  socket.say({ type: "error", id, code: "rate_limited", message: "slower" }, { type: "error", id, code: "unknown_symbol", message: "no", symbols: ["V"] });
  assert.deepEqual(refusals, []);
  socket.say({ type: "error", id, code: "forbidden_channel", message: "the key does not include these channels: quotes" });
  assert.deepEqual(refusals, ["the key does not include these channels: quotes"]);
});

test("where no welcome tells what a key permits, the refusals do", () => {
  const known = new Refusals();
  const mode = { code: "forbidden_mode", message: "the key has at most 2 events per second of each topic: mode latest" };
  const channel = { code: "forbidden_channel", message: "the key does not include these channels: quotes, bars.1m.updated" };
  assert.deepEqual([known.learn(mode), known.learn(mode), known.learn(channel), known.learn(channel)], [true, false, true, false]);
  assert.equal(known.limits.max_hz, 4);
  assert.deepEqual([...permitted(wishes, known.limits).values()].map(({ channels }) => channels.join()), ["trades", "trades", "trades"]);
});

test("the badge of a delayed key says how much later its prices come, in place of live", async () => {
  const page = start();
  FakeSocket.all[0].say({ ...WELCOME, limits: { symbols: 500, delay_ms: 900_000 } });
  await turn();
  assert.deepEqual(describe(page.status, 0), ["Delayed 15 min", "WebSocket"]);
  assert.deepEqual(describe({ state: "live", fallback: null, delay_ms: 20_000 }, 0)[0], "Delayed 20 s");
  assert.deepEqual(describe({ state: "live", fallback: "sse", delay_ms: 60_000 }, 0), ["WebSocket refused", "Delayed 1 min"]);
  assert.deepEqual(describe({ state: "live", fallback: null, delay_ms: 0 }, 0)[0], "Live");
});

test("where the key has no more, merged trades of the charted symbol fill its tape and move its candles", () => {
  const market = new Market({ onOpen: quiet, onReset: quiet, onFollowed: quiet, onLag: quiet, onUnknown: quiet });
  market.want(new Map([["AAPL", { channels: ["trades"], max_hz: 2, isFollowed: true }], ["KO", { channels: ["trades"], max_hz: 2 }]]));
  market.take([{ type: "open", transport: "websocket", epoch: "e1", symbols_max: 5 }, snapshot({ trades: 1 }), snapshot({ trades: 1 }, { symbol: "KO" })], 0, undefined);
  const series = new CandleSeries({ symbol: "AAPL", interval: "1m", epoch: "e1", offset: 100, bars: [] });
  market.candles.add(series);
  const early = { ts: 60_000_000, price: 10, size: 1 };
  market.take([trade(4, 104, { ...early, skipped: 2 }), trade(2, 105, { symbol: "KO" }), trade(6, 110, { ts: 120_000_000, price: 11, skipped: 1 })], 0, undefined);
  assert.deepEqual(market.log.newest("AAPL", 9).map(({ seq }) => seq), [6, 4]);
  assert.deepEqual(market.log.newest("KO", 9), [], "a row has no tape");
  assert.deepEqual(series.bars.map(({ volume, high }) => [volume, high]), [[1, 10], [1, 11]]);
});

test("figures of a channel that the key lacks are a dash", () => {
  const { bid, price } = fromSnapshot(/** @type {import("../js/protocol.js").Snapshot} */ (/** @type {unknown} */ ({ type: "snapshot", symbol: "AAPL", offset: 1, ts: 1, prev_close: 3, seq: {} })));
  assert.deepEqual([bid, price, formatPrice(bid), formatPrice(price)], [undefined, undefined, "–", "–"]);
});

test("no connection is made while the viewer is asked for a key, and one with the key after that", async () => {
  /** @type {(isIn: boolean) => void} */
  let answer = quiet;
  await startAccess(async () => ({ admit: () => new Promise((resolve) => { answer = resolve; }), showAccount: async () => {} }));
  globalThis.fetch = async () => new Response("{}", { status: 401 });
  const { fetchAs } = await import("../js/access.js");
  void fetchAs("api/v1/bars");
  await turn();
  const page = start();
  await turn();
  assert.equal(FakeSocket.all.length, 0);
  assert.equal(describe(page.status, 0)[0], "Key needed");
  setKey("tcs_secret");
  answer(true);
  await turn();
  assert.equal(FakeSocket.all.length, 1);
});

test("a secret that was cut or mistyped is told apart from an unknown one", async () => {
  /** @param {object} problem */
  const serve = (problem, status = 401) => { globalThis.fetch = async () => Response.json(problem, { status }); };
  serve({ detail: "the secret was cut or mistyped: its checksum is wrong" });
  assert.deepEqual(await judge("tcs_x"), { status: 401, isMistyped: true });
  serve({ detail: "the server does not know this key" });
  assert.deepEqual(await judge("tcs_x"), { status: 401, isMistyped: false });
  serve({ symbols: [] }, 200);
  assert.deepEqual(await judge("tcs_x"), { status: 200, isMistyped: false });
});
