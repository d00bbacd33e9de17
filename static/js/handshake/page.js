// @ts-check
/**
 * Wires the page about the handshake together: one captured socket, and the sections that show a side of it each.
 *
 * Owns: that socket and its state. Does not own: any section; each has a module of its own.
 */

/** @typedef {import("./capture.js").Captured} Captured */
/** @typedef {import("./capture.js").Head} Head */
/** @typedef {"connecting" | "open" | "closed" | "failed"} State */

import { byId } from "../element.js";
import { mark, onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/handshake.js";
import { SUBPROTOCOL } from "../protocol.js";
import { setData, setText } from "../write.js";
import { Attempts } from "./attempts.js";
import { CapturedSocket } from "./capture.js";
import { Closing } from "./closing.js";
import { FrameList } from "./frames.js";
import { showRequest, showResponse } from "./heads.js";
import { KeySteps } from "./keys.js";
import { Offers } from "./offers.js";
import { Pulse } from "./pulse.js";

/** @type {Readonly<Record<State, string>>} */
const STATES = {
  connecting: mark("Connecting"),
  open: mark("This page's socket is open"),
  closed: mark("This page's socket is closed"),
  failed: mark("The server cannot be reached or shows no further sockets just now"),
};
/** What the buttons of section 4 send. */
const MESSAGES = {
  subscribe: () => ({ action: "subscribe", id: 1, symbols: ["AAPL"], channels: ["trades"], mode: "latest", max_hz: 1 }),
  unsubscribe: () => ({ action: "unsubscribe", id: 2, symbols: ["AAPL"] }),
  ping: () => ({ action: "ping", id: 3, ts: Date.now() * 1_000 }),
};

startLanguage(korean);

const keys = new KeySteps();
const offers = new Offers();
const frames = new FrameList();
const pulse = new Pulse();
const attempts = new Attempts();
const closing = new Closing(() => socket);

/** @type {State} */
let state = "connecting";
/** @type {{ request: Head | null, response: Head | null }} */
let heads = { request: null, response: null };
/** The side of which nothing more is captured. @type {Captured["sender"] | null} */
let full = null;
let socket = open();

function open() {
  setState("connecting");
  return new CapturedSocket([SUBPROTOCOL], {
    onRequest(head) {
      heads.request = head;
      paintHeads();
    },
    onResponse(head) {
      heads.response = head;
      paintHeads();
      keys.learn({ key: valueOf(heads.request, "sec-websocket-key"), accept: valueOf(head, "sec-websocket-accept") });
    },
    onFrame(captured) {
      frames.add(captured);
      pulse.add(captured);
      closing.add(captured);
    },
    onFull(sender) {
      full = sender;
      paintFull();
    },
    onOpen() {
      setState("open");
      send(JSON.stringify(MESSAGES.subscribe()));
    },
    onClose(event) {
      setState("closed");
      closing.closed(event);
    },
    onFailed() {
      if (state === "connecting") setState("failed");
    },
  });
}

function reopen() {
  socket.abandon();
  heads = { request: null, response: null };
  full = null;
  frames.clear();
  pulse.clear();
  closing.clear();
  paintHeads();
  paintFull();
  socket = open();
}

/** Sends a message and shows its frame when it has been captured. @param {string} text */
function send(text) {
  frames.expect();
  socket.send(text);
}

/** @param {State} to */
function setState(to) {
  state = to;
  setData(byId("socket"), "state", state);
  setText(byId("socket-label"), t(STATES[state]));
  for (const control of document.querySelectorAll("#wire .row button, #say input, #provoke")) {
    control.toggleAttribute("disabled", state !== "open");
  }
}

function paintHeads() {
  if (heads.request) showRequest(byId("request"), heads.request);
  else byId("request").replaceChildren();
  if (heads.response) showResponse(byId("response"), heads.response);
  else byId("response").replaceChildren();
}

function paintFull() {
  byId("full").hidden = full === null;
  setText(byId("full"), t("The capture is full: what follows on this socket is not shown. Open a new one to go on."));
}

/** @param {Head | null} head @param {string} name */
function valueOf(head, name) {
  return head?.headers.find(([known]) => known === name)?.[1] ?? "";
}

byId("reopen").addEventListener("click", reopen);
byId("wire").addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  const message = MESSAGES[/** @type {keyof typeof MESSAGES} */ (button?.dataset.send)];
  if (message) send(JSON.stringify(message()));
});
byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (byId("text"));
  send(field.value);
  field.value = "";
});
onLanguage(() => {
  document.title = t("tickcast: the WebSocket handshake");
  setState(state);
  paintHeads();
  paintFull();
  for (const section of [keys, offers, frames, pulse, closing, attempts]) section.paint();
});
document.title = t("tickcast: the WebSocket handshake");
keys.paint();
pulse.paint();
attempts.paint();
void attempts.start();
