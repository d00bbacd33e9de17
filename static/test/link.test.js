// @ts-check
// Checks when the page detects a dead connection, and when it reconnects. Socket, clock and page events are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { describeReason } from "../js/connection.js";
import { folded, outcomeOf } from "../js/connectionpanel.js";
import { Link } from "../js/link.js";
import { wishesOf } from "../js/wishes.js";

const NATIVE = { WebSocket: globalThis.WebSocket, fetch: globalThis.fetch, document: globalThis.document, addEventListener: globalThis.addEventListener };
/** @type {import("../js/wishes.js").Wishes} */
const WISHES = new Map([["AAPL", { channels: ["trades"] }]]);
let now_ms = 0;
/** @type {FakeSocket[]} */
let sockets = [];
/** @type {Link} */
let link;
/** The target of the page's own events. */
let listeners = new EventTarget();

class FakeSocket {
  static OPEN = 1;
  static CLOSED = 3;
  readyState = 0;
  /** The requests that the page has sent. @type {{ action: string, symbols?: string[], channels?: string[], mode?: string, max_hz?: number, ts: number }[]} */
  sent = [];
  isAnswering = true;
  /** @type {((event: { code: number }) => void) | null} */
  onclose = null;
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** How long a pong takes. */
  trip_ms = 0;
  constructor() {
    sockets.push(this);
  }
  open(more = {}) {
    this.readyState = 1;
    this.say({ type: "welcome", epoch: "e1", offset: 1, heartbeat_ms: 15_000, ...more });
  }
  /** @param {object[]} messages */
  say(...messages) {
    this.onmessage?.({ data: JSON.stringify(messages) });
  }
  /** @param {string} text */
  send(text) {
    const request = JSON.parse(text);
    this.sent.push(request);
    if (request.action !== "ping" || !this.isAnswering) return;
    setTimeout(() => this.say({ type: "pong", ts: request.ts, server_ts: request.ts, offset: 1 }), this.trip_ms);
  }
  close() {
    this.readyState = FakeSocket.CLOSED;
  }
}

/** The answers over HTTP: none, unless the test replaces this. @type {(url: string) => Promise<Response>} */
let answer;
/** @param {string} url */
const refuse = (url) => answer(url);

beforeEach(() => {
  answer = async () => { throw new TypeError("fetch failed"); };
  sockets = [];
  now_ms = 1_000;
  listeners = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  Object.assign(globalThis, { WebSocket: FakeSocket, fetch: refuse, document, addEventListener: listeners.addEventListener.bind(listeners) });
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000 });
  // The clock must advance at each call: the page measures its resolution at the start.
  mock.method(performance, "now", () => (now_ms += 0.001));
  link = new Link("http://localhost/", { onStatus: () => {}, onFrame: () => {} });
});
afterEach(() => {
  document.dispatchEvent(new Event("freeze"));
  mock.timers.reset();
  mock.restoreAll();
  Object.assign(globalThis, NATIVE);
});

/** Lets time pass for the page; `each` is done every 50 ms. @param {number} ms */
async function pass(ms, each = () => {}) {
  for (let passed = 0; passed < ms; passed += 50) {
    now_ms += 50;
    mock.timers.tick(50);
    await new Promise((resolve) => setImmediate(resolve));
    each();
  }
}

/** Lets time pass until the state is this one. Returns how long that took. @param {import("../js/link.js").Status["state"]} state */
async function until(state, ms_max = 60_000) {
  const begun = now_ms;
  while (link.status.state !== state) {
    assert.ok(now_ms - begun < ms_max, `${link.status.state} for ${ms_max} ms`);
    await pass(50);
  }
  return now_ms - begun;
}

async function live() {
  link.want(WISHES);
  link.start();
  sockets[0].open();
  await pass(3_000);
  assert.equal(link.status.state, "live");
  return sockets[0];
}

test("the first cause of an outage is kept, however many attempts follow, until the page is live again", async () => {
  const socket = await live();
  assert.equal(link.outage, null);
  socket.isAnswering = false;
  await until("stale");
  await until("reconnecting");
  assert.match(outcomeOf(/** @type {import("../js/link.js").Outage} */ (link.outage).attempt), /^no answer for 1\d s, closed by this page$/);
  const begun_ms = link.outage?.at_ms;
  await pass(120_000);
  assert.equal(link.outage?.at_ms, begun_ms);
  assert.match(outcomeOf(/** @type {import("../js/link.js").Outage} */ (link.outage).attempt), /closed by this page/);
  assert.ok((link.outage?.tries ?? 0) > 5, String(link.outage?.tries));
  link.choose("websocket");
  sockets.at(-1)?.open();
  await until("live");
  assert.equal(link.outage, null);
});

test("attempts that are alike are one row", () => {
  const rows = [["3", "WebSocket", "no answer"], ["2", "poll", "no answer"], ["1", "WebSocket", "no answer"], ["0", "WebSocket", "the server is restarting"]];
  assert.deepEqual(folded(rows), [["3", "WebSocket", "no answer (×2)"], ["2", "poll", "no answer"], ["0", "WebSocket", "the server is restarting"]]);
});

test("a connection is never stale because the market is quiet", async () => {
  for (const trip_ms of [0, 400, 3_000]) {
    sockets = [];
    link = new Link("http://localhost/", { onStatus: ({ state }) => assert.notEqual(state, "stale", `${trip_ms} ms`), onFrame: () => {} });
    link.start();
    sockets[0].trip_ms = trip_ms;
    sockets[0].open();
    await pass(120_000, () => assert.equal(link.status.state, "live"));
    assert.ok(sockets[0].sent.length < 130, "about one ping a second, and no more");
  }
});

test("a silent connection is stale within three seconds, until the next message", async () => {
  const socket = await live();
  for (let turn = 0; turn < 5; turn += 1) {
    socket.isAnswering = false;
    assert.ok(await until("stale") <= 3_000);
    socket.isAnswering = true;
    assert.ok(await until("live") <= 1_100);
    await pass(370 * turn);
  }
  assert.equal(sockets.length, 1);
});

test("while a server is unreachable, an attempt is running nearly all the time", async () => {
  const socket = await live();
  socket.isAnswering = false;
  await until("reconnecting");
  assert.equal(socket.readyState, FakeSocket.CLOSED);
  let idle_ms = 0;
  await pass(120_000, () => { if (sockets.at(-1).readyState === FakeSocket.CLOSED) idle_ms += 50; });
  assert.ok(idle_ms < 8_000, `${idle_ms} ms of two minutes`);
  assert.ok(sockets.length < 15, "but no storm of them");
  await until("reconnecting");
  while (sockets.at(-1).readyState !== 0) await pass(50);
  sockets.at(-1).open();
  assert.equal(link.status.state, "live");
  const asked = sockets.at(-1).sent.filter((request) => request.action === "subscribe");
  assert.deepEqual(asked.map((request) => request.symbols), [["AAPL"]], "everything is asked for again");
});

for (const event of ["online", "resume", "visibilitychange", "pageshow", "offline"]) {
  test(`after ${event} a connection that is dead is replaced within three seconds`, async () => {
    const socket = await live();
    socket.isAnswering = false;
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    // A message from before the machine fell asleep is read only now, so it does not prove that the connection is alive.
    await pass(100);
    socket.say({ type: "heartbeat", ts: 1, offset: 1 });
    await pass(2_500);
    assert.equal(sockets.length, 2);
    sockets[1].open();
    assert.equal(link.status.state, "live");
  });

  test(`after ${event} a connection that answers stays`, async () => {
    const socket = await live();
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    await pass(20_000, () => assert.equal(link.status.state, "live"));
    assert.deepEqual([sockets.length, socket.readyState], [1, FakeSocket.OPEN]);
  });

  test(`after ${event} a countdown ends at once`, async () => {
    await live();
    for (let attempt = 0; attempt < 8; attempt += 1) {
      sockets.at(-1).onclose({ code: 1006 });
      while (sockets.at(-1).readyState !== 0) await pass(50);
    }
    sockets.at(-1).onclose({ code: 1006 });
    // The other transports fail at once.
    await pass(50);
    const before = sockets.length;
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    assert.equal(sockets.length, before + 1);
  });
}

test("a suspended machine is detected by its clocks, even if one of them stood still", async () => {
  for (const isMonotonic of [true, false]) {
    sockets = [];
    link = new Link("http://localhost/", { onStatus: () => {}, onFrame: () => {} });
    (await live()).isAnswering = false;
    if (isMonotonic) now_ms += 3_600_000;
    mock.timers.setTime(Date.now() + 3_600_000);
    await pass(3_000);
    assert.equal(sockets.length, 2, "there is another attempt within three seconds");
    sockets[1].open();
    assert.equal(link.status.state, "live");
  }
});

test("a frozen page holds no connection, and a thawed one reconnects", async () => {
  const socket = await live();
  document.dispatchEvent(new Event("freeze"));
  assert.equal(socket.readyState, FakeSocket.CLOSED);
  assert.equal(link.status.state, "reconnecting");
  document.dispatchEvent(new Event("resume"));
  assert.equal(sockets.length, 2);
});

for (const code of [1002, 1003, 1007, 1009, 4500, 4999]) {
  test(`after close code ${code}, after which reconnecting is of no use, the page makes no attempt by itself`, async () => {
    (await live()).onclose({ code });
    assert.equal(link.status.state, "closed");
    assert.match(describeReason(link.status), /does not reconnect by itself/);
    listeners.dispatchEvent(new Event("online"));
    await pass(60_000);
    assert.equal(sockets.length, 1);
    link.retryNow();
    assert.equal(sockets.length, 2, "the viewer may ask for one");
  });
}

for (const [code, least_ms, reason] of /** @type {[number, number, string][]} */ ([
  [1006, 500, "the connection was lost"], [1013, 500, "the server is overloaded"], [4000, 5_000, "this page sent too many requests"],
  [4003, 500, "the server heard nothing from this page"], [4004, 500, "this page could not keep up with the prices"],
  [4499, 500, "the server closed the connection"],
])) {
  test(`after close code ${code} the page reconnects, not within ${least_ms} ms, and names the reason until then`, async () => {
    (await live()).onclose({ code });
    assert.equal(describeReason(link.status), reason);
    await pass(least_ms - 50);
    assert.equal(sockets.length, 1);
    await pass(least_ms + 550);
    assert.equal(sockets.length, 2);
    assert.equal(describeReason(link.status), reason);
    sockets[1].open();
    assert.equal(describeReason(link.status), "");
  });
}

test("after a goodbye the page reconnects when the server has asked for it", async () => {
  const socket = await live();
  socket.say({ type: "goodbye", reason: "shutdown", retry_after_ms: 840 });
  socket.onclose({ code: 1001 });
  assert.equal(describeReason(link.status), "the server is restarting");
  await pass(800);
  assert.equal(sockets.length, 1);
  // And a random part, as all pages were told the same.
  await pass(50 + 250);
  assert.equal(sockets.length, 2);
});

/** @param {string[]} seen @param {string | null} charted @param {import("../js/protocol.js").Interval} interval @param {boolean} isHidden */
const wishesFor = (seen, charted, interval, isHidden) => wishesOf({ charted, interval, isHidden, seen, unseen: [], pace: 4, watched: new Map() });

/** Returns the requests that change the subscriptions of a page from these to those. @param {Parameters<typeof wishesFor>} before @param {Parameters<typeof wishesFor>} after */
async function requestsFor(before, after) {
  sockets = [];
  link = new Link("http://localhost/", { onStatus: () => {}, onFrame: () => {} });
  link.want(wishesFor(...before));
  link.start();
  sockets[0].open();
  await pass(50);
  const already = sockets[0].sent.length;
  link.want(wishesFor(...after));
  await pass(50);
  return sockets[0].sent.slice(already).filter(({ action }) => action !== "ping").map(({ action, symbols, channels = [], mode, max_hz }) =>
    [action, symbols.join(), channels.join(), mode, max_hz].filter(Boolean).join(" "));
}
const WATCH = ["AAPL", "MSFT", "KO"];

test("a page subscribes with one request per set of channels", async () => {
  assert.deepEqual(await requestsFor([[], null, "1m", false], [WATCH, "AAPL", "1m", false]),
    ["subscribe AAPL bars.1m,bars.1m.updated,cancels,corrections,quotes,trades", "subscribe MSFT,KO quotes,trades latest 4"]);
});

test("bars that are no longer charted are unsubscribed", async () => {
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", false], [WATCH, "AAPL", "5m", false]),
    ["unsubscribe AAPL bars.1m,bars.1m.updated", "subscribe AAPL bars.5m"]);
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", false], [WATCH, "KO", "1m", false]),
    ["unsubscribe AAPL bars.1m,bars.1m.updated,cancels,corrections", "subscribe KO bars.1m,bars.1m.updated,cancels,corrections,quotes,trades", "subscribe AAPL quotes,trades latest 4"]);
});

test("adding and removing a symbol changes nothing else", async () => {
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", false], [WATCH, "AAPL", "1m", false]), []);
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", false], [["AAPL", "KO", "V"], "AAPL", "1m", false]),
    ["unsubscribe MSFT", "subscribe V quotes,trades latest 4"]);
});

test("a page that is hidden keeps a price a second, and asks for everything when it is shown", async () => {
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", false], [WATCH, "AAPL", "1m", true]),
    ["unsubscribe AAPL bars.1m,bars.1m.updated,cancels,corrections,quotes", "unsubscribe MSFT,KO", "subscribe AAPL trades latest 1"]);
  assert.deepEqual(await requestsFor([WATCH, "AAPL", "1m", true], [WATCH, "AAPL", "1m", false]),
    ["subscribe AAPL bars.1m,bars.1m.updated,cancels,corrections,quotes,trades", "subscribe MSFT,KO quotes,trades latest 4"]);
});

test("no more symbols are subscribed than the server permits", async () => {
  link.want(wishesFor(WATCH, "AAPL", "1m", false));
  link.start();
  sockets[0].open({ limits: { symbols: 2 } });
  assert.deepEqual([link.symbols_max, sockets[0].sent.flatMap(({ symbols = [] }) => symbols)], [2, ["AAPL", "MSFT"]]);
});

test("where no WebSocket gets through, the page is live by another transport, and says so", async () => {
  answer = async (url) => {
    const text = url.includes("/stream") ? `data: ${JSON.stringify([{ type: "welcome", epoch: "e1", offset: 1, heartbeat_ms: 15_000 }, { type: "subscribed", recovered: true }])}\nid: e1:1\n\n` : "";
    if (text === "") return Response.json({ epoch: "e1", offset: 1, cursor: "e1:1", recovered: false, messages: [], snapshots: [] });
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  link.want(WISHES);
  link.start();
  sockets[0].onclose({ code: 1006 });
  assert.equal(await until("live") < 1_000, true);
  for (let turns = 0; link.status.state === "live" && link.status.fallback !== "sse"; turns += 1) {
    assert.ok(turns < 20, link.status.fallback);
    await pass(50);
  }
  assert.match(describeReason(link.status), /no WebSocket gets through/);
  const [now, before] = link.attempts;
  assert.deepEqual([link.attempts.length, now.transport, outcomeOf(now)], [2, "sse", "in use"]);
  assert.deepEqual([before.transport, before.ready_ms, outcomeOf(before)], ["websocket", null, "does not get through"]);
  await pass(20_000, () => assert.equal(link.status.state, "live"));
});

test("a WebSocket that answers pings but brings no prices is replaced, and the second time left for another transport", async () => {
  const figures = { price: 1, bid: 1, bid_size: 1, ask: 1, ask_size: 1, open: 1, high: 1, low: 1, prev_close: 1, volume: 1, ts: 1 };
  /** @param {number} trades the number of the newest trade */
  const snapshot = (trades) => ({ type: "snapshot", symbol: "AAPL", offset: trades, seq: { trades, quotes: 1 }, ...figures });
  let asked = 0;
  answer = async (url) => {
    if (url.includes("/stream")) {
      const text = `data: ${JSON.stringify([{ type: "welcome", epoch: "e1", offset: 9, heartbeat_ms: 15_000 }, { type: "subscribed", recovered: true }])}\nid: e1:9\n\n`;
      const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    }
    asked += 1;
    return Response.json({ epoch: "e1", offset: 9, snapshots: [snapshot(9)] });
  };
  link.want(WISHES);
  link.start();
  for (const count of [1, 2]) {
    while (sockets.length < count) await pass(50);
    const socket = sockets[count - 1];
    socket.open();
    await pass(50);
    const { id } = /** @type {{ id: number }} */ (/** @type {unknown} */ (socket.sent.find(({ action }) => action === "subscribe")));
    socket.say({ type: "subscribed", id, ...(count === 1 ? {} : { recovered: true }) }, ...(count === 1 ? [snapshot(7)] : []));
    await pass(4_500, () => assert.equal(link.status.state, "live"));
    const [attempt] = link.attempts;
    for (let turns = 0; attempt.failure === null; turns += 1) {
      assert.ok(turns < 80);
      await pass(50);
    }
    assert.deepEqual([asked, attempt.transport, outcomeOf(attempt)], [count, "websocket", "the connection was open, but brought no prices"]);
    if (count === 1) assert.equal(describeReason(link.status), "the connection was open, but brought no prices");
  }
  await until("live");
  assert.deepEqual([link.attempts[0].transport, sockets.length], ["sse", 2]);
  assert.match(describeReason(link.status), /no prices came over it/);
});

test("the viewer's choice of a transport takes over at once, and the page resumes by it", async () => {
  /** @type {string[]} */
  const urls = [];
  const socket = await live();
  socket.say({ type: "snapshot", symbol: "AAPL", epoch: "e1", offset: 7, seq: {}, price: 1, bid: 1, bid_size: 1, ask: 1, ask_size: 1, open: 1, high: 1, low: 1, prev_close: 1, volume: 1, ts: 1 });
  answer = async (url) => {
    urls.push(url);
    // Like a server that waits for events.
    if (urls.length > 1) return new Promise(() => {});
    return Response.json({ epoch: "e1", offset: 9, cursor: "e1:9", recovered: true, messages: [], snapshots: [] });
  };
  link.choose("poll");
  await pass(500);
  assert.equal(socket.readyState, FakeSocket.CLOSED);
  assert.ok(urls.length > 0 && urls.every((url) => url.includes("/poll?")), urls[0]);
  const { status } = link;
  assert.ok(status.state === "live" && status.transport === "poll" && status.fallback === null, "not a fallback, as it was chosen");
  assert.equal(describeReason(status), "");
  assert.deepEqual(link.attempts.map(({ transport }) => transport), ["poll", "websocket"]);
  assert.equal(outcomeOf(link.attempts[1]), "replaced by this page");
  link.choose("poll");
  link.choose("auto");
  sockets[1].open();
  await pass(500);
  assert.ok(link.status.state === "live" && link.status.transport === "websocket");
  assert.equal(sockets.length, 2);
  for (let turn = 0; turn < 10; turn += 1) link.choose(turn % 2 ? "auto" : "poll");
  assert.equal(link.attempts.length, 8, "no more are remembered");
});

test("after a seek of a replay the page connects again soon, and only a failure of that is one", async () => {
  (await live()).onclose({ code: 4007 });
  assert.deepEqual([link.status, describeReason(link.status)], [{ state: "moving" }, ""]);
  await pass(1_500);
  assert.deepEqual([sockets.length, link.status.state], [2, "moving"]);
  sockets[1].open({ epoch: "e2" });
  await until("live");
  sockets[1].onclose({ code: 4007 });
  await pass(1_500);
  sockets[2].onclose({ code: 1006 });
  assert.equal(link.status.state, "reconnecting");
});
