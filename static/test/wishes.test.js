// @ts-check
// Checks the subscriptions of a shown and a hidden page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { wishesOf } from "../js/wishes.js";

const WATCH = ["MSFT", "AAPL", "KO"];

test("a shown page subscribes to its watchlist, and to the bars of the charted symbol, which comes first", () => {
  const channels = ["trades", "quotes", "corrections", "cancels"];
  assert.deepEqual([...wishesOf(WATCH, "AAPL", "1m", false)], [["AAPL", { channels: [...channels, "bars.1m"] }], ["MSFT", { channels }], ["KO", { channels }]]);
});

test("a hidden page subscribes to the price of the charted symbol only, once a second", () => {
  assert.deepEqual([...wishesOf(WATCH, "AAPL", "1m", true)], [["AAPL", { channels: ["trades"], max_hz: 1 }]]);
  assert.deepEqual([...wishesOf(WATCH, null, "1m", true)], []);
});
