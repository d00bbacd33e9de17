// @ts-check
// Checks that the figures that /compare shows before a run are those of the last measured comparison.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { writeBytes, writeSpan } from "../js/compare/figures.js";
import { measuredFigures } from "../js/compare/headline.js";
import { moduleOf } from "../measured.mjs";

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the module is what `node static/measured.mjs` writes for the committed comparison", () => {
  assert.equal(read("../js/compare/measured.js"), moduleOf(JSON.parse(read("../../docs/comparison/comparison.json"))));
});

test("the figures are those of docs/COMPARISON.md, rounded as there", () => {
  const section = read("../../docs/COMPARISON.md").split("\n10 events per second for each client:\n\n")[1].split("\n\n")[0];
  /** @param {string} name */
  const row = (name) => section.split("\n").find((line) => line.startsWith(`| ${name}`))?.split("|").map((cell) => cell.trim()).slice(2, -1) ?? [];
  const { websocket, sse, long_poll, short_poll } = measuredFigures();
  const [bytes, requests, p50, , cpu] = row("WebSocket");
  assert.equal(writeBytes(websocket.bytes_per_event), bytes);
  assert.equal(String(websocket.requests), requests);
  assert.equal(writeSpan(websocket.p50), p50);
  // A CPU of nearly nothing, or within the spread of idle servers, is a dash there.
  if (cpu.endsWith("µs")) assert.equal(Math.round(Number(websocket.cpu) / 1_000), Math.round(Number.parseFloat(cpu)));
  for (const [figures, name] of /** @type {const} */ ([[sse, "SSE"], [long_poll, "long poll"], [short_poll, "short poll 1000 ms"]])) {
    const [times, perEvent, half] = row(name);
    const within = (/** @type {number | null} */ own, /** @type {number | null} */ of, /** @type {string} */ text) => {
      const ratio = Number(own) / Number(of);
      assert.ok(Math.abs(ratio / Number.parseFloat(text) - 1) < 0.06, `${name}: ${ratio} is written as ${text}`);
    };
    within(figures.bytes_per_event, websocket.bytes_per_event, times);
    within(figures.p50, websocket.p50, half);
    assert.ok(Math.abs(Number(figures.requests) / figures.events - Number(perEvent)) < 0.01, name);
  }
});
