// @ts-check
// Checks what the page says while nothing comes: its title, the age of a price, the holes, the tape, and why there is no connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ages } from "../js/ages.js";
import { titleOf } from "../js/heading.js";
import { isLost } from "../js/link.js";
import { holesOf } from "../js/statusbar.js";
import { Tape } from "../js/tape.js";
import { fromSnapshot } from "../js/ticker.js";
import { snapshot } from "./messages.js";

const ticker = fromSnapshot(snapshot({}));

test("the title says that a price is stale before it says the price", () => {
  assert.match(titleOf("AAPL", ticker, false), /^AAPL 200\.00 .* ?tickcast$/);
  assert.equal(titleOf("AAPL", ticker, true), "⚠ stale · AAPL 200.00");
  assert.equal(titleOf(null, undefined, true), "tickcast");
});

test("prices stand still without a connection and in silence, not after a lag", () => {
  assert.ok(isLost({ state: "reconnecting", retry_at_ms: null, reason: "" }));
  assert.ok(isLost({ state: "closed", reason: "" }));
  assert.ok(isLost({ state: "stale", silent_since_ms: 5, skipped: 0 }));
  assert.ok(!isLost({ state: "stale", silent_since_ms: null, skipped: 9 }), "the newest prices have come");
  assert.ok(!isLost({ state: "connecting" }) && !isLost({ state: "live", fallback: null }));
});

test("without a connection every symbol has an age after a second", () => {
  const ages = new Ages();
  ages.hear("AAPL", 1_000);
  assert.deepEqual([ages.silence("AAPL", 3_000), ages.silence("AAPL", 1_999, true), ages.silence("AAPL", 3_000, true)], [null, null, 2_000]);
  ages.end("AAPL");
  assert.equal(ages.silence("AAPL", 9_000, true), null, "it was not sent before either");
});

test("no holes are known of a time without a connection", () => {
  assert.equal(holesOf(0, 0, false), "0");
  assert.equal(holesOf(0, 3, true), "0 (3 skipped), now unknown");
});

test("the tape keeps its trades until others of the same symbol come", () => {
  class FakeElement {
    textContent = "";
    hidden = false;
    dataset = {};
  }
  /** @type {(FakeElement & { cells: FakeElement[] })[]} */
  const rows = [];
  const insertRow = () => {
    /** @type {FakeElement[]} */
    const cells = [];
    const row = Object.assign(new FakeElement(), { cells, insertCell: () => cells.push(new FakeElement()) });
    rows.push(row);
    return row;
  };
  Object.assign(globalThis, { HTMLElement: FakeElement, document: { querySelector: () => new FakeElement() } });
  try {
    const tape = new Tape(/** @type {HTMLTableElement} */ (/** @type {unknown} */ ({ tBodies: [{ insertRow }] })));
    const shown = () => rows.filter(({ hidden }) => !hidden).map(({ cells }) => cells[2].textContent);
    tape.paint("AAPL", [{ symbol: "AAPL", seq: 1, offset: 1, ts: 1, price: 200, size: 1, side: 1 }]);
    tape.paint("AAPL", []);
    assert.deepEqual(shown(), ["200.00"]);
    tape.paint("MSFT", []);
    assert.deepEqual(shown(), []);
  } finally {
    Object.assign(globalThis, { HTMLElement: undefined, document: undefined });
  }
});
