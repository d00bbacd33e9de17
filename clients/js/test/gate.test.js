// @ts-check
// Checks that of each topic every event passes once and in order, and when a hole is fetched again or announced.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../gate.js";
import { checkMessage, readFrame, suspicionOf } from "../protocol.js";
import { among, changesOf, groupsOf, Wishes, without } from "../wishes.js";
import { cancel, correction, quote, snapshot, trade } from "./messages.js";

/** @typedef {import("../protocol.js").Channel} Channel */

/** Returns a gate of AAPL whose snapshot at offset 100 has passed. @param {Channel[]} channels */
function open(...channels) {
  const wishes = new Wishes();
  wishes.add(["AAPL"], channels, { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["AAPL"], channels);
  assert.equal(gate.judge(snapshot({ trades: 57, quotes: 311 })), "pass");
  return { wishes, gate };
}

test("each event passes once", () => {
  const { gate } = open("trades");
  assert.deepEqual([trade(57, 101), trade(58, 102), trade(58, 102), trade(59, 103), trade(58, 102)].map((event) => gate.judge(event)),
    ["drop", "pass", "drop", "pass", "drop"]);
});

test("an event of a channel that is not subscribed, or before the snapshot, does not pass", () => {
  const { gate } = open("trades");
  assert.equal(gate.judge(quote(312, 101)), "drop");
  assert.equal(gate.judge(trade(58, 101, { symbol: "MSFT" })), "drop");
});

test("a snapshot passes as often as it was requested", () => {
  const { gate } = open("trades");
  assert.equal(gate.judge(snapshot({ trades: 57 })), "drop");
  gate.await(["AAPL"], ["trades"]);
  assert.equal(gate.judge(snapshot({ trades: 60 }, { offset: 130 })), "pass");
  assert.equal(gate.judge(trade(58, 101)), "pass", "a later snapshot of a topic with a past skips nothing");
});

test("events counted by skipped, or announced by a lag, are no hole", () => {
  const { gate } = open("trades", "quotes");
  assert.equal(gate.judge(trade(61, 110, { skipped: 3 })), "pass");
  const lag = /** @type {const} */ ({ type: "lag", skipped: 4, since_offset: 111 });
  assert.deepEqual([gate.judge(lag), gate.judge(lag)], ["pass", "drop"], "a repeated lag does not count twice");
  assert.equal(gate.judge(trade(64, 120)), "pass");
  assert.equal(gate.judge(quote(314, 121)), "pass");
  assert.equal(gate.judge(quote(316, 122)), "hole", "all four are used up");
});

test("a hole is fetched again from its beginning, and announced if that fails three times", () => {
  const { gate } = open("trades", "quotes");
  gate.judge(trade(58, 105));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    assert.equal(gate.judge(trade(61, 110)), "hole");
    assert.equal(gate.floorOf("AAPL"), 105);
    assert.equal(gate.floorOf("*"), 105);
    assert.equal(gate.judge(quote(312 + attempt, 112 + attempt)), "pass");
  }
  assert.deepEqual(gate.judge(trade(61, 110)), { type: "hole", symbol: "AAPL", channel: "trades", from: 59, to: 60 });
  assert.equal(gate.floorOf("AAPL"), Infinity);
  assert.equal(gate.judge(trade(62, 111)), "pass");
});

test("a hole that is filled is forgotten", () => {
  const { gate } = open("trades");
  assert.equal(gate.judge(trade(60, 110)), "hole");
  assert.deepEqual([trade(58, 101), trade(59, 105), trade(60, 110)].map((event) => gate.judge(event)), ["pass", "pass", "pass"]);
  assert.equal(gate.floorOf("AAPL"), Infinity);
});

test("a server with holes everywhere is not reconnected to for each of them", () => {
  const { gate } = open("trades");
  let [seq, repairs, announced] = [57, 0, 0];
  for (let hole = 0; hole < 100; hole += 1) {
    seq += 2;
    let verdict = gate.judge(trade(seq, seq + 100));
    for (; verdict === "hole"; verdict = gate.judge(trade(seq, seq + 100))) repairs += 1;
    announced += Number(typeof verdict === "object");
  }
  assert.deepEqual([repairs, announced], [10, 100]);
});

test("a topic that is forgotten begins with a snapshot", () => {
  const { gate } = open("trades");
  gate.forget("AAPL");
  assert.equal(gate.has("AAPL", ["trades"]), false);
  assert.equal(gate.judge(trade(58, 101)), "drop");
  gate.await(["AAPL"], ["trades"]);
  gate.judge(snapshot({ trades: 80 }, { offset: 200 }));
  assert.equal(gate.judge(trade(81, 201)), "pass");
});

test("a wildcard gets one snapshot of each symbol, and can be resumed when all have come", () => {
  const wishes = new Wishes();
  wishes.add(["*"], ["trades"], { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["*"], ["trades"]);
  for (const symbol of ["A", "B"]) assert.equal(gate.judge(snapshot({ trades: 1 }, { symbol })), "pass");
  assert.equal(gate.judge(snapshot({ trades: 1 }, { symbol: "A" })), "drop");
  assert.equal(gate.has("*", ["trades"]), false);
  gate.settle();
  assert.equal(gate.has("*", ["trades"]), true);
  assert.equal(gate.judge(trade(2, 101, { symbol: "B" })), "pass");
  gate.forget("*");
  assert.equal(gate.judge(trade(3, 102, { symbol: "B" })), "drop");
});

test("a symbol that the server meets later is part of a wildcard, and counts from 1", () => {
  const wishes = new Wishes();
  wishes.add(["*"], ["trades"], { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["*"], ["trades"]);
  gate.judge(snapshot({ trades: 57 }));
  /** @param {string} symbol @param {number} seq @param {number} offset */
  const judge = (symbol, seq, offset) => gate.judge(trade(seq, offset, { symbol }));
  assert.deepEqual([judge("NEW", 1, 101), judge("NEW", 1, 101), judge("NEW", 2, 102), judge("NEW", 4, 104)], ["pass", "drop", "pass", "hole"]);
  gate.settle();
  // A new connection resumes the wildcard by its cursor.
  gate.disconnect();
  assert.deepEqual([judge("AAPL", 58, 110), judge("NEWER", 1, 111), judge("NEWER", 2, 112)], ["pass", "pass", "pass"]);
  assert.equal(gate.judge(trade(3, 113, { symbol: "FAST", skipped: 2 })), "pass", "conflated");
  assert.equal(judge("OLD", 500, 114), "drop", "not its first event");
  gate.judge({ type: "lag", skipped: 2, since_offset: 113 });
  assert.deepEqual([judge("LATE", 3, 120), judge("LATER", 3, 121)], ["pass", "drop"], "the lag has announced two events");
  assert.equal(gate.judge(quote(1, 122, { symbol: "NEW" })), "drop", "not subscribed");
  assert.equal(gate.judge({ type: "day", symbol: "NEWER", seq: 1, offset: 130, ts: 1, prev_close: 1 }), "pass");
});

test("a snapshot begins the topics of its own request only, as another subscription may begin later", () => {
  const eventOf = { trades: trade, quotes: quote };
  /** @type {["AAPL" | "*", "trades" | "quotes"][]} */
  const topics = [["*", "trades"], ["AAPL", "quotes"]];
  for (const [[symbol, channel], [later, laterChannel]] of [topics, [topics[1], topics[0]]]) {
    const wishes = new Wishes();
    for (const [each, channel] of topics) wishes.add([each], [channel], { mode: "all" });
    const gate = new Gate(wishes);
    gate.await([symbol], [channel]);
    assert.equal(gate.judge(snapshot({ trades: 10, quotes: 10 })), "pass");
    const [event, other] = [eventOf[channel], eventOf[laterChannel]];
    assert.deepEqual([event(11, 101), other(11, 102)].map((each) => gate.judge(each)), ["pass", "drop"]);
    gate.await([later], [laterChannel]);
    assert.equal(gate.judge(snapshot({ trades: 20, quotes: 20 }, { offset: 130 })), "pass");
    assert.deepEqual([event(12, 103), other(20, 129), other(21, 131)].map((each) => gate.judge(each)), ["pass", "drop", "pass"]);
  }
});

test("snapshots that several lines bring side by side begin the topics of their own line", () => {
  const wishes = new Wishes();
  wishes.add(["AAPL"], ["trades", "quotes"], { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["AAPL"], ["trades"], "one");
  gate.await(["AAPL"], ["quotes"], "other");
  assert.equal(gate.judge(snapshot({ trades: 10, quotes: 10 }), "one"), "pass");
  assert.equal(gate.judge(snapshot({ trades: 10, quotes: 10 }), "one"), "drop");
  assert.equal(gate.judge(snapshot({ trades: 20, quotes: 20 }, { offset: 130 }), "other"), "pass");
  assert.deepEqual([trade(11, 101), quote(21, 131)].map((event) => gate.judge(event)), ["pass", "pass"]);
});

test("of every symbol, channels are resumed and forgotten one by one", () => {
  const wishes = new Wishes();
  wishes.add(["*"], ["trades", "quotes"], { mode: "all" });
  wishes.add(["MSFT"], ["quotes"], { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["*"], ["trades"]);
  gate.judge(snapshot({ trades: 57, quotes: 311 }));
  gate.settle();
  assert.deepEqual([gate.has("*", ["trades"]), gate.has("*", ["quotes", "trades"])], [true, false]);
  gate.await(["*"], ["quotes"]);
  for (const symbol of ["AAPL", "MSFT"]) gate.judge(snapshot({ trades: 57, quotes: 311 }, { symbol }));
  gate.settle();
  assert.equal(gate.has("*", ["quotes", "trades"]), true);
  wishes.remove(["*"], ["quotes"]);
  gate.forget("*", ["quotes"]);
  gate.settle();
  assert.deepEqual([gate.has("*", ["trades"]), gate.has("*", ["quotes"])], [true, false]);
  assert.deepEqual([trade(58, 101), quote(312, 102), quote(312, 102, { symbol: "MSFT" })].map((event) => gate.judge(event)), ["pass", "drop", "pass"]);
});

test("the symbols that every symbol includes after a renewal begin with their snapshots, in the channels that are subscribed", () => {
  const wishes = new Wishes();
  wishes.add(["*"], ["trades", "quotes"], { mode: "all" });
  const gate = new Gate(wishes);
  gate.await(["*"], ["trades"]);
  gate.judge(snapshot({ trades: 57, quotes: 311 }));
  gate.extend();
  assert.equal(gate.judge(snapshot({ trades: 57, quotes: 311 })), "drop");
  assert.equal(gate.judge(snapshot({ trades: 7, quotes: 7 }, { symbol: "MSFT" })), "pass");
  assert.deepEqual([trade(8, 101, { symbol: "MSFT" }), quote(8, 102, { symbol: "MSFT" })].map((event) => gate.judge(event)), ["pass", "drop"]);
});

test("days pass once each", () => {
  const { gate } = open("trades");
  /** @param {number} seq @param {number} offset */
  const day = (seq, offset) => /** @type {const} */ ({ type: "day", symbol: "AAPL", seq, offset, ts: 1, prev_close: 1 });
  assert.deepEqual([day(4, 99), day(4, 101), day(4, 101), day(5, 300)].map((each) => gate.judge(each)), ["drop", "pass", "drop", "pass"]);
  assert.equal(gate.judge(day(7, 400)), "hole");
});

test("corrections and cancels are topics of their own, counted only if subscribed", () => {
  const { gate } = open("trades", "corrections");
  assert.equal(gate.judge(correction(1, 101)), "drop", "the snapshot had no number of corrections");
  gate.await(["AAPL"], ["trades", "corrections"]);
  gate.judge(snapshot({ trades: 57, corrections: 0 }, { offset: 101 }));
  assert.deepEqual([correction(1, 102), correction(1, 102), cancel(1, 103)].map((event) => gate.judge(event)), ["pass", "drop", "drop"]);
  assert.equal(gate.judge(correction(3, 105)), "hole");
});

test("a message without its numbers is not read", () => {
  for (const text of ["", "{}", "[1]", "[{}]", "[null]", '[{"type":"trade","symbol":"AAPL","seq":1,"offset":2,"ts":3,"price":null,"size":1}]',
    '[{"type":"trade","seq":1,"offset":2,"ts":3,"price":4,"size":1}]', '[{"type":"snapshot","symbol":"AAPL"}]']) {
    assert.throws(() => readFrame(text), SyntaxError, text);
  }
  const whole = [trade(1, 2), correction(1, 3), cancel(1, 4)];
  assert.deepEqual(readFrame(JSON.stringify(whole)), whole);
  for (const amendment of [correction(1, 3, { size: undefined }), cancel(1, 4, { trade_seq: undefined })]) {
    assert.throws(() => readFrame(JSON.stringify([amendment])), SyntaxError);
  }
  /** @param {string} interval */
  const barOf = (interval) => JSON.stringify([{ type: "bar", symbol: "A", interval, seq: 1, offset: 2, ts: 3, open: 1, high: 1, low: 1, close: 1, volume: 1 }]);
  for (const interval of ["1d", "1m.updated", "1d.ny"]) readFrame(barOf(interval));
  assert.throws(() => readFrame(barOf("2m")), SyntaxError);
  checkMessage({ type: "novelty" });
});

test("topics are grouped by channels and mode, and only changes are requested", () => {
  const wishes = new Wishes();
  wishes.add(["A", "B", "*"], ["trades"], { mode: "all" });
  wishes.add(["A"], ["bars.1m", "quotes"], { mode: "all" });
  wishes.add(["C"], ["trades"], { mode: "latest", max_hz: 4 });
  const before = wishes.wanted;
  assert.deepEqual(groupsOf(before), [
    { mode: "all", symbols: ["A"], channels: ["bars.1m", "quotes", "trades"] }, { mode: "all", symbols: ["B"], channels: ["trades"] },
    { mode: "all", symbols: ["*"], channels: ["trades"] }, { mode: "latest", max_hz: 4, symbols: ["C"], channels: ["trades"] },
  ]);
  wishes.remove(["A"], ["quotes"]);
  wishes.remove(["B"]);
  wishes.add(["C"], ["trades"], { mode: "all" });
  const { removed, added } = changesOf(before, wishes.wanted);
  assert.deepEqual([...removed], [["A", ["quotes"]], ["B", ["trades"]]]);
  assert.deepEqual([...added], [["C", new Map([["trades", { mode: "all" }]])]]);
  assert.deepEqual([...changesOf(without(before, ["C"]), before).added.keys()], ["C"]);
  wishes.exclude(["C"]);
  assert.equal(wishes.wanted.has("C"), false);
  wishes.include();
  assert.equal(wishes.wanted.has("C"), true);
});

test("an event whose values cannot be right is suspect", () => {
  const crossed = { bid: 100.02, ask: 100.01 };
  const reasons = [quote(1, 2), quote(1, 2, crossed), quote(1, 2, { bid: 0 }), trade(1, 2), trade(1, 2, { price: 0 }), correction(1, 2, { price: -1 }), cancel(1, 2)]
    .map((event) => suspicionOf(event)?.reason ?? null);
  assert.deepEqual(reasons, [null, "crossed", "zero", null, "zero", "zero", null]);
  assert.deepEqual(suspicionOf(quote(7, 9, crossed)), { type: "suspect", symbol: "AAPL", channel: "quotes", seq: 7, reason: "crossed" });
});

test("a subscription that was put off is asked for again as far as it is still wanted in the same way", () => {
  const wishes = new Wishes();
  wishes.add(["AAPL", "MSFT", "NVDA"], ["trades", "quotes"], { mode: "all" });
  const [group] = groupsOf(wishes.wanted);
  assert.deepEqual(among(wishes.wanted, group), wishes.wanted);
  wishes.remove(["MSFT"]);
  wishes.remove(["AAPL"], ["quotes"]);
  wishes.add(["NVDA"], ["trades"], { mode: "latest" });
  const all = /** @type {const} */ ({ mode: "all" });
  assert.deepEqual(among(wishes.wanted, group), new Map([["AAPL", new Map([["trades", all]])], ["NVDA", new Map([["quotes", all]])]]));
});
