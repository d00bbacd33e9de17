// @ts-check
/**
 * Connects the parts of the page about the handshake: one captured socket, and the sections that show it.
 *
 * Owns: that socket and its state. Does not own: any section; each has a module of its own.
 */

/** @typedef {import("./capture.js").Captured} Captured */
/** @typedef {import("./capture.js").Head} Head */
/** @typedef {import("./capture.js").Refusal} Refusal */
/** @typedef {"connecting" | "busy" | "open" | "lost" | "closed" | "hidden" | "shared" | "refused" | "failed"} State */

import { startAccess } from "../access.js";
import { byId } from "../element.js";
import { mark, onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/handshake.js";
import { startLook } from "../look.js";
import { SUBPROTOCOL } from "../protocol.js";
import { setData, setText } from "../write.js";
import { Attempts } from "./attempts.js";
import { CapturedSocket, headerOf } from "./capture.js";
import { Closing } from "./closing.js";
import { FrameList } from "./frames.js";
import { showRequest, showResponse } from "./heads.js";
import { KeySteps } from "./keys.js";
import { Offers } from "./offers.js";
import { Pulse } from "./pulse.js";
import { Sharing } from "./sharing.js";

/** @type {Readonly<Record<State, string>>} */
const STATES = {
  connecting: mark("Connecting"),
  busy: mark("The server's limit of recorded sockets is reached; this page tries again"),
  open: mark("This page's socket is open"),
  lost: mark("The server's record of this socket has ended"),
  closed: mark("This page's socket is closed"),
  hidden: mark("This page's socket was closed because the page was hidden"),
  shared: mark("This page's socket was closed because newer pages need its connection"),
  refused: mark("The server has refused this page's handshake"),
  failed: mark("The server cannot be reached, or its limit of recorded sockets is reached"),
};
/** The messages of the buttons of section 4. */
/** @type {Readonly<Record<string, () => object>>} */
const MESSAGES = {
  subscribe: () => ({ action: "subscribe", id: 1, symbols: ["AAPL"], channels: ["trades"], mode: "latest", max_hz: 1 }),
  unsubscribe: () => ({ action: "unsubscribe", id: 2, symbols: ["AAPL"] }),
  ping: () => ({ action: "ping", id: 3, ts: Date.now() * 1_000 }),
};

startLook();
void startAccess(async () => await import("./entrance.js"));
startLanguage(korean);

const keys = new KeySteps();
const offers = new Offers();
const frames = new FrameList();
const pulse = new Pulse();
const attempts = new Attempts();
const closing = new Closing(() => socket);
const sharing = new Sharing(() => giveUp("shared"));

/** @type {State} */
let state = "connecting";
/** @type {{ request: Head | null, response: Head | null }} */
let heads = { request: null, response: null };
/** Frames left out because the page reads too slowly. */
let skipped = 0;
/** Why the server has refused the handshake. @type {Refusal | null} */
let refusal = null;
let socket = open();

function open() {
  setState("connecting");
  sharing.begin();
  return new CapturedSocket([SUBPROTOCOL], {
    onRequest(head) {
      heads.request = head;
      paintHeads();
    },
    onResponse(head) {
      heads.response = head;
      paintHeads();
      keys.learn({ key: headerOf(heads.request, "sec-websocket-key") ?? "", accept: headerOf(head, "sec-websocket-accept") ?? "" });
    },
    onFrame(captured) {
      frames.add(captured);
      pulse.add(captured);
      closing.add(captured);
    },
    onSkipped(frames) {
      skipped += frames;
      paintSkipped();
    },
    onRefused(why) {
      refusal = why;
      setState("refused");
    },
    onOpen() {
      if (!isBeginning()) return setState("lost");
      setState("open");
      send(JSON.stringify(MESSAGES.subscribe()));
    },
    onClose(event, hasOpened) {
      // The capture explains why a socket was never opened, before or after this event, which does not.
      if (hasOpened) setState("closed");
      else if (isBeginning()) setState("failed");
      closing.closed(event, hasOpened);
    },
    onBusy() {
      setState("busy");
    },
    onLost() {
      if (isBeginning()) setState("failed");
      else if (state === "open") setState("lost");
    },
  });
}

/** Whether the socket has not been opened yet. */
function isBeginning() {
  return state === "connecting" || state === "busy";
}

function reopen() {
  socket.abandon();
  heads = { request: null, response: null };
  skipped = 0;
  refusal = null;
  frames.clear();
  pulse.clear();
  closing.clear();
  paintHeads();
  paintSkipped();
  socket = open();
}

/** Sends a message and selects its frame as soon as it has been captured. @param {string} text */
function send(text) {
  frames.expect();
  socket.send(text);
}

/** @param {State} to */
function setState(to) {
  state = to;
  setData(byId("socket"), "state", state);
  setText(byId("socket-label"), t(STATES[state]));
  setText(byId("refusal"), refusal ? t("{status}, {detail}", refusal) : "");
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

function paintSkipped() {
  byId("skipped").hidden = skipped === 0;
  byId("skipped").dataset.count = String(skipped);
  // Screen readers do not announce the running count.
  setText(byId("skipped-label"), skipped === 0 ? "" : t("Frames left out because this page reads too slowly:"));
  setText(byId("skipped-count"), String(skipped));
}

/**
 * A page that is hidden for this long closes its connections: a browser allows six to a server, and each capture uses one, so that a few
 * forgotten tabs would block every other page of this server.
 */
const HIDDEN_MS = 3_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let hidden_timer;

function look() {
  clearTimeout(hidden_timer);
  if (document.hidden) hidden_timer = setTimeout(() => giveUp("hidden"), HIDDEN_MS);
  else if (state === "hidden") reopen();
}

/** Closes the connections. @param {"hidden" | "shared"} why */
function giveUp(why) {
  if (!isBeginning() && state !== "open") return;
  socket.abandon();
  setState(why);
}

document.addEventListener("visibilitychange", look);
// A page restored from the back/forward cache has lost its connections.
addEventListener("pageshow", (event) => {
  if (event.persisted) reopen();
});
look();

byId("reopen").addEventListener("click", reopen);
byId("wire").addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  const message = MESSAGES[button?.dataset.send ?? ""];
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
  paintSkipped();
  for (const section of [keys, offers, frames, pulse, closing, attempts]) section.paint();
});
document.title = t("tickcast: the WebSocket handshake");
keys.paint();
pulse.paint();
attempts.paint();
void attempts.start();
