// @ts-check
/**
 * Shows the head of a request or a response: its first line, the headers of the handshake with their purpose, and the others folded.
 *
 * Owns: the order and the explanations. Does not own: the heads (`capture.js`).
 */

/** @typedef {import("./capture.js").Head} Head */

import { element } from "../element.js";
import { mark, nodesOf, t } from "../i18n.js";

const REQUEST_LINE = mark("An ordinary HTTP/1.1 `GET`. The path says what is wanted: `/handshake/ws` is a socket like `/ws`, and the name behind it tells the server to show what it sees.");
const RESPONSE_LINE = mark("*101*: HTTP ends with the empty line after these headers. From the next byte on both sides send frames.");

/** The purpose of each header, in the order in which they are shown. @type {Readonly<Record<string, string>>} */
const REQUEST = {
  "host": mark("The requested site, as in every request of HTTP/1.1."),
  "connection": mark("`Upgrade` applies to this connection only; a proxy must not forward it."),
  "upgrade": mark("The protocol to go on with."),
  "sec-websocket-version": mark("The version of the protocol. 13 is that of RFC 6455, the only one in use."),
  "sec-websocket-key": mark("16 random bytes in Base64, new for each connection. Section 2 shows what becomes of them."),
  "sec-websocket-protocol": mark("The subprotocols that the client offers, best first."),
  "sec-websocket-extensions": mark("Extensions that the client offers, here compression. This server takes none up, so its answer has no such header."),
  "origin": mark("The site whose page opens the socket. Browsers always send it and scripts cannot change it, so that a server can refuse foreign pages."),
};
/** @type {Readonly<Record<string, string>>} */
const RESPONSE = {
  "connection": mark("The server agrees, for this connection."),
  "upgrade": mark("The protocol that follows the empty line."),
  "sec-websocket-accept": mark("Computed from the key. A client that finds another value must give the connection up."),
  "sec-websocket-protocol": mark("The one that the server has chosen of those offered."),
};

/** @param {HTMLElement} list @param {Head} head */
export function showRequest(list, head) {
  show(list, head, REQUEST_LINE, REQUEST);
}

/** @param {HTMLElement} list @param {Head} head */
export function showResponse(list, head) {
  show(list, head, RESPONSE_LINE, RESPONSE);
}

/**
 * @param {HTMLElement} list
 * @param {Head} head
 * @param {string} lineNote
 * @param {Readonly<Record<string, string>>} notes
 */
function show(list, { line, headers }, lineNote, notes) {
  const order = Object.keys(notes);
  const known = headers.filter(([name]) => name in notes);
  known.sort(([left], [right]) => order.indexOf(left) - order.indexOf(right));
  const others = headers.filter(([name]) => !(name in notes));
  others.sort(([left], [right]) => left.localeCompare(right));
  list.replaceChildren(
    row("line", [element("code", {}, line)], lineNote),
    ...known.map(([name, value]) => row(name, header(name, value), notes[name])),
  );
  if (others.length === 0) return;
  const summary = element("summary", {}, t("{count} more headers, which WebSocket does not need", { count: others.length }));
  const rest = others.map(([name, value]) => element("div", { "data-header": name }, ...header(name, value)));
  list.append(element("div", {}, element("dt", { class: "unseen" }, t("Others")), element("dd", {}, element("details", {}, summary, ...rest))));
}

/** @param {string} name @param {(Node | string)[]} content @param {string} note */
function row(name, content, note) {
  return element("div", { "data-header": name }, element("dt", {}, ...content), element("dd", {}, ...nodesOf(note)));
}

/** @param {string} name @param {string | null} value */
function header(name, value) {
  const shown = value === null ? element("em", {}, t("not shown")) : element("code", { class: "header-value" }, value);
  return [element("code", { class: "header-name" }, name), ": ", shown];
}
