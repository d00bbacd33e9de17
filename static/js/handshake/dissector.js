// @ts-check
/**
 * Parses a stream of bytes into WebSocket frames (RFC 6455 section 5.2).
 *
 * Owns: place and value of each field. Does not own: the source of the bytes (`capture.js`), the look of a frame (`frameview.js`). Pure.
 */

/** @typedef {"first" | "second" | "length" | "key" | "payload"} PartName */
/** A run of bytes of a frame; `end` is exclusive. @typedef {{ name: PartName, start: number, end: number }} Part */

/**
 * @typedef {object} Frame
 * @property {Uint8Array} bytes as they were on the wire
 * @property {Part[]} parts of the frame, in order
 * @property {boolean} fin
 * @property {[boolean, boolean, boolean]} rsv
 * @property {number} opcode
 * @property {boolean} masked
 * @property {number} length of the payload
 * @property {Uint8Array} key empty if the frame is not masked
 * @property {Uint8Array} payload without its mask
 */

export const OPCODE = /** @type {const} */ ({ continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 });
/** The longest accepted frame, in bytes. Captured frames are shorter. */
const FRAME_BYTES_MAX = 1 << 24;

export class Dissector {
  #pending = new Uint8Array(0);

  /** Whether the last frame is incomplete. */
  get isWithinFrame() {
    return this.#pending.length > 0;
  }

  /**
   * Takes bytes and returns the frames that they complete.
   * @param {Uint8Array} bytes
   * @returns {Frame[]}
   */
  push(bytes) {
    const all = new Uint8Array(this.#pending.length + bytes.length);
    all.set(this.#pending);
    all.set(bytes, this.#pending.length);
    const frames = [];
    let start = 0;
    for (;;) {
      const parts = partsOf(all.subarray(start));
      const end = parts?.at(-1)?.end;
      if (!parts || end === undefined || start + end > all.length) break;
      frames.push(read(all.slice(start, start + end), parts));
      start += end;
    }
    this.#pending = all.slice(start);
    return frames;
  }
}

/**
 * Returns the parts of the frame that begins here, if its header is complete.
 * @param {Uint8Array} bytes
 * @returns {Part[] | null}
 * @throws {RangeError} if its length is above the limit
 */
function partsOf(bytes) {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const length_bytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const key_start = 2 + length_bytes;
  const payload_start = key_start + (bytes[1] & 0x80 ? 4 : 0);
  if (bytes.length < payload_start) return null;
  const length = length_bytes === 0 ? short : bigEndian(bytes.subarray(2, key_start));
  if (length > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${length} bytes`);
  /** @type {Part[]} */
  const parts = [
    { name: "first", start: 0, end: 1 },
    { name: "second", start: 1, end: 2 },
    { name: "length", start: 2, end: key_start },
    { name: "key", start: key_start, end: payload_start },
    { name: "payload", start: payload_start, end: payload_start + length },
  ];
  return parts.filter((part) => part.end > part.start);
}

/** @param {Uint8Array} bytes @param {Part[]} parts @returns {Frame} */
function read(bytes, parts) {
  const partNamed = (/** @type {PartName} */ name) => {
    const part = parts.find((each) => each.name === name);
    return part ? bytes.subarray(part.start, part.end) : new Uint8Array(0);
  };
  const [first, second] = bytes;
  const key = partNamed("key");
  const payload = partNamed("payload").map((byte, index) => (key.length > 0 ? byte ^ key[index % 4] : byte));
  return {
    bytes,
    parts,
    fin: (first & 0x80) !== 0,
    rsv: [(first & 0x40) !== 0, (first & 0x20) !== 0, (first & 0x10) !== 0],
    opcode: first & 0x0f,
    masked: (second & 0x80) !== 0,
    length: payload.length,
    key,
    payload,
  };
}

/** @param {Uint8Array} bytes */
function bigEndian(bytes) {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/**
 * Returns the code of a close frame, null without one, and its reason (RFC 6455 section 5.5.1).
 * @param {Frame} frame
 */
export function closeOf({ payload }) {
  const code = payload.length >= 2 ? bigEndian(payload.subarray(0, 2)) : null;
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}

/** @param {string} hex */
export function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** @param {number} byte */
export function toHex(byte) {
  return byte.toString(16).padStart(2, "0");
}
