// @ts-check
/**
 * The section about the closing handshake: the reader's code and reason, the close frames of both sides, and the browser's report.
 *
 * Owns: that section. Does not own: the socket (`page.js`).
 */

/** @typedef {import("./capture.js").Captured} Captured */
/** @typedef {import("./capture.js").CapturedSocket} CapturedSocket */

import { byId, element } from "../element.js";
import { mark, t } from "../i18n.js";
import { OPCODE } from "./dissector.js";
import { directionOf, frameBytes, payloadText } from "./frameview.js";

/** A close frame's payload has at most 125 bytes, two of which are the code (RFC 6455 section 5.5). */
const REASON_BYTES_MAX = 123;

export class Closing {
  /** Close frames, the first one first. @type {Captured[]} */
  #frames = [];
  /** The browser's report. @type {{ code: number, reason: string, wasClean: boolean, hasOpened: boolean } | null} */
  #event = null;
  /** @type {{ phrase: string, values?: Record<string, string | number> } | null} */
  #problem = null;
  #socket;

  /** @param {() => CapturedSocket} socket returns the present one */
  constructor(socket) {
    this.#socket = socket;
    byId("close-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#close();
    });
    byId("provoke").addEventListener("click", () => socket().send(Uint8Array.of(0xde, 0xad, 0xbe, 0xef)));
  }

  clear() {
    this.#frames = [];
    this.#event = null;
    this.#problem = null;
    this.paint();
  }

  /** @param {Captured} captured */
  add(captured) {
    if (captured.frame.opcode !== OPCODE.close) return;
    this.#frames.push(captured);
    this.paint();
  }

  /** @param {CloseEvent} event @param {boolean} hasOpened whether the socket has ever been open */
  closed({ code, reason, wasClean }, hasOpened) {
    this.#event = { code, reason, wasClean, hasOpened };
    this.paint();
  }

  #close() {
    const code = Number(/** @type {HTMLInputElement} */ (byId("close-code")).value);
    const reason = /** @type {HTMLInputElement} */ (byId("close-reason")).value;
    const bytes = new TextEncoder().encode(reason).length;
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      this.#problem = { phrase: mark("A script may send 1000 and 3000 to 4999, but not {code}."), values: { code } };
    } else if (bytes > REASON_BYTES_MAX) {
      this.#problem = { phrase: mark("The reason has {bytes} bytes in UTF-8; a close frame has room for 123."), values: { bytes } };
    } else if (!this.#socket().isOpen) {
      this.#problem = { phrase: mark("The socket is closed already. Open a new one above.") };
    } else {
      this.#problem = null;
      this.#socket().close(code, reason);
    }
    this.paint();
  }

  paint() {
    const outcome = byId("outcome");
    const event = this.#event;
    outcome.dataset.code = event ? String(event.code) : "";
    outcome.dataset.clean = event ? String(event.wasClean) : "";
    const lines = [];
    if (this.#problem) lines.push(element("p", { class: "warn" }, t(this.#problem.phrase, this.#problem.values)));
    if (event) lines.push(element("p", {}, said(event)));
    outcome.replaceChildren(...lines);
    byId("close-frames").replaceChildren(...this.#frames.map((captured) => {
      const values = { number: captured.number, direction: directionOf(captured.sender), payload: payloadText(captured.frame) };
      const title = element("h3", {}, t("Frame {number}, {direction}: {payload}", values));
      return element("div", {}, title, frameBytes(captured.frame));
    }));
  }
}

/** @param {{ code: number, reason: string, wasClean: boolean, hasOpened: boolean }} event */
export function said({ code, reason, wasClean, hasOpened }) {
  if (!hasOpened) return t("The browser reports code {code}: the socket was never opened, so there was nothing to close.", { code });
  if (!wasClean) return t("The browser reports code {code}: the connection has ended without a closing handshake.", { code });
  return reason
    ? t("The browser reports code {code}, reason “{reason}”, which the server has sent: closed in order.", { code, reason })
    : t("The browser reports code {code}, which the server has sent without a reason: closed in order.", { code });
}
