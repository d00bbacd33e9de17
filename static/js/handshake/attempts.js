// @ts-check
/**
 * The section about refused handshakes: asks the server to make each of them with itself and shows what went over the
 * wire.
 *
 * Owns: those exchanges. Does not own: what is wrong with each request; the server has a fixed list of them.
 */

import { byId, element } from "../element.js";
import { mark, t } from "../i18n.js";

/** @typedef {{ case: string, request: string, response: string }} Exchange */

/** Why each is answered as it is. @type {Readonly<Record<string, string>>} */
const NOTES = {
  no_upgrade: mark("Without Upgrade this is a plain HTTP request. 426 says that this address speaks another protocol, and names it."),
  wrong_version: mark("The server does not speak version 12. It answers 426 and says in Sec-WebSocket-Version which one it speaks (RFC 6455, section 4.4)."),
  bad_key: mark("The key is not 16 bytes in Base64, so the request is malformed: 400."),
  foreign_origin: mark("A page of another site wants to open a socket here, and the browser would send along the cookies that it has for this site. The server sees the origin and refuses: 403."),
  accepted: mark("Nothing is wrong with this one: 101, and frames follow. It is the example of the RFC, and so is the answer to its key."),
};
/** The lines that make each request differ from a good one. @type {Readonly<Record<string, RegExp>>} */
const MARKED = {
  wrong_version: /^sec-websocket-version:/i,
  bad_key: /^sec-websocket-key:/i,
  foreign_origin: /^origin:/i,
};
/** The lines of an answer that matter here. */
const ANSWERED = /^(HTTP\/|upgrade:|sec-websocket-(version|accept):)/i;

export class Attempts {
  /** @type {Map<string, Exchange>} */
  #exchanges = new Map();
  #shown = "no_upgrade";
  #hasFailed = false;

  constructor() {
    byId("attempts").addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      if (!button?.dataset.case) return;
      this.#shown = button.dataset.case;
      void this.#make(this.#shown);
    });
  }

  /** Makes all of them, one after the other. */
  async start() {
    for (const button of byId("attempts").querySelectorAll("button")) await this.#make(button.dataset.case ?? "");
  }

  /** @param {string} name */
  async #make(name) {
    try {
      const response = await fetch(`/handshake/attempt?case=${name}`);
      if (!response.ok) throw new Error(String(response.status));
      this.#exchanges.set(name, await response.json());
      this.#hasFailed = false;
    } catch {
      this.#hasFailed = true;
    }
    this.paint();
  }

  paint() {
    for (const button of byId("attempts").querySelectorAll("button")) {
      const name = button.dataset.case ?? "";
      const status = this.#exchanges.get(name)?.response.split(" ")[1];
      button.setAttribute("aria-pressed", String(name === this.#shown));
      if (!status || button.dataset.status === status) continue;
      button.dataset.status = status;
      button.querySelector(".status")?.remove();
      button.append(element("span", { class: "status" }, status));
    }
    const exchange = this.#exchanges.get(this.#shown);
    const note = this.#hasFailed && !exchange ? t("The server could not show this handshake. Try again in a moment.") : t(NOTES[this.#shown]);
    byId("attempt-note").textContent = note;
    byId("attempt-request").replaceChildren(...lines(exchange?.request ?? "", MARKED[this.#shown]));
    byId("attempt-response").replaceChildren(...lines(exchange?.response ?? "", ANSWERED));
  }
}

/**
 * Returns a message line by line, with some of its lines marked.
 * @param {string} text
 * @param {RegExp | undefined} marked
 */
function lines(text, marked) {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const body = end < 0 ? "" : text.slice(end + 4);
  const shown = head.split("\r\n").flatMap((line) => [marked?.test(line) ? element("mark", {}, line) : line, "\n"]);
  return body ? [...shown, "\n", body] : shown;
}
