// @ts-check
/**
 * Shows one frame: the sixteen bits of its first two bytes, every field with its meaning, all bytes, and the unmasking.
 *
 * Owns: the look of a frame. Does not own: the selection (`frames.js`) or the parsing (`dissector.js`).
 */

/** @typedef {import("./capture.js").Captured} Captured */
/** @typedef {import("./dissector.js").Frame} Frame */

import { element } from "../element.js";
import { mark, nodesOf, t } from "../i18n.js";
import { closeOf, OPCODE, toHex } from "./dissector.js";
import { printable } from "./keys.js";

/** The most shown bytes of a frame. */
const DUMP_BYTES_MAX = 512;
/** The most bytes whose unmasking is shown. */
const UNMASKED_MAX = 12;
const TEXT_CHARS_MAX = 2_000;

/** @type {Readonly<Record<number, { name: string, meaning: string }>>} */
const OPCODES = {
  [OPCODE.continuation]: { name: mark("continuation"), meaning: mark("Continues a message.") },
  [OPCODE.text]: { name: mark("text"), meaning: mark("A text message; the payload is UTF-8.") },
  [OPCODE.binary]: { name: mark("binary"), meaning: mark("A binary message; the payload is any bytes.") },
  [OPCODE.close]: { name: mark("close"), meaning: mark("Begins or answers the closing handshake.") },
  [OPCODE.ping]: { name: mark("ping"), meaning: mark("Asks for a sign of life.") },
  [OPCODE.pong]: { name: mark("pong"), meaning: mark("Answers a ping with its payload.") },
};

/** Returns the name of an opcode. @param {number} opcode */
export function opcodeName(opcode) {
  return t(OPCODES[opcode]?.name ?? mark("reserved"));
}

/** Returns the direction of a frame in words. @param {Captured["sender"]} sender */
export function directionOf(sender) {
  return sender === "client" ? t("client → server") : t("server → client");
}

/** Returns the elements that show a frame. @param {Captured} captured */
export function frameDetail({ number, sender, frame }) {
  const values = { number, direction: directionOf(sender), opcode: opcodeName(frame.opcode), count: frame.bytes.length };
  /** @type {HTMLElement[]} */
  const detail = [
    element("h3", {}, t("Frame {number}, {direction}: {opcode}, {count} bytes", values)),
    bits(frame),
    fields(frame),
    element("h4", {}, t("All bytes")),
    frameBytes(frame),
  ];
  if (frame.masked && frame.length > 0) detail.push(element("h4", {}, t("Taking the mask off")), unmasking(frame));
  if (frame.length > 0) detail.push(element("h4", {}, t("The payload")), element("pre", { class: "payload" }, payloadText(frame)));
  return detail;
}

/** Returns the payload as one line of text. @param {Frame} frame */
export function payloadText(frame) {
  if (frame.opcode === OPCODE.close) {
    const { code, reason } = closeOf(frame);
    if (code === null) return t("no code");
    return reason ? t("code {code}, reason “{reason}”", { code, reason }) : t("code {code}, no reason", { code });
  }
  if (frame.length === 0) return t("empty");
  const text = frame.opcode === OPCODE.binary ? [...frame.payload].map(toHex).join(" ") : new TextDecoder().decode(frame.payload);
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
}

/** Returns the bytes of a frame, coloured by part. @param {Frame} frame */
export function frameBytes({ bytes, parts }) {
  const dump = element("div", { class: "dump" });
  for (const { name, start, end } of parts) {
    for (const byte of bytes.subarray(start, Math.min(end, DUMP_BYTES_MAX))) {
      dump.append(element("code", { "data-part": name }, toHex(byte)), " ");
    }
  }
  if (bytes.length > DUMP_BYTES_MAX) {
    dump.append(element("span", { class: "note" }, t("and {count} more bytes", { count: bytes.length - DUMP_BYTES_MAX })));
  }
  return dump;
}

/** The first two bytes as the figure of RFC 6455 section 5.2 draws them. @param {Frame} frame */
function bits({ bytes }) {
  const names = [["FIN", 1], ["RSV1", 1], ["RSV2", 1], ["RSV3", 1], ["opcode", 4], ["MASK", 1], ["length", 7]];
  const digits = [...bytes.subarray(0, 2)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let at = 0;
  const groups = names.map(([name, width]) => {
    const part = at < 8 ? "first" : "second";
    const value = digits.slice(at, at + Number(width));
    at += Number(width);
    return element("span", { class: "bit-field", "data-part": part, "data-width": String(width) },
      element("code", {}, value), element("small", {}, String(name)));
  });
  return element("div", { class: "bits", "aria-hidden": "true" }, ...groups);
}

/** @param {Frame} frame */
function fields(frame) {
  const { bytes, fin, rsv, opcode, masked, length, key } = frame;
  const short = bytes[1] & 0x7f;
  const reserved = rsv.map((bit) => (bit ? "1" : "0")).join("");
  const rows = [
    field("first", "FIN", fin ? "1" : "0", fin ? t("This frame ends its message.") : t("More of its message follows.")),
    field("first", "RSV1–3", reserved, reserved === "000" ? t("Zero, as no extension was agreed on.") : t("Set by an extension.")),
    field("first", t("opcode"), `0x${opcode.toString(16)}`, t(OPCODES[opcode]?.meaning ?? mark("Not in use."))),
    field("second", "MASK", masked ? "1" : "0", masked ? t("Masked, as everything that a client sends.") : t("Not masked, as everything that a server sends.")),
    field("second", t("length"), String(short), shortLength(short, length)),
  ];
  const long = frame.parts.find((part) => part.name === "length");
  if (long) rows.push(field("length", t("extended length"), hex(bytes.subarray(long.start, long.end)), t("The payload has {count} bytes.", { count: length })));
  if (masked) rows.push(field("key", t("masking key"), hex(key), t("Four random bytes, new for each frame.")));
  const start = hex(bytes.subarray(bytes.length - length).subarray(0, 4));
  rows.push(field("payload", t("payload"), length > 4 ? `${start} …` : start || "–", t("{count} bytes", { count: length })));
  const head = element("tr", {}, ...[t("Field"), t("Value"), t("Meaning")].map((title) => element("th", { scope: "col" }, title)));
  return element("table", { class: "fields" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

/** @param {string} part @param {string} name @param {string} value @param {string} meaning */
function field(part, name, value, meaning) {
  return element("tr", { "data-part": part }, element("th", { scope: "row" }, name),
    element("td", {}, element("code", {}, value)), element("td", {}, meaning));
}

/** @param {number} short @param {number} length */
function shortLength(short, length) {
  if (short === 126) return t("126: the length is in the next two bytes.");
  if (short === 127) return t("127: the length is in the next eight bytes.");
  return t("The payload has {count} bytes.", { count: length });
}

/** @param {Frame} frame */
function unmasking({ bytes, key, payload }) {
  const masked = bytes.subarray(bytes.length - payload.length);
  const count = Math.min(payload.length, UNMASKED_MAX);
  const indices = Array.from({ length: count }, (_, index) => index);
  /** @type {[string, string, (index: number) => string][]} */
  const lines = [
    ["payload", t("on the wire"), (index) => toHex(masked[index])],
    ["key", t("masking key"), (index) => toHex(key[index % 4])],
    ["", t("exclusive or"), (index) => toHex(payload[index])],
    ["", t("as text"), (index) => printable(payload[index]) ?? "·"],
  ];
  const rows = lines.map(([part, title, value]) => element("tr", part ? { "data-part": part } : {}, element("th", { scope: "row" }, title),
    ...indices.map((index) => element("td", {}, element("code", {}, value(index))))));
  const table = element("table", { class: "unmasking" }, element("tbody", {}, ...rows));
  const note = element("p", { class: "note" }, ...nodesOf(mark("Byte `i` of the payload is combined with byte `i mod 4` of the key by exclusive or. Doing so again restores the byte.")));
  return element("div", {}, note, element("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": t("Taking the mask off") }, table));
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map(toHex).join(" ");
}
