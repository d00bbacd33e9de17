// @ts-check
/**
 * A WebSocket of this page together with the server's view of it: server-sent events first name a capture, and then carry the heads and
 * every byte of the socket that is opened with this name.
 *
 * Owns: the socket and the stream of events. Does not own: the sections that show them.
 */

/** @typedef {import("./dissector.js").Frame} Frame */
/** @typedef {"client" | "server"} Sender */
/** @typedef {{ line: string, headers: [string, string | null][] }} Head */
/** @typedef {{ number: number, sender: Sender, ts: number, frame: Frame }} Captured `ts` in microseconds since 1970 */
/** Why the server has refused the handshake. @typedef {{ status: number, detail: string }} Refusal */
/**
 * The events of a capture (docs/PROTOCOL.md).
 * @typedef {{ capture: { capture: string }, goodbye: { reason: string, retry_after_ms: number }, request: Head, response: Head,
 *             refused: Refusal, bytes: { sender: Sender, ts: number, hex: string },
 *             skipped: { sender: Sender, frames: number, bytes: number }, end: { ts: number } }} CaptureEvents
 */

import { addressAs } from "../tickets.js";
import { socketAddress } from "../socketaddress.js";
import { Dissector, fromHex } from "./dissector.js";

/**
 * @typedef {object} CaptureHandlers
 * @property {(head: Head) => void} [onRequest]
 * @property {(head: Head) => void} [onResponse]
 * @property {(captured: Captured) => void} [onFrame]
 * @property {(frames: number) => void} [onSkipped] frames left out because the page reads too slowly
 * @property {(refusal: Refusal) => void} [onRefused]
 * @property {() => void} [onOpen]
 * @property {(event: CloseEvent, hasOpened: boolean) => void} [onClose] the end in the browser's view
 * @property {() => void} [onEnd] the end in the server's view: nothing follows
 * @property {() => void} [onBusy] the server's limit of captures is reached; the browser tries again by itself
 * @property {() => void} [onLost] the capture has failed or broken off
 */

/** Returns the value of a header, or null if it is absent or not shown. @param {Head | null} head @param {string} name in lower case */
export function headerOf(head, name) {
  return head?.headers.find(([known]) => known === name)?.[1] ?? null;
}

export class CapturedSocket {
  /** Null until the server has given a ticket, if it asks for one. @type {EventSource | null} */
  #source = null;
  /** @type {WebSocket | null} */
  #socket = null;
  #dissectors = { client: new Dissector(), server: new Dissector() };
  #frames = 0;
  #hasOpened = false;
  #isAbandoned = false;
  /** Whether the server has told the browser to try again later. */
  #isPutOff = false;
  #handlers;

  /**
   * Opens a socket.
   * @param {string[]} protocols to offer
   * @param {CaptureHandlers} handlers
   */
  constructor(protocols, handlers) {
    this.#handlers = handlers;
    void this.#begin(protocols);
  }

  /** @param {string[]} protocols */
  async #begin(protocols) {
    const address = await addressAs("handshake/capture");
    if (this.#isAbandoned) return;
    if (address === null) return this.#handlers.onLost?.();
    const source = new EventSource(address);
    this.#source = source;
    this.#on("capture", ({ capture }) => {
      this.#isPutOff = false;
      void this.#open(capture, protocols);
    });
    this.#on("goodbye", () => {
      this.#isPutOff = true;
      this.#handlers.onBusy?.();
    });
    this.#on("request", (head) => this.#handlers.onRequest?.(head));
    this.#on("response", (head) => this.#handlers.onResponse?.(head));
    this.#on("refused", (refusal) => this.#handlers.onRefused?.(refusal));
    this.#on("bytes", (chunk) => this.#take(chunk));
    this.#on("skipped", ({ sender, frames }) => {
      // The rest of a frame that was cut off never comes.
      this.#dissectors[sender] = new Dissector();
      this.#handlers.onSkipped?.(frames);
    });
    this.#on("end", () => {
      source.close();
      this.#handlers.onEnd?.();
    });
    source.onerror = () => {
      if (this.#isPutOff && source.readyState === EventSource.CONNECTING) return;
      // The browser would request another capture, which does not belong to this socket.
      source.close();
      this.#handlers.onLost?.();
    };
  }

  /** The chosen subprotocol in the browser's view; empty without one. */
  get protocol() {
    return this.#socket?.protocol ?? "";
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a message if the socket is open. @param {string | Uint8Array<ArrayBuffer>} message */
  send(message) {
    if (this.isOpen) this.#socket?.send(message);
  }

  /**
   * Begins the closing handshake.
   * @param {number} code
   * @param {string} reason
   * @throws {DOMException} if scripts may not send this code or reason
   */
  close(code, reason) {
    this.#socket?.close(code, reason);
  }

  /** Closes the socket and the stream without calling a handler. */
  abandon() {
    this.#handlers = {};
    this.#isAbandoned = true;
    this.#source?.close();
    this.#socket?.close();
  }

  /** @template {keyof CaptureEvents} Name @param {Name} name @param {(data: CaptureEvents[Name]) => void} listener */
  #on(name, listener) {
    this.#source?.addEventListener(name, (event) => listener(JSON.parse(/** @type {MessageEvent} */ (event).data)));
  }

  /** @param {string} capture @param {string[]} protocols */
  async #open(capture, protocols) {
    const address = await addressAs(`handshake/ws?capture=${capture}`);
    if (this.#isAbandoned) return;
    if (address === null) return this.#handlers.onLost?.();
    const socket = new WebSocket(socketAddress(address), protocols);
    this.#socket = socket;
    socket.onopen = () => {
      this.#hasOpened = true;
      this.#handlers.onOpen?.();
    };
    socket.onclose = (event) => this.#handlers.onClose?.(event, this.#hasOpened);
  }

  /** @param {CaptureEvents["bytes"]} chunk */
  #take({ sender, ts, hex }) {
    for (const frame of this.#dissectors[sender].push(fromHex(hex))) {
      this.#frames += 1;
      this.#handlers.onFrame?.({ number: this.#frames, sender, ts, frame });
    }
  }
}
