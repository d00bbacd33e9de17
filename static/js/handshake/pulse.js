// @ts-check
/**
 * The section about ping and pong: the newest of each, and the time between them.
 *
 * Does not own: the frames (`capture.js`). Browsers answer pings by themselves and hide them from scripts, so all of this comes from the
 * capture.
 */

/** @typedef {import("./capture.js").Captured} Captured */

import { byId, element } from "../element.js";
import { mark, nodesOf, t } from "../i18n.js";
import { OPCODE } from "./dissector.js";
import { frameBytes } from "./frameview.js";

export class Pulse {
  /** @type {Captured | null} */
  #ping = null;
  /** The first pong after it. @type {Captured | null} */
  #pong = null;
  #heartbeat_ms = 0;

  clear() {
    this.#ping = this.#pong = null;
    this.paint();
  }

  /** @param {Captured} captured */
  add(captured) {
    const { sender, frame } = captured;
    if (sender === "server" && frame.opcode === OPCODE.text && this.#heartbeat_ms === 0) this.#readWelcome(captured);
    if (sender === "server" && frame.opcode === OPCODE.ping) {
      this.#ping = captured;
      this.#pong = null;
    } else if (sender === "client" && frame.opcode === OPCODE.pong && this.#ping) this.#pong ??= captured;
    else return;
    this.paint();
  }

  paint() {
    const phrase = mark("The server sends a ping to a client that has sent nothing for {seconds} s, and closes the connection if no pong comes. A script can neither send a ping nor see one: the browser answers by itself. The `ping` message of section 4 is something else: text of tickcast's own protocol, which a script can send.");
    byId("pulse-text").replaceChildren(...nodesOf(phrase, { seconds: this.#heartbeat_ms / 1_000 || "…" }));
    byId("ping").replaceChildren(...(this.#ping ? shown(this.#ping) : [waiting(t("None yet. It comes when this page is silent for a while."))]));
    byId("pong").replaceChildren(...(this.#pong ? shown(this.#pong) : [waiting("–")]));
    if (!this.#ping || !this.#pong) return;
    const took = ((this.#pong.ts - this.#ping.ts) / 1_000).toFixed(1);
    byId("pong").append(element("p", { class: "note" }, t("{took} ms after the ping, by the server's clock", { took })));
  }

  /** @param {Captured} captured */
  #readWelcome({ frame }) {
    try {
      /** @type {import("../protocol.js").Message[]} */
      const [welcome] = JSON.parse(new TextDecoder().decode(frame.payload));
      if (welcome.type === "welcome") this.#heartbeat_ms = welcome.heartbeat_ms;
    } catch {
      // The frame was cut off by the limit of the capture.
      return;
    }
    this.paint();
  }
}

/** @param {Captured} captured */
function shown(captured) {
  return [frameBytes(captured.frame), element("p", { class: "note" }, t("Frame {number}", { number: captured.number }))];
}

/** @param {string} text */
function waiting(text) {
  return element("p", { class: "note" }, text);
}
