// @ts-check
/**
 * Animated PNG (APNG, PNG 3rd edition, section 11.3.6): reads the still pictures of a browser, and writes them as one animation in which
 * each frame holds only the pixels that differ from the frame before.
 *
 * Owns: the file format, as far as browsers write it: 8 bits, RGB or RGBA, not interlaced. Without loss.
 */

import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const RGBA = 6;
const RGB = 2;

/** @typedef {{ width: number, height: number, pixels: Uint32Array }} Picture one number for each pixel, with red in the lowest byte */
/** @typedef {{ picture: Buffer, ms: number }} Frame a PNG, and how long it is shown */

/** @param {Buffer} file @returns {[name: string, data: Buffer][]} */
export function chunksOf(file) {
  /** @type {[string, Buffer][]} */
  const chunks = [];
  for (let at = SIGNATURE.length; at < file.length; ) {
    const length = file.readUInt32BE(at);
    chunks.push([file.toString("latin1", at + 4, at + 8), file.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  return chunks;
}

/** Reads a PNG. @param {Buffer} file @returns {Picture} */
export function decode(file) {
  const chunks = chunksOf(file);
  const head = chunks[0][1];
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const [depth, colour, , , interlace] = head.subarray(8);
  if (depth !== 8 || (colour !== RGB && colour !== RGBA) || interlace !== 0) throw new Error("not a picture of 8 bits, RGB or RGBA, not interlaced");
  const size = colour === RGBA ? 4 : 3;
  const lines = inflateSync(Buffer.concat(chunks.filter(([name]) => name === "IDAT").map(([, data]) => data)));
  const stride = width * size;
  const pixels = new Uint32Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y += 1) {
    const from = y * (stride + 1);
    const line = lines.subarray(from + 1, from + 1 + stride);
    unfilter(lines[from], line, above, size);
    for (let x = 0; x < width; x += 1) {
      const at = x * size;
      const alpha = size === 4 ? line[at + 3] : 255;
      pixels[y * width + x] = (line[at] | (line[at + 1] << 8) | (line[at + 2] << 16) | (alpha << 24)) >>> 0;
    }
    above = line;
  }
  return { width, height, pixels };
}

/** Undoes the filter of a line, in place. @param {number} filter @param {Uint8Array} line @param {Uint8Array} above @param {number} size of a pixel */
function unfilter(filter, line, above, size) {
  for (let at = 0; at < line.length; at += 1) {
    const left = at < size ? 0 : line[at - size];
    if (filter === 1) line[at] += left;
    else if (filter === 2) line[at] += above[at];
    else if (filter === 3) line[at] += (left + above[at]) >> 1;
    else if (filter === 4) line[at] += paeth(left, above[at], at < size ? 0 : above[at - size]);
  }
}

/** @param {number} a @param {number} b @param {number} c */
function paeth(a, b, c) {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/** Writes an animation that repeats for ever. @param {readonly Frame[]} frames of equal size, at least one */
export function animate(frames) {
  const pictures = frames.map(({ picture }) => decode(picture));
  const { width, height } = pictures[0];
  const parts = [chunk("IHDR", words(width, height), [8, RGBA, 0, 0, 0]), chunk("acTL", words(frames.length, 0))];
  let sequence = 0;
  pictures.forEach((picture, index) => {
    if (picture.width !== width || picture.height !== height) throw new Error("pictures of different sizes");
    const { x, y, ...part } = index === 0 ? { x: 0, y: 0, ...picture } : changed(pictures[index - 1], picture);
    const times = Buffer.alloc(6);
    times.writeUInt16BE(frames[index].ms, 0);
    times.writeUInt16BE(1_000, 2);
    // Leaves the frame as it is, and paints the first one instead of, each other one over what is there.
    times[5] = index === 0 ? 0 : 1;
    parts.push(chunk("fcTL", words(sequence++, part.width, part.height, x, y), times));
    const data = deflateSync(linesOf(part), { level: 9 });
    parts.push(index === 0 ? chunk("IDAT", data) : chunk("fdAT", words(sequence++), data));
  });
  return Buffer.concat([SIGNATURE, ...parts, chunk("IEND")]);
}

/** Returns the box of the pixels that differ, and in it those pixels; the others are transparent. @param {Picture} before @param {Picture} after */
function changed(before, after) {
  const { width, height } = after;
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let at = 0; at < after.pixels.length; at += 1) {
    if (before.pixels[at] === after.pixels[at]) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  }
  // A frame has at least one pixel.
  if (right < 0) return { x: 0, y: 0, width: 1, height: 1, pixels: new Uint32Array(1) };
  const box = { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  const pixels = new Uint32Array(box.width * box.height);
  for (let y = 0; y < box.height; y += 1) {
    for (let x = 0; x < box.width; x += 1) {
      const at = (top + y) * width + left + x;
      if (before.pixels[at] !== after.pixels[at]) pixels[y * box.width + x] = after.pixels[at];
    }
  }
  return { ...box, pixels };
}

/** Returns the lines of a picture, none of them filtered: of flat colours that is the smallest. @param {Picture} picture */
function linesOf({ width, height, pixels }) {
  const lines = Buffer.alloc(height * (width * 4 + 1));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) lines.writeUInt32LE(pixels[y * width + x], y * (width * 4 + 1) + 1 + x * 4);
  }
  return lines;
}

/** @param {...number} values */
function words(...values) {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

/** The checksum of each byte (PNG, annex D). */
const CHECKSUMS = Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1;
  return sum >>> 0;
});

/** @param {Buffer} bytes */
function checksum(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = CHECKSUMS[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** @param {string} name @param {...(Buffer | number[])} data */
function chunk(name, ...data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), ...data.map((part) => Buffer.from(part))]);
  return Buffer.concat([words(body.length - 4), body, words(checksum(body))]);
}
