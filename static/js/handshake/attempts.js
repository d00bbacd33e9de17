// @ts-check
/**
 * The section about refused handshakes: the server attempts each one with itself (`/handshake/attempt`), and the page shows the request
 * and the response.
 *
 * Owns: those exchanges. Does not own: the faulty requests, which are a fixed list of the server.
 */

import { fetchAs } from "../access.js";
import { byId, element } from "../element.js";
import { mark, t } from "../i18n.js";
import { setText } from "../write.js";

/** @typedef {{ case: string, request: string, response: string, tls: boolean }} Exchange */

/** Why each is answered as it is, by the case and the status of the answer. @type {Readonly<Record<string, string>>} */
const NOTES = {
  "no_upgrade 426": mark("Without Upgrade this is a plain HTTP request. 426 says that this address speaks another protocol, and names it."),
  "wrong_version 426": mark("The server does not speak version 12. It answers 426 and says in Sec-WebSocket-Version which one it speaks (RFC 6455, section 4.4)."),
  "bad_key 400": mark("The key is not 16 bytes in Base64, so the request is malformed: 400."),
  "foreign_origin 403": mark("A page of another site wants to open a socket here, and the browser may send along the cookies that it has for this site. The server sees the origin and refuses: 403."),
  "foreign_origin 101": mark("A page of another site wants to open a socket here, and this server lets that site in, because its setting server.allowed_origins says so: 101."),
  "accepted 503": mark("Nothing is wrong with this one, but the server takes no more sockets just now, and says so: 503."),
  "accepted 101": mark("Nothing is wrong with this one: 101, and frames follow. It is the example of the RFC, and so is the answer to its key."),
};
/** The lines that make each request differ from a good one. @type {Readonly<Record<string, RegExp>>} */
const MARKED = {
  wrong_version: /^sec-websocket-version:/i,
  bad_key: /^sec-websocket-key:/i,
  foreign_origin: /^origin:/i,
};
/** The marked lines of a response. */
const ANSWERED = /^(HTTP\/|upgrade:|sec-websocket-(version|accept):)/i;

export class Attempts {
  /** @type {Map<string, Exchange>} */
  #exchanges = new Map();
  #shown = "no_upgrade";
  /** The server's reason for not showing an attempt; empty if it gave none. @type {Map<string, string>} */
  #failures = new Map();

  constructor() {
    byId("attempts").addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      if (!button?.dataset.case) return;
      this.#shown = button.dataset.case;
      void this.#make(this.#shown);
    });
  }

  /** Requests all exchanges, one after the other. */
  async start() {
    for (const button of byId("attempts").querySelectorAll("button")) await this.#make(button.dataset.case ?? "");
  }

  /** @param {string} name */
  async #make(name) {
    // The old exchange must not be shown as the answer to this request.
    this.#exchanges.delete(name);
    this.#failures.delete(name);
    try {
      const response = await fetchAs(`handshake/attempt?case=${name}`);
      if (response.ok) this.#exchanges.set(name, await response.json());
      else this.#failures.set(name, reasonOf(await response.json()));
    } catch {
      // No answer, or an answer that is not JSON, as of a proxy.
      this.#failures.set(name, "");
    }
    this.paint();
  }

  paint() {
    for (const button of byId("attempts").querySelectorAll("button")) {
      const name = button.dataset.case ?? "";
      const status = statusOf(this.#exchanges.get(name));
      button.setAttribute("aria-pressed", String(name === this.#shown));
      if (!status || button.dataset.status === status) continue;
      button.dataset.status = status;
      button.querySelector(".status")?.remove();
      button.append(element("span", { class: "status" }, status));
    }
    const exchange = this.#exchanges.get(this.#shown);
    const failure = this.#failures.get(this.#shown);
    setText(byId("attempt-note"), exchange ? noteOf(this.#shown, statusOf(exchange)) : failure === undefined ? "" : failureOf(failure));
    byId("attempt-tls").hidden = !exchange?.tls;
    byId("attempt-request").replaceChildren(...lines(exchange?.request ?? "", MARKED[this.#shown]));
    byId("attempt-response").replaceChildren(...lines(exchange?.response ?? "", ANSWERED));
  }
}

/**
 * Returns the explanation of a status, in the active language.
 * @param {string} name
 * @param {string} status
 */
export function noteOf(name, status) {
  const note = NOTES[`${name} ${status}`];
  return note ? t(note) : t("The server has answered {status} this time; its answer says why.", { status });
}

/** @param {import("../protocol.js").Problem} problem */
function reasonOf({ status, detail }) {
  return `${status}, ${detail}`;
}

/** @param {string} reason */
function failureOf(reason) {
  return reason
    ? t("The server could not show this handshake: {reason}. Try again in a moment.", { reason })
    : t("The server could not show this handshake. Try again in a moment.");
}

/** Returns the status of a response, empty without one. @param {Exchange | undefined} exchange */
function statusOf(exchange) {
  return exchange?.response.split(" ")[1] ?? "";
}

/**
 * Returns the lines of a message, some of them marked.
 * @param {string} text
 * @param {RegExp | undefined} marked
 */
function lines(text, marked) {
  if (text === "") return [];
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const body = end < 0 ? "" : text.slice(end + 4);
  const shown = head.split("\r\n").flatMap((line) => [marked?.test(line) ? element("mark", {}, line) : line, "\n"]);
  return body ? [...shown, "\n", body] : shown;
}
