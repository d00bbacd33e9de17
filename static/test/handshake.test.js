// @ts-check
// Checks the key's way to its answer, and that frames come apart as RFC 6455 puts them together.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { acceptSteps, base64Groups, checkKey, toBase64 } from "../js/handshake/accept.js";
import { noteOf } from "../js/handshake/attempts.js";
import { said } from "../js/handshake/closing.js";
import { closeOf, Dissector, fromHex, OPCODE } from "../js/handshake/dissector.js";
import { parseOffer } from "../js/handshake/offers.js";

test("the accept value of a key is that of the RFC", () => {
  assert.equal(acceptSteps("dGhlIHNhbXBsZSBub25jZQ==").accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.equal(acceptSteps("x3JJHMbDL1EzLkh9GBhXDw==").accept, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
});

test("accept values agree with another implementation of SHA-1", () => {
  for (let count = 0; count < 200; count += 1) {
    const key = randomBytes(16).toString("base64");
    const { joined, digest, accept } = acceptSteps(key);
    assert.equal(joined, `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    assert.deepEqual(Buffer.from(digest), createHash("sha1").update(joined).digest());
    assert.equal(accept, Buffer.from(digest).toString("base64"));
    assert.equal(base64Groups(digest).map((group) => group.characters).join(""), accept);
    assert.deepEqual(checkKey(key).bytes, new Uint8Array(Buffer.from(key, "base64")));
    assert.equal(toBase64(checkKey(key).bytes), key);
  }
});

test("each mistake in a key is named", () => {
  /** @param {string} key */
  const said = (key) => checkKey(key).problem?.phrase.slice(0, 26);
  assert.equal(said("dGhlIHNhbXBsZSBub25jZQ=="), undefined);
  assert.equal(said(""), "A key is needed: 24 charac");
  assert.equal(said("dGhlIHNhbXBsZSBub25jZ!=="), "“{stranger}” does not occu");
  assert.equal(said("열쇠"), "“{stranger}” does not occu");
  assert.equal(said("dGhl=HNhbXBsZSBub25jZQ=="), "The sign = only fills up t");
  assert.equal(said("dGhlIHNhbXBsZSBub25j===="), "The sign = only fills up t");
  assert.equal(said("===="), "The sign = only fills up t");
  assert.equal(said("dGhlIHNhbXBsZSBub25jZQ"), "Base64 comes in groups of ");
  assert.equal(said("="), "Base64 comes in groups of ");
  assert.equal(said("dGhlIHNhbXBsZQ=="), "These are {count} bytes in");
  assert.equal(said("dGhlIHNhbXBsZSBub25jZSEh"), "These are {count} bytes in");
  assert.equal(checkKey("dGhlIHNhbXBsZQ==").problem.values.count, 10);
});

/** Puts a frame together. @param {number} first @param {Iterable<number> & { length: number }} payload @param {number[]} [key] */
function frame(first, payload, key) {
  const size = payload.length;
  const long = size < 126 ? [] : [...Buffer.from(size.toString(16).padStart(size < 65_536 ? 4 : 16, "0"), "hex")];
  const short = size < 126 ? size : size < 65_536 ? 126 : 127;
  const body = [...payload].map((byte, index) => (key ? byte ^ key[index % 4] : byte));
  return Uint8Array.from([first, (key ? 0x80 : 0) | short, ...long, ...(key ?? []), ...body]);
}

test("the examples of RFC 6455 section 5.7 are parsed", () => {
  const [hello] = new Dissector().push(fromHex("810548656c6c6f"));
  assert.deepEqual([hello.fin, hello.opcode, hello.masked, hello.length], [true, OPCODE.text, false, 5]);
  assert.equal(new TextDecoder().decode(hello.payload), "Hello");
  const [masked] = new Dissector().push(fromHex("818537fa213d7f9f4d5158"));
  assert.deepEqual([masked.masked, [...masked.key]], [true, [0x37, 0xfa, 0x21, 0x3d]]);
  assert.equal(new TextDecoder().decode(masked.payload), "Hello");
  const fragments = new Dissector().push(fromHex("010348656c80026c6f"));
  assert.deepEqual(fragments.map((each) => [each.fin, each.opcode]), [[false, OPCODE.text], [true, OPCODE.continuation]]);
  const [ping, pong] = new Dissector().push(fromHex("890548656c6c6f8a8537fa213d7f9f4d5158"));
  assert.deepEqual([ping.opcode, pong.opcode], [OPCODE.ping, OPCODE.pong]);
});

test("frames of every length, masked or not, are parsed from any pieces", () => {
  const key = [0x3a, 0x7f, 0x00, 0xc5];
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536];
  const payloads = lengths.flatMap((length) => /** @type {[number, number[] | null][]} */ ([[length, key], [length, null]]));
  const frames = payloads.map(([length, mask]) => frame(0x82, randomBytes(length), mask));
  const stream = Buffer.concat(frames);
  for (const step of [1 << 20, 4_096, 977]) {
    const dissector = new Dissector();
    const found = [];
    for (let at = 0; at < stream.length; at += step) found.push(...dissector.push(new Uint8Array(stream.subarray(at, at + step))));
    assert.deepEqual(found.map((each) => [each.length, each.masked ? [...each.key] : null]), payloads);
    assert.deepEqual(found.map((each) => each.bytes), frames);
    assert.equal(dissector.isWithinFrame, false);
    for (const { parts, bytes } of found) {
      assert.equal(parts[0].start, 0);
      for (const [index, part] of parts.slice(1).entries()) assert.equal(part.start, parts[index].end, "no byte is left out");
      assert.equal(parts.at(-1).end, bytes.length);
    }
  }
});

test("short frames are parsed byte by byte", () => {
  const stream = Buffer.concat([frame(0x81, Buffer.from("가"), [1, 2, 3, 4]), frame(0xc8, [0x03, 0xe8], null)]);
  const dissector = new Dissector();
  const found = [...stream].flatMap((byte) => dissector.push(Uint8Array.of(byte)));
  assert.equal(new TextDecoder().decode(found[0].payload), "가");
  assert.deepEqual([found[1].rsv, found[1].opcode], [[true, false, false], OPCODE.close]);
});

test("an incomplete frame waits for more bytes, and one above the limit is refused", () => {
  const dissector = new Dissector();
  assert.deepEqual(dissector.push(fromHex("8105486c")), []);
  assert.equal(dissector.isWithinFrame, true);
  assert.throws(() => new Dissector().push(fromHex("827f00ffffffffffffff")), RangeError);
});

test("the code and the reason of a close frame are optional", () => {
  /** @param {string} hex */
  const close = (hex) => closeOf(new Dissector().push(fromHex(hex))[0]);
  assert.deepEqual(close("880503e8627965"), { code: 1000, reason: "bye" });
  assert.deepEqual(close("88020fa0"), { code: 4000, reason: "" });
  assert.deepEqual(close("8800"), { code: null, reason: "" });
});

test("an offer is a list of names, each once", () => {
  assert.deepEqual(parseOffer(" soap,tickcast.v1.json , "), { names: ["soap", "tickcast.v1.json"], problem: null });
  assert.deepEqual(parseOffer(""), { names: [], problem: null });
  assert.equal(parseOffer("a b").problem.values.name, "a b");
  assert.equal(parseOffer("soap, wamp, soap").problem.values.name, "soap");
});

test("the note under an attempt depends on the response status", () => {
  assert.match(noteOf("foreign_origin", "403"), /refuses: 403\.$/);
  assert.match(noteOf("foreign_origin", "101"), /lets that site in.*: 101\.$/);
  assert.match(noteOf("accepted", "503"), /: 503\.$/);
  for (const name of ["no_upgrade", "wrong_version", "bad_key", "foreign_origin", "accepted"]) {
    assert.equal(noteOf(name, "500"), "The server has answered 500 this time; its answer says why.");
  }
});

test("a socket that was never opened is not reported as closed", () => {
  const event = { code: 1006, reason: "", wasClean: false };
  assert.match(said({ ...event, hasOpened: false }), /1006: the socket was never opened/);
  assert.match(said({ ...event, hasOpened: true }), /without a closing handshake/);
  assert.match(said({ code: 4000, reason: "", wasClean: true, hasOpened: true }), /4000, which the server has sent without a reason/);
});
