// @ts-check
/**
 * The list of captured frames, and the selected frame.
 *
 * Owns: the list and the selection. Does not own: the frames (`capture.js`) or the look of a frame (`frameview.js`).
 */

/** @typedef {import("./capture.js").Captured} Captured */

import { byId, element } from "../element.js";
import { t } from "../i18n.js";
import { OPCODE } from "./dissector.js";
import { directionOf, frameDetail, opcodeName, payloadText } from "./frameview.js";

/** The most listed frames; older ones are dropped. */
const LISTED_MAX = 300;
const PREVIEW_CHARS = 80;

export class FrameList {
  #list = byId("frames");
  #detail = byId("frame");
  /** Oldest first. @type {Captured[]} */
  #frames = [];
  /** @type {Captured | null} */
  #shown = null;
  /** Whether to select the client's next frame, because the reader has just sent a message. */
  #awaits = true;

  constructor() {
    this.#list.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      const chosen = this.#frames.find((each) => String(each.number) === button?.dataset.number);
      if (chosen) {
        this.#awaits = false;
        this.show(chosen);
      }
    });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Removes all frames. Call it for a new socket. */
  clear() {
    this.#frames = [];
    this.#shown = null;
    this.#awaits = true;
    this.paint();
  }

  /** Selects the client's next frame as soon as it comes. */
  expect() {
    this.#awaits = true;
  }

  /** @param {Captured} captured */
  add(captured) {
    this.#frames.push(captured);
    if (this.#frames.length > LISTED_MAX) {
      this.#frames.shift();
      this.#list.lastElementChild?.remove();
    }
    this.#list.prepend(itemOf(captured));
    byId("frames-empty").hidden = true;
    // Browsers send pongs by themselves, so a pong is not the reader's message.
    const isAwaited = this.#awaits && captured.sender === "client" && captured.frame.opcode !== OPCODE.pong;
    if (isAwaited) this.#awaits = false;
    if (isAwaited || !this.#shown) this.show(captured);
  }

  /** @param {Captured} captured */
  show(captured) {
    this.#shown = captured;
    this.#detail.replaceChildren(...frameDetail(captured));
    this.#detail.dataset.number = String(captured.number);
    this.#mark();
  }

  /** Rewrites the list after the language was switched. */
  paint() {
    this.#list.replaceChildren(...this.#frames.map(itemOf).reverse());
    byId("frames-empty").hidden = this.#frames.length > 0;
    if (this.#shown) this.show(this.#shown);
    else this.#detail.replaceChildren();
  }

  #mark() {
    for (const button of this.#list.querySelectorAll("button")) {
      if (button.dataset.number === String(this.#shown?.number)) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  /** Arrow keys select the neighbouring frame. @param {KeyboardEvent} event */
  #onKey(event) {
    const item = event.target instanceof Element ? event.target.closest("li") : null;
    const next = { ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling }[event.key];
    const button = next?.querySelector("button");
    if (!button) return;
    event.preventDefault();
    button.focus();
    button.click();
  }
}

/** @param {Captured} captured */
function itemOf({ number, sender, frame }) {
  const preview = payloadText(frame);
  const shown = preview.length > PREVIEW_CHARS ? `${preview.slice(0, PREVIEW_CHARS)}…` : preview;
  const attributes = { type: "button", "data-number": String(number), "data-sender": sender, "data-opcode": String(frame.opcode) };
  const button = element("button", attributes,
    element("span", { class: "arrow", "aria-hidden": "true" }, sender === "client" ? "↑" : "↓"),
    element("span", { class: "unseen" }, directionOf(sender)),
    element("span", { class: "opcode" }, opcodeName(frame.opcode)),
    element("span", { class: "size" }, t("{count} B", { count: frame.bytes.length })),
    element("span", { class: "preview" }, shown));
  return element("li", { value: String(number) }, button);
}
