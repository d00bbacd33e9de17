// @ts-check
// Checks the writer of the README's animation.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { animate, chunksOf, decode } from "../pictures/apng.mjs";

/** Two squares of four pixels that differ in the last one, RGB, with the filters "left" and "Paeth" as browsers use them. */
const [FIRST, SECOND] = [
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFUlEQVR4nGP8z8DA+J+BhZHhP5AFAB0rBASFmh0FAAAAAElFTkSuQmCC",
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DA+J+BhZHhPwMjIwAaMQMHDdWh2wAAAABJRU5ErkJggg==",
].map((text) => Buffer.from(text, "base64"));
const [RED, GREEN, BLUE, WHITE, BLACK] = [0xff0000ff, 0xff00ff00, 0xffff0000, 0xffffffff, 0xff000000];

test("a picture of a browser is read pixel by pixel", () => {
  assert.deepEqual([...decode(FIRST).pixels], [RED, GREEN, BLUE, WHITE]);
  assert.deepEqual([...decode(SECOND).pixels], [RED, GREEN, BLUE, BLACK]);
});

test("an animation begins with the first picture, and its second frame holds the one pixel that differs", () => {
  const file = animate([{ picture: FIRST, ms: 200 }, { picture: SECOND, ms: 300 }, { picture: SECOND, ms: 400 }]);
  assert.deepEqual([...decode(file).pixels], [RED, GREEN, BLUE, WHITE]);
  const chunks = chunksOf(file);
  assert.deepEqual(chunks.map(([name]) => name), ["IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"]);
  const controls = chunks.filter(([name]) => name === "fcTL").map(([, data]) => data);
  // Width, height, x and y of each frame; then its time in milliseconds.
  assert.deepEqual(controls.map((data) => [0, 1, 2, 3].map((word) => data.readUInt32BE(4 + word * 4))), [[2, 2, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]]);
  assert.deepEqual(controls.map((data) => data.readUInt16BE(20)), [200, 300, 400]);
  // Every part of the animation is in order.
  const order = chunks.filter(([name]) => name === "fcTL" || name === "fdAT").map(([, data]) => data.readUInt32BE(0));
  assert.deepEqual(order, order.map((_, index) => index));
  // Without a filter, the colour of the pixel; then a transparent one.
  const pixels = chunks.filter(([name]) => name === "fdAT").map(([, data]) => [...inflateSync(data.subarray(4))]);
  assert.deepEqual(pixels, [[0, 0, 0, 0, 255], [0, 0, 0, 0, 0]]);
});
