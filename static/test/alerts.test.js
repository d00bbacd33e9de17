// @ts-check
// Checks when an alert is due, what must be received for it, and that stored alerts of any form are taken.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFired } from "../js/alertpanel.js";
import { ALERTS_MAX, armed, dueAt, figureOf, levelOf, soundAlerts, textOf, watchedBy } from "../js/alerts.js";
import { Market } from "../js/market.js";
import { fromSnapshot } from "../js/ticker.js";
import { quote, snapshot, trade } from "./messages.js";

/** @param {Partial<import("../js/alerts.js").Alert>} [more] @returns {import("../js/alerts.js").Alert} */
const alert = (more = {}) => ({ id: "a", symbol: "AAPL", kind: "price", level: 205, isAbove: true, fired: null, ...more });
const ticker = fromSnapshot(snapshot({}));

test("a price alert is due when the price reaches its level from the side on which it was", () => {
  assert.equal(dueAt(alert(), { ...ticker, price: 204.99 }), null);
  assert.equal(dueAt(alert(), { ...ticker, price: 205 }), 205);
  assert.equal(dueAt(alert({ level: 190, isAbove: false }), { ...ticker, price: 190.01 }), null);
  assert.equal(dueAt(alert({ level: 190, isAbove: false }), { ...ticker, price: 189 }), 189);
  assert.equal(dueAt(alert({ fired: { at_ms: 1, value: 205 } }), { ...ticker, price: 300 }), null, "once");
  const sides = [armed(alert({ isAbove: false }), ticker), armed(alert({ level: 150 }), ticker), armed(alert({ level: 200 }), ticker), armed(alert(), undefined)];
  assert.deepEqual(sides.map(({ isAbove }) => isAbove), [true, false, null, null]);
  assert.equal(dueAt(alert({ level: 200, isAbove: null }), ticker), null, "it has to leave its level first");
});

test("a price that was reached while nothing came is found in the snapshot", () => {
  assert.equal(dueAt(alert(), { ...ticker, high: 206 }, { ...ticker, high: 201 }), 206);
  assert.equal(dueAt(alert(), { ...ticker, high: 206 }, { ...ticker, high: 206 }), null, "it was reached before the alert");
  assert.equal(dueAt(alert(), { ...ticker, high: 206 }), null, "nothing is known of the time before");
  assert.equal(dueAt(alert({ level: 190, isAbove: false }), { ...ticker, low: 189 }, ticker), 189);
  assert.equal(dueAt(alert(), { ...ticker, high: 206, day_us: 1 }, ticker), null, "another day");
});

test("moves count in both directions, and a spread is compared as it is written", () => {
  const move = alert({ kind: "move", level: 2 });
  assert.equal(dueAt(move, { ...ticker, prev_close: 100, price: 101.99 }), null);
  assert.equal(dueAt(move, { ...ticker, prev_close: 100, price: 98 }), -2);
  const spread = alert({ kind: "spread", level: 0.02 });
  assert.notEqual(dueAt(spread, { ...ticker, bid: 199.99, ask: 200.01 }), null);
  assert.equal(dueAt(spread, { ...ticker, bid: 200, ask: 200.01 }), null);
});

test("a new alert begins at the price of its own symbol, and other kinds with no level", () => {
  assert.deepEqual([levelOf("price", ticker), levelOf("price", { ...ticker, price: 0.1234 }), levelOf("price", undefined)], ["200.00", "0.1234", ""]);
  assert.deepEqual([levelOf("move", ticker), levelOf("spread", ticker)], ["", ""]);
});

test("the present figure is written as what is watched", () => {
  const now = { ...ticker, prev_close: 100, price: 101, bid: 10, ask: 10.02 };
  assert.deepEqual(/** @type {const} */ (["price", "move", "spread"]).map((kind) => textOf(kind, figureOf(kind, now))), ["101.00", "+1.00%", "0.02"]);
});

test("a fired alert says what has happened and when, not what is", () => {
  const fired = { at_ms: 0, value: 190 };
  assert.match(describeFired(alert({ isAbove: false }), fired), /^AAPL fell to 190\.00 at \d\d:\d\d:00$/);
  assert.match(describeFired(alert(), fired), /^AAPL rose to 190\.00 at/);
  assert.match(describeFired(alert({ kind: "move" }), { ...fired, value: -2 }), /^AAPL moved \u22122\.00% at/);
  assert.match(describeFired(alert({ kind: "spread" }), { ...fired, value: 0.02 }), /^AAPL spread reached 0\.02 at/);
});

test("only what an armed alert needs is received in full", () => {
  const alerts = [alert(), alert({ kind: "spread" }), alert({ kind: "move" }), alert({ symbol: "KO", kind: "spread" }), alert({ symbol: "V", fired: { at_ms: 1, value: 1 } })];
  assert.deepEqual([...watchedBy(alerts)], [["AAPL", ["trades", "quotes"]], ["KO", ["quotes"]]]);
});

test("stored alerts of any form are taken as far as they are sound", () => {
  for (const stored of [undefined, null, "x", {}, [null, 7, {}, { id: "a", symbol: "</b>", kind: "price", level: 1 }, { id: "a", symbol: "KO", kind: "price", level: "1" }]]) {
    assert.deepEqual(soundAlerts(stored), []);
  }
  const many = Array.from({ length: 999 }, (_, index) => alert({ id: `${index}` }));
  assert.deepEqual([soundAlerts(many).length, soundAlerts([alert(), alert()]).length], [ALERTS_MAX, 1]);
  assert.equal(soundAlerts([{ ...alert(), fired: { at_ms: "x" } }])[0].fired, null);
});

test("the market shows every event of a symbol to the alerts, and each snapshot with what it replaces", () => {
  const quiet = () => {};
  const market = new Market({ onOpen: quiet, onReset: quiet, onFollowed: quiet, onLag: quiet, onUnknown: quiet });
  market.want(new Map([["AAPL", { channels: ["trades", "quotes"] }]]));
  /** @type {(number | undefined)[][]} */
  const seen = [];
  const ts = 1_772_463_846_000_000;
  market.onFigures = (now, before) => seen.push([now.price, now.bid, before?.price]);
  market.take([snapshot({ trades: 1, quotes: 1 }), trade(2, 101, { ts, price: 207 }), trade(3, 102, { ts, price: 203 }), quote(2, 103, { ts, bid: 202 }), snapshot({ trades: 3, quotes: 2 }, { offset: 110, price: 210 })], 0, undefined);
  assert.deepEqual(seen, [[200, 199.99, undefined], [207, 199.99, undefined], [203, 199.99, undefined], [203, 202, undefined], [210, 199.99, 203]]);
});
