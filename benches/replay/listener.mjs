// @ts-check
// A WebSocket client that notes when bytes arrive, before it reads them. It checks no more of RFC 6455 than a measurement needs.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** A short frame of a client, masked with zeros. @param {number} opcode @param {Buffer} payload */
function frame(opcode, payload) {
  if (payload.length > 125) throw new Error("a frame of this client has at most 125 bytes");
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** The first frame of some bytes; undefined if it is not complete. @param {Buffer} bytes */
function first(bytes) {
  if (bytes.length < 2) return undefined;
  const [short, opcode] = [bytes[1] & 0x7f, bytes[0] & 0x0f];
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  return { opcode, payload: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

/**
 * Opens a session. `onMessages` gets the messages of each frame and the time (`performance.now()`) at which its last bytes arrived.
 * @param {string} url like http://127.0.0.1:8080
 * @param {(messages: any[], arrived: number) => void} onMessages
 */
export async function listen(url, onMessages) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  await once(socket, "connect");
  const lines = ["GET /ws HTTP/1.1", `Host: ${hostname}:${port}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  socket.write([...lines, `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`, "", ""].join("\r\n"));
  /** @type {Buffer} */
  let bytes = Buffer.alloc(0);
  let isOpen = false;
  /** @type {string | undefined} */
  let ended;
  socket.on("error", (err) => {
    ended = err.message;
  });
  socket.on("close", () => {
    ended ??= "the server has closed the connection";
  });
  socket.on("data", (chunk) => {
    const arrived = performance.now();
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    if (!isOpen) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!bytes.toString("latin1").startsWith("HTTP/1.1 101 ")) ended = bytes.toString("latin1", 0, end);
      [isOpen, bytes] = [true, bytes.subarray(end + 4)];
    }
    for (let found = first(bytes); found !== undefined; found = first(bytes)) {
      bytes = found.rest;
      if (found.opcode === TEXT) onMessages([JSON.parse(found.payload.toString())].flat(), arrived);
      if (found.opcode === PING) socket.write(frame(PONG, found.payload));
      if (found.opcode === CLOSE) ended = `closed: ${found.payload.subarray(2)}`;
    }
  });
  return {
    /** @param {unknown} request */
    send: (request) => socket.write(frame(TEXT, Buffer.from(JSON.stringify(request)))),
    close: () => socket.destroy(),
    /** Why the session has ended, if it has. */
    get ended() {
      return ended;
    },
  };
}
