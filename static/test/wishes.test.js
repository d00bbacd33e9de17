// @ts-check
// Checks the subscriptions of a shown and a hidden page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PACES, paceOf, stopOf, usualPace } from "../js/pace.js";
import { wishesOf } from "../js/wishes.js";

/** @type {import("../js/wishes.js").Need} */
const NEED = { charted: "AAPL", interval: "1m", isHidden: false, seen: ["MSFT", "AAPL", "KO"], unseen: [], pace: 4, watched: new Map() };
const ROW = ["trades", "quotes"];
const WHOLE = [...ROW, "corrections", "cancels"];

/** @param {Partial<import("../js/wishes.js").Need>} need */
const wishes = (need) => [...wishesOf({ ...NEED, ...need })];

test("a shown page gets every event of the charted symbol, which comes first, and the newest ones of its other rows", () => {
  assert.deepEqual(wishes({}), [
    ["AAPL", { channels: [...WHOLE, "bars.1m", "bars.1m.updated"] }], ["MSFT", { channels: ROW, max_hz: 4 }], ["KO", { channels: ROW, max_hz: 4 }],
  ]);
  assert.deepEqual(wishes({ pace: "all", seen: ["KO"] })[1], ["KO", { channels: WHOLE }]);
});

test("rows out of sight get one update a second at most, and none if nobody needs their figures", () => {
  assert.deepEqual(wishes({ seen: [], unseen: ["KO"] })[1], ["KO", { channels: ROW, max_hz: 1 }]);
  assert.deepEqual(wishes({ seen: [], unseen: ["KO"], pace: "all" })[1], ["KO", { channels: ROW, max_hz: 1 }]);
  assert.deepEqual(wishes({ seen: [], unseen: ["KO"], pace: 0.5 })[1], ["KO", { channels: ROW, max_hz: 0.5 }]);
  assert.equal(wishes({ seen: [] }).length, 1);
});

test("a hidden page gets the price of the charted symbol once a second", () => {
  assert.deepEqual(wishes({ isHidden: true }), [["AAPL", { channels: ["trades"], max_hz: 1 }]]);
  assert.deepEqual(wishes({ isHidden: true, charted: null }), []);
});

test("an alert gets every event of what it watches, in a hidden page too", () => {
  /** @type {import("../js/wishes.js").Need["watched"]} */
  const watched = new Map([["KO", ["trades"]], ["AAPL", ["quotes"]], ["XOM", ["quotes"]]]);
  assert.deepEqual(wishes({ watched }), [
    ["AAPL", { channels: [...WHOLE, "bars.1m", "bars.1m.updated"] }], ["KO", { channels: WHOLE }], ["XOM", { channels: WHOLE }], ["MSFT", { channels: ROW, max_hz: 4 }],
  ]);
  assert.deepEqual(wishes({ watched, isHidden: true }), [
    ["AAPL", { channels: ["trades", "quotes"] }], ["KO", { channels: ["trades"] }], ["XOM", { channels: ["quotes"] }],
  ]);
});

test("the pace is a stop of the slider, and saving data slows it down", () => {
  assert.deepEqual([usualPace(undefined), usualPace({ saveData: false }), usualPace({ saveData: true })], [4, 4, 1]);
  assert.deepEqual(PACES.map(stopOf), PACES.map((_, index) => index));
  assert.deepEqual([stopOf(60), stopOf(0.1), stopOf(3)], [4, 0, 3]);
  assert.deepEqual(["all", 4, 3, "4", null, undefined].map(paceOf), ["all", 4, null, null, null, null]);
});

test("charts beside the first, and a compared symbol, come before the watchlist, each with its bars and every event", () => {
  const further = /** @type {const} */ ([{ symbol: "AAPL", interval: "1h" }, { symbol: "KO", interval: "1m" }, { symbol: "V", interval: "1h" }]);
  const map = new Map(wishes({ further }));
  assert.deepEqual([...map.keys()], ["AAPL", "KO", "V", "MSFT"]);
  assert.deepEqual(map.get("AAPL"), { channels: [...WHOLE, "bars.1m", "bars.1m.updated", "bars.1h"] });
  assert.deepEqual(map.get("KO"), { channels: [...WHOLE, "bars.1m", "bars.1m.updated"] });
  assert.deepEqual(map.get("V"), { channels: [...WHOLE, "bars.1h"] });
  assert.deepEqual(wishes({ further, isHidden: true }).map(([symbol]) => symbol), ["AAPL"], "a hidden page needs its title only");
});
