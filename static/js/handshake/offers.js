// @ts-check
/**
 * The section about subprotocols: opens a socket with the reader's offer, and shows the choice in the server's and the browser's view.
 *
 * Owns: that socket. Does not own: the page's other socket (`page.js`).
 */

/** @typedef {import("./capture.js").Head} Head */

/**
 * @typedef {object} Trial
 * @property {string[]} names offered
 * @property {string | null} [sent] the header of the request, null without one
 * @property {string | null} [chosen] the header of the response, null without one
 * @property {string} [opened] the chosen name in the browser's view, after the socket was opened
 * @property {number} [code] of the browser, after the socket was closed
 * @property {import("./capture.js").Refusal} [refusal] why the server has refused it
 * @property {boolean} [isLost] whether the capture has failed
 */

import { byId, element } from "../element.js";
import { mark, nodesOf, t } from "../i18n.js";
import { CapturedSocket, headerOf } from "./capture.js";

/** A token of HTTP (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER = "sec-websocket-protocol";
/** The close code that browsers report if no close frame came. */
const ABNORMAL = 1006;

/**
 * Returns the names in an offer, or the mistake in it.
 * @param {string} text
 * @returns {{ names: string[], problem: import("./accept.js").Problem | null }}
 */
export function parseOffer(text) {
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const stranger = names.find((name) => !TOKEN.test(name));
  if (stranger) return { names: [], problem: { phrase: mark("“{name}” cannot be the name of a subprotocol: letters, digits and signs without spaces."), values: { name: stranger } } };
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) return { names: [], problem: { phrase: mark("“{name}” is offered twice."), values: { name: twice } } };
  return { names, problem: null };
}

export class Offers {
  #field = /** @type {HTMLInputElement} */ (byId("offer"));
  #result = byId("chosen");
  /** @type {CapturedSocket | null} */
  #socket = null;
  /** The result of the last offer. @type {Trial | null} */
  #trial = null;

  constructor() {
    byId("negotiate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#offer();
    });
    byId("negotiate-form").addEventListener("click", (event) => {
      const offer = event.target instanceof HTMLElement ? event.target.dataset.offer : undefined;
      if (offer === undefined) return;
      this.#field.value = offer;
      this.#offer();
    });
  }

  #offer() {
    const { names, problem } = parseOffer(this.#field.value);
    this.#field.setAttribute("aria-invalid", String(problem !== null));
    this.#socket?.abandon();
    this.#socket = null;
    this.#trial = problem ? null : { names };
    this.#result.dataset.outcome = problem ? "invalid" : "";
    this.#result.replaceChildren(...(problem ? [element("p", { class: "warn" }, t(problem.phrase, problem.values))] : []));
    if (!problem) this.#open(names);
  }

  /** @param {string[]} names */
  #open(names) {
    const learn = (/** @type {Partial<Trial>} */ more) => {
      this.#trial = { names, ...this.#trial, ...more };
      this.paint();
    };
    const socket = new CapturedSocket(names, {
      onRequest: (head) => learn({ sent: headerOf(head, HEADER) }),
      onResponse: (head) => learn({ chosen: headerOf(head, HEADER) }),
      onRefused: (refusal) => learn({ refusal }),
      onLost: () => learn({ isLost: true }),
      onOpen: () => {
        learn({ opened: socket.protocol });
        socket.close(1000, "");
      },
      onClose: ({ code }) => learn({ code }),
    });
    this.#socket = socket;
  }

  paint() {
    const trial = this.#trial;
    if (!trial) return;
    if (trial.refusal) {
      this.#result.dataset.outcome = "refused";
      this.#result.replaceChildren(element("p", { class: "warn" }, t("The server has refused this handshake: {status}, {detail}", trial.refusal)));
      return;
    }
    // If both heads have come, a capture that breaks off does not matter.
    if (trial.isLost && (trial.sent === undefined || trial.chosen === undefined)) {
      this.#result.dataset.outcome = "lost";
      this.#result.replaceChildren(element("p", { class: "warn" }, t("The server's limit of recorded sockets is reached. Try again in a moment.")));
      return;
    }
    if (trial.sent === undefined || trial.chosen === undefined) return;
    const lines = [
      [t("Request"), headerLine(trial.sent)],
      [t("Response"), headerLine(trial.chosen)],
      [t("Browser"), trial.opened === undefined ? "…" : `socket.protocol === "${trial.opened}"`],
    ];
    const hasFailed = trial.opened === undefined && trial.code !== undefined;
    if (hasFailed) lines[2][1] = `onclose: code ${trial.code}`;
    const list = element("dl", { class: "exchange" }, ...lines.map(([title, line]) =>
      element("div", {}, element("dt", {}, title), element("dd", {}, element("code", {}, line)))));
    const outcome = hasFailed ? "failed" : trial.chosen ? "chosen" : "none";
    const isDone = hasFailed || trial.opened !== undefined;
    this.#result.replaceChildren(list, ...(isDone ? [element("p", {}, ...this.#conclusion(trial.names, trial.chosen, hasFailed))] : []));
    this.#result.dataset.outcome = isDone ? outcome : "";
  }

  /** @param {string[]} names @param {string | null} chosen @param {boolean} hasFailed */
  #conclusion(names, chosen, hasFailed) {
    if (chosen) return nodesOf(mark("The server has chosen `{name}`."), { name: chosen });
    if (names.length === 0) return nodesOf(mark("Nothing was offered, so nothing was chosen: the server speaks its native JSON."));
    if (!hasFailed) return nodesOf(mark("The server knows none of these and goes on without a subprotocol; so does the client."));
    return nodesOf(
      mark("The server knows none of these and has upgraded without a subprotocol, which RFC 6455 lets it do. A browser that has offered some takes no such answer: it has given the connection up and reports {code}."),
      { code: this.#trial?.code ?? ABNORMAL },
    );
  }
}

/** @param {string | null} value */
function headerLine(value) {
  return value === null ? t("no Sec-WebSocket-Protocol") : `Sec-WebSocket-Protocol: ${value}`;
}
