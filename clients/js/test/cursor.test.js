// @ts-check
// Checks the cursor: it never passes an event that has not come, so that the next connection can bring it.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Place } from "../place.js";
import { Client } from "../tickcast.js";
import { quote, snapshot, trade } from "./messages.js";
import { Socket } from "./socket.js";

/** @typedef {import("../protocol.js").Reset} Reset */

/** Returns the place of a client of AAPL that has got the events up to an offset. @param {(reset: Reset) => void} [onReset] */
function reached(offset = 100, onReset = () => {}) {
  const place = new Place(onReset);
  place.wishes.add(["AAPL"], ["trades"], { mode: "all" });
  place.update();
  place.meet("e1");
  place.gate.await(["AAPL"], ["trades"]);
  place.gate.judge(snapshot({ trades: 57 }));
  place.reached(offset, true);
  return place;
}

test("an event moves the cursor of topics in mode all only, as a rate may hold back older ones of others", () => {
  const place = reached();
  place.reached(120, false);
  assert.deepEqual(place.cursor, { epoch: "e1", offset: 100 });
  assert.deepEqual([place.afterOf("AAPL", ["trades"], "all"), place.afterOf("AAPL", ["trades"], "latest")], [120, 100]);
  place.reached(110, true);
  assert.deepEqual([place.cursor?.offset, place.afterOf("AAPL", ["trades"], "all")], [110, 120], "it never goes back");
});

test("a topic with a hole is resumed before it", () => {
  const place = reached();
  place.gate.judge(trade(58, 105));
  place.reached(150, true);
  assert.equal(place.gate.judge(trade(60, 151)), "hole");
  assert.equal(place.afterOf("AAPL", ["trades"], "all"), 105);
});

test("a topic without a past, or of another run of the server, has no cursor", () => {
  /** @type {Reset[]} */
  const resets = [];
  const place = reached(100, (reset) => resets.push(reset));
  assert.equal(place.afterOf("MSFT", ["trades"], "all"), null);
  assert.equal(place.afterOf("AAPL", ["quotes"], "all"), null);
  place.meet("e1");
  assert.equal(resets.length, 0);
  place.meet("e2");
  assert.deepEqual([place.cursor, place.afterOf("AAPL", ["trades"], "all")], [null, null]);
  assert.deepEqual(resets, [{ type: "reset", symbols: ["*"], reason: "restarted" }]);
});

test("a market that has moved is a reset for all lines once, and each line brings its snapshots; numbers and announced holes go on", () => {
  /** @type {Reset[]} */
  const resets = [];
  const place = reached(100, (reset) => resets.push(reset));
  place.gate.judge({ type: "lag", skipped: 2, since_offset: 101 });
  const epoch = /** @type {const} */ ({ type: "epoch", epoch: "e2", offset: 110, moved: true });
  for (const line of ["first", "second"]) place.moveTo(epoch, line, ["AAPL", "MSFT"]);
  assert.deepEqual(resets, [{ type: "reset", symbols: ["*"], reason: "moved" }]);
  assert.deepEqual(place.cursor, { epoch: "e2", offset: 100 }, "the server refuses it until each line has got on");
  for (const line of ["first", "second"]) {
    assert.equal(place.gate.judge(snapshot({ trades: 59 }, { offset: 110 }), line), "pass");
    assert.equal(place.gate.judge(snapshot({ trades: 59 }, { offset: 110 }), line), "drop", "nobody has asked for a second one");
  }
  assert.equal(place.gate.judge(trade(60, 111)), "pass", "the lag has announced 58 and 59");
  assert.equal(place.gate.judge(trade(62, 113)), "hole");
});

test("a symbol whose values of another time an ended connection was to bring begins with a snapshot", () => {
  const place = reached();
  place.gate.await(["MSFT"], ["trades"]);
  place.wishes.add(["MSFT"], ["trades"], { mode: "all" });
  place.gate.judge({ ...snapshot({ trades: 9 }), symbol: "MSFT" });
  place.moveTo({ type: "epoch", epoch: "e2", offset: 110, moved: true }, "socket", ["AAPL", "MSFT"]);
  place.reached(110, true);
  assert.equal(place.gate.judge(snapshot({ trades: 57 }, { offset: 110 }), "socket"), "pass");
  place.gate.disconnect();
  assert.deepEqual([place.afterOf("AAPL", ["trades"], "all"), place.afterOf("MSFT", ["trades"], "all")], [110, null]);
});

test("a stream that only has another name goes on", () => {
  const place = reached(100, () => assert.fail("nothing is lost"));
  place.moveTo({ type: "epoch", epoch: "e2", offset: 110 }, "line", ["AAPL"]);
  assert.deepEqual(place.cursor, { epoch: "e2", offset: 100 });
  assert.equal(place.gate.judge(snapshot({ trades: 57 }), "line"), "drop");
  assert.equal(place.gate.judge(trade(58, 111)), "pass");
});

test("a snapshot that an ended connection was to bring is not awaited from the next one", () => {
  const place = reached();
  place.gate.await(["AAPL"], ["trades"]);
  place.gate.await(["*"], ["trades"]);
  place.gate.disconnect();
  assert.equal(place.gate.judge(snapshot({ trades: 60 }, { offset: 130 })), "drop");
  assert.equal(place.gate.judge(snapshot({ trades: 1 }, { symbol: "KO" })), "drop");
});

/** @type {Client[]} */
const clients = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

const welcome = { type: "welcome", epoch: "e1", offset: 90, heartbeat_ms: 15_000 };

/**
 * Returns a client whose subscriptions have not been answered, its socket, and the answer to the first one.
 * @param {[string, import("../protocol.js").Channel][]} topics
 */
async function subscribing(...topics) {
  Socket.all = [];
  const WebSocket = /** @type {new (url: string, protocols: string | string[]) => globalThis.WebSocket} */ (/** @type {unknown} */ (Socket));
  const client = new Client("http://localhost/", { transports: ["websocket"], WebSocket });
  clients.push(client);
  for (const [symbol, channel] of topics.length > 0 ? topics : /** @type {typeof topics} */ ([["AAPL", "trades"]])) client.subscribe(symbol, { channels: [channel] });
  client.connect();
  await Promise.resolve();
  const [socket] = Socket.all;
  socket.say(welcome);
  const [{ id }] = socket.sent;
  return { client, socket, answer: { type: "subscribed", id, subscriptions: /** @type {object[]} */ ([]) } };
}

test("before a subscription is answered, no heartbeat moves the cursor, as events of it may follow", async () => {
  const { client, socket, answer } = await subscribing();
  socket.say({ type: "heartbeat", offset: 95 });
  assert.equal(client.cursor, null);
  socket.say(answer, snapshot({ trades: 57 }), { type: "heartbeat", offset: 104 });
  assert.deepEqual(client.cursor, { epoch: "e1", offset: 104 });
});

test("a connection that is lost after the snapshots and before the first pong is resumed", async () => {
  const { client, socket, answer } = await subscribing();
  const messages = client.messages();
  socket.say(answer, snapshot({ trades: 57 }), trade(58, 101));
  assert.deepEqual(client.cursor, { epoch: "e1", offset: 90 });
  client.reconnect();
  Socket.all[1].say(welcome);
  const [{ id, after }] = Socket.all[1].sent;
  assert.deepEqual(after, { epoch: "e1", offset: 90 });
  Socket.all[1].say({ ...answer, id, recovered: true }, trade(58, 101), trade(59, 102));
  await client.close();
  /** @type {(string | number)[]} */
  const seen = [];
  for await (const message of messages) seen.push(message.type === "trade" ? message.seq : message.type);
  assert.deepEqual(seen.filter((each) => each !== "open" && each !== "subscribed" && each !== "welcome"), ["snapshot", 58, 59]);
});

test("a market that moves before a topic is resumed is told once, and the topic begins with a snapshot", async () => {
  const { client, socket, answer } = await subscribing();
  /** @type {string[]} */
  const seen = [];
  client.on("message", (message) => {
    if (message.type === "reset") seen.push(message.reason);
    else if (message.type === "snapshot" || message.type === "trade") seen.push(`${message.type} ${message.offset}`);
  });
  const moved = { type: "epoch", epoch: "e2", offset: 110, moved: true };
  socket.say(answer, snapshot({ trades: 57 }), { type: "heartbeat", offset: 104 });
  client.reconnect();
  Socket.all[1].say(welcome, moved);
  // It is lost before the answer.
  client.reconnect();
  Socket.all[2].say({ ...welcome, epoch: "e2", offset: 112 });
  const [{ id, after }] = Socket.all[2].sent;
  assert.equal(after, undefined);
  Socket.all[2].say({ ...answer, id }, snapshot({ trades: 59 }, { offset: 112 }), trade(60, 113));
  // As it is, on a connection that has everything.
  Socket.all[2].say({ ...moved, epoch: "e3", offset: 114 }, snapshot({ trades: 60 }, { offset: 114 }), trade(61, 115), { type: "heartbeat", offset: 116 });
  assert.deepEqual(client.cursor, { epoch: "e3", offset: 116 });
  // The server moves before it reads the request, whose cursor is void then.
  client.reconnect();
  Socket.all[3].say({ ...welcome, epoch: "e3", offset: 116 });
  const [request] = Socket.all[3].sent;
  assert.deepEqual(request.after, { epoch: "e3", offset: 116 });
  const late = [{ ...answer, id: request.id, recovered: false }, snapshot({ trades: 61 }, { offset: 118 }), trade(62, 119)];
  Socket.all[3].say({ ...moved, epoch: "e4", offset: 118 }, ...late);
  const first = ["snapshot 100", "moved", "snapshot 112", "trade 113"];
  assert.deepEqual(seen, [...first, "moved", "snapshot 114", "trade 115", "moved", "snapshot 118", "trade 119"]);
});

test("a subscription to every symbol is resumed after a later answer, as answers come in order", async () => {
  const { client, socket, answer } = await subscribing(["*", "trades"], ["AAPL", "quotes"]);
  /** @type {(string | number)[]} */
  const seen = [];
  client.on("message", (message) => {
    if (message.type === "trade") seen.push(message.seq);
    if (message.type === "reset") seen.push(message.type);
  });
  const nvda = (/** @type {number} */ seq, /** @type {number} */ offset) => trade(seq, offset, { symbol: "NVDA" });
  socket.say(answer, snapshot({ trades: 57 }), snapshot({ trades: 7 }, { symbol: "NVDA" }), nvda(8, 101));
  socket.say({ ...answer, id: socket.sent[1].id }, snapshot({ trades: 57, quotes: 312 }, { offset: 102 }));
  client.reconnect();
  Socket.all[1].say(welcome);
  const [{ id, after }] = Socket.all[1].sent;
  assert.deepEqual(after, { epoch: "e1", offset: 90 });
  Socket.all[1].say({ ...answer, id, recovered: true }, nvda(8, 101), nvda(9, 104));
  assert.deepEqual(seen, [8, 9]);
});

test("the snapshot of a subscription that is answered first begins no topic of one that is put off", async () => {
  const { client, socket, answer } = await subscribing(["*", "trades"], ["AAPL", "quotes"]);
  /** @type {(string | number)[]} */
  const seen = [];
  client.on("message", (message) => seen.push("seq" in message && message.type !== "snapshot" ? `${message.type} ${message.seq}` : message.type));
  const [, { id }] = socket.sent;
  socket.say(answer, snapshot({ trades: 57, quotes: 311 }), { type: "error", id, code: "rate_limited", message: "", retry_after_ms: 0 });
  while (socket.sent.filter(({ action }) => action === "subscribe").length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  const again = socket.sent.filter(({ action }) => action === "subscribe")[2].id;
  socket.say(trade(58, 101), { ...answer, id: again }, snapshot({ trades: 58, quotes: 320 }, { offset: 130 }), quote(321, 131), trade(59, 132));
  assert.deepEqual(seen, ["subscribed", "snapshot", "error", "trade 58", "subscribed", "snapshot", "quote 321", "trade 59"]);
  assert.equal(Socket.all.length, 1, "nothing is missing");
});

test("a channel that is added while there is no connection begins with a snapshot, and the others are resumed", async () => {
  for (const symbol of ["AAPL", "*"]) {
    const { client, socket, answer } = await subscribing([symbol, "trades"]);
    /** @type {(string | number)[]} */
    const seen = [];
    socket.say(answer, snapshot({ trades: 57 }), trade(58, 101), { type: "pong", id: 9, ts: 1, server_ts: 1, offset: 101 });
    client.on("message", (message) => seen.push("seq" in message && message.type !== "snapshot" ? message.seq : message.type));
    client.pause();
    client.subscribe(symbol, { channels: ["quotes"] });
    client.connect();
    await Promise.resolve();
    const last = Socket.last;
    last.say(welcome);
    const [one, other] = last.sent;
    assert.deepEqual([one.channels, one.after, other.channels, other.after], [["trades"], { epoch: "e1", offset: 101 }, ["quotes"], undefined]);
    last.say({ ...answer, id: one.id, recovered: true }, trade(59, 103));
    last.say({ ...answer, id: other.id }, snapshot({ trades: 59, quotes: 311 }, { offset: 110 }), quote(312, 111), trade(60, 112));
    assert.deepEqual(seen, ["open", "welcome", "subscribed", 59, "subscribed", "snapshot", 312, 60], symbol);
  }
});

test("topics that cannot be resumed are reported as lost, also if only some of them are known", () => {
  for (const [symbol, channels] of /** @type {[string, import("../protocol.js").Channel[]][]} */ ([["AAPL", ["quotes", "trades"]], ["*", ["trades"]]])) {
    /** @type {Reset[]} */
    const resets = [];
    const place = new Place((reset) => resets.push(reset));
    place.wishes.add([symbol], ["trades"], { mode: "all" });
    place.update();
    place.meet("e1");
    place.lose([symbol], channels);
    assert.deepEqual(resets, [], "nothing has come yet");
    place.gate.await([symbol], channels);
    place.gate.judge(snapshot({ trades: 57 }));
    place.lose([symbol], channels);
    assert.deepEqual(resets, [{ type: "reset", symbols: [symbol], reason: "evicted" }]);
  }
});

test("what a newer server says besides is passed over and handed to the application", async () => {
  const { client, socket, answer } = await subscribing();
  /** @type {string[]} */
  const seen = [];
  client.on("message", (message) => seen.push(JSON.stringify(message)));
  const limits = { symbols: 20, message_bytes: 65_536, channels: ["trades"], delay_ms: 900_000, novelty: [{}] };
  const news = [{ ...welcome, limits, auth: { name: "desk7", novelty: false } }, { type: "novelty", offset: "late" }, { ...answer, delay_ms: 900_000 }];
  socket.say(...news, { ...snapshot({ trades: 57, novelty: 7 }), novelty: 1 }, { ...trade(58, 101), conditions: ["@"] });
  assert.deepEqual([client.symbols_max, client.status.state, seen.length], [20, "live", 5]);
  assert.equal(seen[0], JSON.stringify(news[0]));
});

test("a restart of the server ends the cursor at once, and another close keeps it", async () => {
  for (const [code, offset] of [[1001, undefined], [1006, 104]]) {
    const { client, socket, answer } = await subscribing();
    const messages = client.messages();
    socket.say(answer, snapshot({ trades: 57 }), { type: "heartbeat", offset: 104 });
    socket.onclose?.({ code: Number(code), reason: "" });
    assert.equal(client.cursor?.offset, offset, `${code}`);
    await client.close();
    /** @type {string[]} */
    const kinds = [];
    for await (const { type } of messages) kinds.push(type);
    assert.deepEqual(kinds.filter((kind) => kind === "reset"), code === 1001 ? ["reset"] : [], "the messages before the end, and then the end");
  }
});

test("over several long polls the cursor is that of the slowest", async () => {
  /** @type {Map<string, (answer: object) => void>} */
  const waiting = new Map();
  /** @param {unknown} url @param {RequestInit} init */
  const fetch = (url, { signal }) => {
    const { searchParams } = new URL(String(url));
    const begin = { epoch: "e1", offset: 100, cursor: "e1:100", recovered: true };
    const symbol = searchParams.get("symbols") ?? "";
    const first = searchParams.get("after") === null ? [snapshot({ trades: 57, quotes: 9 }, { symbol })] : [];
    if (searchParams.get("wait_ms") === "0") return Promise.resolve(new Response(JSON.stringify({ ...begin, messages: first })));
    return new Promise((resolve, reject) => {
      waiting.set(symbol, (answer) => resolve(new Response(JSON.stringify({ ...begin, ...answer }))));
      // A request that never ends would keep its timer, and the test, alive for half a minute.
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  };
  const client = new Client("http://localhost/", { transports: ["poll"], fetch: /** @type {typeof globalThis.fetch} */ (/** @type {unknown} */ (fetch)) });
  clients.push(client);
  client.subscribe("AAPL");
  client.subscribe("KO", { channels: ["quotes"] });
  client.connect();
  /** @param {string} symbol @param {object} answer */
  const answer = async (symbol, answer) => {
    while (!waiting.has(symbol)) await new Promise((resolve) => setImmediate(resolve));
    waiting.get(symbol)?.(answer);
    waiting.delete(symbol);
    while (!waiting.has(symbol)) await new Promise((resolve) => setImmediate(resolve));
  };
  await answer("AAPL", { cursor: "e1:150", messages: [trade(58, 101)] });
  assert.equal(client.cursor?.offset, 100);
  await answer("KO", { cursor: "e1:130", messages: [quote(10, 120, { symbol: "KO" })] });
  assert.equal(client.cursor?.offset, 130);
});

test("a fresh snapshot that has overtaken events on another connection is passed on after them", async () => {
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  let stream;
  let seq = { trades: 57 };
  /** @param {unknown} url */
  const fetch = async (url) => {
    if (!String(url).includes("/stream?")) {
      const offset = 100 + seq.trades - 57;
      return new Response(JSON.stringify({ epoch: "e1", offset, cursor: `e1:${offset}`, recovered: true, messages: [snapshot(seq, { offset })] }));
    }
    const body = new ReadableStream({ start: (controller) => { stream = controller; } });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  /** @param {number} offset @param {object[]} messages */
  const say = async (offset, ...messages) => {
    stream?.enqueue(new TextEncoder().encode(`id: e1:${offset}\ndata: ${JSON.stringify(messages)}\n\n`));
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const client = new Client("http://localhost/", { transports: ["sse"], fetch: /** @type {typeof globalThis.fetch} */ (/** @type {unknown} */ (fetch)) });
  clients.push(client);
  /** @type {(string | number)[]} */
  const seen = [];
  client.on("message", (message) => seen.push(message.type === "trade" ? message.seq : message.type));
  client.subscribe("AAPL");
  client.connect();
  while (!stream) await new Promise((resolve) => setImmediate(resolve));
  await say(100, { ...welcome, offset: 100 });
  await say(101, trade(58, 101));
  seen.length = 0;
  seq = { trades: 60 };
  client.refresh();
  await say(102, trade(59, 102));
  await say(103, trade(60, 103));
  await say(104, trade(61, 104));
  assert.deepEqual(seen, [59, 60, "snapshot", 61]);
  // Nothing is missing, so that nothing is waited for.
  seq = { trades: 61 };
  client.refresh();
  await say(104);
  assert.deepEqual(seen.slice(4), ["snapshot"]);
  // The stream has passed the place of the snapshot, and its events were lost.
  seq = { trades: 70 };
  client.refresh();
  await say(115, { type: "lag", skipped: 9, since_offset: 104 });
  assert.deepEqual(seen.slice(5), ["lag", "snapshot"]);
});
