// @ts-check
// Checks when the page detects a dead connection, and when it reconnects. Socket, clock and page events are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { describeReason } from "../js/connection.js";
import { Feed } from "../js/feed.js";

const NATIVE = { WebSocket: globalThis.WebSocket, document: globalThis.document, addEventListener: globalThis.addEventListener };
/** @type {import("../js/wishes.js").Wishes} */
const WISHES = new Map([["AAPL", { channels: ["trades"] }]]);
let now_ms = 0;
/** @type {FakeSocket[]} */
let sockets = [];
/** @type {Feed} */
let feed;
/** The target of the page's own events. */
let listeners = new EventTarget();

class FakeSocket {
  static OPEN = 1;
  static CLOSED = 3;
  readyState = 0;
  /** The requests that the page has sent. @type {{ action: string, symbols?: string[], ts: number }[]} */
  sent = [];
  isAnswering = true;
  onopen = () => {};
  /** @type {((event: { code: number }) => void) | null} */
  onclose = null;
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** How long a pong takes. */
  trip_ms = 0;
  constructor() {
    sockets.push(this);
  }
  open() {
    this.readyState = 1;
    this.onopen();
    this.say({ type: "welcome", epoch: "e1", offset: 1, heartbeat_ms: 15_000 });
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
    setTimeout(() => this.say({ type: "pong", ts: request.ts, server_ts: request.ts }), this.trip_ms);
  }
  close() {
    this.readyState = FakeSocket.CLOSED;
  }
}

beforeEach(() => {
  sockets = [];
  now_ms = 1_000;
  listeners = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  Object.assign(globalThis, { WebSocket: FakeSocket, document, addEventListener: listeners.addEventListener.bind(listeners) });
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000 });
  // The clock must advance at each call: the page measures its resolution at the start.
  mock.method(performance, "now", () => (now_ms += 0.001));
  feed = new Feed("ws://localhost/ws", { onStatus: () => {}, onFrame: () => {} });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  Object.assign(globalThis, NATIVE);
});

/** Lets time pass for the page; `each` is done every 50 ms. @param {number} ms */
function pass(ms, each = () => {}) {
  for (let passed = 0; passed < ms; passed += 50) {
    now_ms += 50;
    mock.timers.tick(50);
    each();
  }
}

/** Lets time pass until the state is this one. Returns how long that took. @param {import("../js/feed.js").Status["state"]} state */
function until(state, ms_max = 60_000) {
  const begun = now_ms;
  while (feed.status.state !== state) {
    assert.ok(now_ms - begun < ms_max, `${feed.status.state} for ${ms_max} ms`);
    pass(50);
  }
  return now_ms - begun;
}

function live() {
  feed.want(WISHES);
  feed.start();
  sockets[0].open();
  pass(3_000);
  assert.equal(feed.status.state, "live");
  return sockets[0];
}

test("a connection is never stale because the market is quiet", () => {
  for (const trip_ms of [0, 400, 3_000]) {
    sockets = [];
    feed = new Feed("ws://localhost/ws", { onStatus: ({ state }) => assert.notEqual(state, "stale", `${trip_ms} ms`), onFrame: () => {} });
    feed.start();
    sockets[0].trip_ms = trip_ms;
    sockets[0].open();
    pass(120_000, () => assert.equal(feed.status.state, "live"));
    assert.ok(sockets[0].sent.length < 130, "about one ping a second, and no more");
  }
});

test("a silent connection is stale within three seconds, until the next message", () => {
  const socket = live();
  for (let turn = 0; turn < 5; turn += 1) {
    socket.isAnswering = false;
    assert.ok(until("stale") <= 3_000);
    socket.isAnswering = true;
    assert.ok(until("live") <= 1_100);
    pass(370 * turn);
  }
  assert.equal(sockets.length, 1);
});

test("while a server is unreachable, an attempt is running nearly all the time", () => {
  const socket = live();
  socket.isAnswering = false;
  until("reconnecting");
  assert.equal(socket.readyState, FakeSocket.CLOSED);
  let idle_ms = 0;
  pass(120_000, () => { if (sockets.at(-1).readyState === FakeSocket.CLOSED) idle_ms += 50; });
  assert.ok(idle_ms < 8_000, `${idle_ms} ms of two minutes`);
  assert.ok(sockets.length < 15, "but no storm of them");
  until("reconnecting");
  while (sockets.at(-1).readyState !== 0) pass(50);
  sockets.at(-1).open();
  assert.equal(feed.status.state, "live");
  const asked = sockets.at(-1).sent.filter((request) => request.action === "subscribe");
  assert.deepEqual(asked.map((request) => request.symbols), [["AAPL"]], "everything is asked for again");
});

for (const event of ["online", "resume", "visibilitychange", "pageshow", "offline"]) {
  test(`after ${event} a connection that is dead is replaced within three seconds`, () => {
    const socket = live();
    socket.isAnswering = false;
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    // A message from before the machine fell asleep is read only now, so it does not prove that the connection is alive.
    pass(100);
    socket.say({ type: "heartbeat", ts: 1, offset: 1 });
    pass(2_500);
    assert.equal(sockets.length, 2);
    sockets[1].open();
    assert.equal(feed.status.state, "live");
  });

  test(`after ${event} a connection that answers stays`, () => {
    const socket = live();
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    pass(20_000, () => assert.equal(feed.status.state, "live"));
    assert.deepEqual([sockets.length, socket.readyState], [1, FakeSocket.OPEN]);
  });

  test(`after ${event} a countdown ends at once`, () => {
    live();
    for (let attempt = 0; attempt < 8; attempt += 1) {
      sockets.at(-1).onclose({ code: 1006 });
      while (sockets.at(-1).readyState !== 0) pass(50);
    }
    sockets.at(-1).onclose({ code: 1006 });
    const before = sockets.length;
    (event === "resume" || event === "visibilitychange" ? document : listeners).dispatchEvent(new Event(event));
    assert.equal(sockets.length, before + 1);
  });
}

test("a suspended machine is detected by its clocks, even if one of them stood still", () => {
  for (const isMonotonic of [true, false]) {
    sockets = [];
    feed = new Feed("ws://localhost/ws", { onStatus: () => {}, onFrame: () => {} });
    live().isAnswering = false;
    if (isMonotonic) now_ms += 3_600_000;
    mock.timers.setTime(Date.now() + 3_600_000);
    pass(3_000);
    assert.equal(sockets.length, 2, "there is another attempt within three seconds");
    sockets[1].open();
    assert.equal(feed.status.state, "live");
  }
});

test("a frozen page holds no connection, and a thawed one reconnects", () => {
  const socket = live();
  document.dispatchEvent(new Event("freeze"));
  assert.equal(socket.readyState, FakeSocket.CLOSED);
  assert.equal(feed.status.state, "reconnecting");
  document.dispatchEvent(new Event("resume"));
  assert.equal(sockets.length, 2);
});

for (const code of [1002, 1003, 1007, 1009, 4500, 4999]) {
  test(`after close code ${code}, after which reconnecting is of no use, the page makes no attempt by itself`, () => {
    live().onclose({ code });
    assert.equal(feed.status.state, "closed");
    assert.match(describeReason(feed.status), /does not reconnect by itself/);
    listeners.dispatchEvent(new Event("online"));
    pass(60_000);
    assert.equal(sockets.length, 1);
    feed.retryNow();
    assert.equal(sockets.length, 2, "the viewer may ask for one");
  });
}

for (const [code, least_ms, reason] of /** @type {[number, number, string][]} */ ([
  [1006, 500, "the connection was lost"], [1013, 500, "the server is overloaded"], [4000, 5_000, "this page sent too many requests"],
  [4003, 500, "the server heard nothing from this page"], [4004, 500, "this page could not keep up with the prices"],
  [4499, 500, "the server closed the connection"],
])) {
  test(`after close code ${code} the page reconnects, not within ${least_ms} ms, and names the reason until then`, () => {
    live().onclose({ code });
    assert.equal(describeReason(feed.status), reason);
    pass(least_ms - 50);
    assert.equal(sockets.length, 1);
    pass(least_ms + 550);
    assert.equal(sockets.length, 2);
    assert.equal(describeReason(feed.status), reason);
    sockets[1].open();
    assert.equal(describeReason(feed.status), "");
  });
}

test("after a goodbye the page reconnects when the server has asked for it", () => {
  const socket = live();
  socket.say({ type: "goodbye", reason: "shutdown", retry_after_ms: 840 });
  socket.onclose({ code: 1001 });
  assert.equal(describeReason(feed.status), "the server is restarting");
  pass(800);
  assert.equal(sockets.length, 1);
  pass(50);
  assert.equal(sockets.length, 2);
});
