// @ts-check
// Checks when the chart shows that it is loading. Clock and elements are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Notice } from "../js/notice.js";

const NATIVE = globalThis.document;
/** @type {Record<string, { hidden: boolean, textContent: string }>} */
let elements;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  /** @param {string} id */
  const made = (id) => ({ id, hidden: true, textContent: "", addEventListener() {} });
  elements = Object.fromEntries(["chart-message", "chart-message-text", "chart-retry"].map((id) => [id, made(id)]));
  Object.assign(globalThis, { document: { getElementById: (/** @type {string} */ id) => elements[id] } });
});

afterEach(() => {
  mock.timers.reset();
  globalThis.document = NATIVE;
});

function shown() {
  return elements["chart-message"].hidden ? "" : elements["chart-message-text"].textContent;
}

test("a history under way is called loading after 150 ms, and not before", () => {
  const notice = new Notice(() => {});
  notice.wait();
  mock.timers.tick(149);
  assert.equal(shown(), "");
  mock.timers.tick(1);
  assert.equal(shown(), "Loading…");
  assert.equal(elements["chart-retry"].hidden, true);
});

test("no loading message is shown if the history comes or fails before that", () => {
  const notice = new Notice(() => {});
  for (const phrase of ["", "The server cannot be reached."]) {
    notice.wait();
    mock.timers.tick(149);
    notice.show(phrase, {}, phrase !== "");
    mock.timers.tick(1_000);
    assert.equal(shown(), phrase);
  }
});

test("another choice restarts the delay of the loading message", () => {
  const notice = new Notice(() => {});
  notice.wait();
  mock.timers.tick(100);
  notice.wait();
  mock.timers.tick(100);
  assert.equal(shown(), "");
  mock.timers.tick(50);
  assert.equal(shown(), "Loading…");
});
