// @ts-check
// Checks when the chart shows that it is loading. Clock and elements are fakes.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Notice } from "../js/notice.js";

/** @type {Record<string, { hidden: boolean, textContent: string, addEventListener: () => void }>} */
let elements;
/** @type {HTMLElement} */
let root;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  elements = {};
  for (const selector of [".chart-message", ".chart-message p", ".chart-message button"]) {
    elements[selector] = { hidden: true, textContent: "", addEventListener() {} };
  }
  root = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ querySelector: (/** @type {string} */ selector) => elements[selector] }));
});

afterEach(() => mock.timers.reset());

function shown() {
  return elements[".chart-message"].hidden ? "" : elements[".chart-message p"].textContent;
}

test("a history under way is called loading after 150 ms, and not before", () => {
  const notice = new Notice(root, () => {});
  notice.wait();
  mock.timers.tick(149);
  assert.equal(shown(), "");
  mock.timers.tick(1);
  assert.equal(shown(), "Loading…");
  assert.equal(elements[".chart-message button"].hidden, true);
});

test("no loading message is shown if the history comes or fails before that", () => {
  const notice = new Notice(root, () => {});
  for (const phrase of ["", "The server cannot be reached."]) {
    notice.wait();
    mock.timers.tick(149);
    notice.show(phrase, {}, phrase !== "");
    mock.timers.tick(1_000);
    assert.equal(shown(), phrase);
  }
});

test("another choice restarts the delay of the loading message", () => {
  const notice = new Notice(root, () => {});
  notice.wait();
  mock.timers.tick(100);
  notice.wait();
  mock.timers.tick(100);
  assert.equal(shown(), "");
  mock.timers.tick(50);
  assert.equal(shown(), "Loading…");
});
