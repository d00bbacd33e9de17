// @ts-check
// Checks the subscriptions of a shown and a hidden page, and the requests that change them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOf, wishesOf } from "../js/wishes.js";

const WATCH = ["AAPL", "MSFT", "KO"];
/** @param {string} [charted] @param {import("../js/protocol.js").Interval} [interval] @param {string[]} [watch] */
const shown = (charted = "AAPL", interval = "1m", watch = WATCH) => wishesOf(watch, charted, interval, false);
const hidden = (charted = "AAPL") => wishesOf(WATCH, charted, "1m", true);

test("a new page subscribes with one request per set of channels", () => {
  assert.deepEqual(changesOf(new Map(), shown()), [
    { action: "subscribe", symbols: ["AAPL"], channels: ["trades", "quotes", "bars.1m"] },
    { action: "subscribe", symbols: ["MSFT", "KO"], channels: ["trades", "quotes"] },
  ]);
});

test("bars that are no longer charted are unsubscribed", () => {
  assert.deepEqual(changesOf(shown(), shown("AAPL", "5m")), [
    { action: "unsubscribe", symbols: ["AAPL"], channels: ["bars.1m"] },
    { action: "subscribe", symbols: ["AAPL"], channels: ["bars.5m"] },
  ]);
  assert.deepEqual(changesOf(shown(), shown("KO")), [
    { action: "unsubscribe", symbols: ["AAPL"], channels: ["bars.1m"] },
    { action: "subscribe", symbols: ["KO"], channels: ["bars.1m"] },
  ]);
});

test("adding and removing a symbol changes nothing else", () => {
  assert.deepEqual(changesOf(shown(), shown()), []);
  assert.deepEqual(changesOf(shown(), shown("AAPL", "1m", ["AAPL", "KO", "V"])), [
    { action: "unsubscribe", symbols: ["MSFT"] },
    { action: "subscribe", symbols: ["V"], channels: ["trades", "quotes"] },
  ]);
});

test("a hidden page subscribes to the price of the charted symbol only, once a second", () => {
  assert.deepEqual([...hidden()], [["AAPL", { channels: ["trades"], max_hz: 1 }]]);
  assert.deepEqual([...hidden(null)], []);
  assert.deepEqual(changesOf(shown(), hidden()), [
    { action: "unsubscribe", symbols: ["MSFT", "KO"] },
    { action: "unsubscribe", symbols: ["AAPL"], channels: ["quotes", "bars.1m"] },
    { action: "subscribe", symbols: ["AAPL"], channels: ["trades"], mode: "latest", max_hz: 1 },
  ]);
  assert.deepEqual(changesOf(hidden(), shown()), changesOf(new Map(), shown()), "when it is shown it asks as one that begins");
});
