// @ts-check
/**
 * One WebSocket: sends the requests that make its subscriptions the wanted ones, resumes with the cursor, and computes the cursor.
 *
 * Owns: the socket and its requests. Does not own: reconnecting (`tickcast.js`), the check of events (`gate.js`).
 */

import { Audit } from "./audit.js";
import { ABNORMAL } from "./closing.js";
import { isEvent, isNumbered, readFrame, SUBPROTOCOL } from "./protocol.js";
import { among, changesOf, groupsOf, without } from "./wishes.js";

/** @typedef {import("./closing.js").Failure} Failure */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./wishes.js").Group} Group */
/** @typedef {import("./wishes.js").Wanted} Wanted */
/** @typedef {{ group: Group, isResumed: boolean, sent_ms: number }} Asked a request without an answer */

const NORMAL = 1000;
const CLOSE_TIMEOUT_MS = 2_000;
/** The wait after a refusal for too much work that names none. */
const WAIT_MS = 1_000;
/** The subprotocol that carries a token; the server does not choose it. */
const BEARER = "tickcast.bearer.";
/** After this time another renewal is tried. The server permits one in ten seconds. */
const RENEW_MS = 10_500;

export class WebSocketLink {
  /** @type {"websocket"} */
  transport = "websocket";
  isReady = false;
  #core;
  /** Null until the application has given a token. @type {WebSocket | null} */
  #socket = null;
  #hasLeft = false;
  /** The renewal without an answer. @type {number | string | null} */
  #renewal_id = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal_timer;
  /** @type {Wanted} */
  #asked = new Map();
  /** @type {Map<number | string, Asked>} */
  #pending = new Map();
  #next_id = 1;
  /** Whether events come in the order of the stream, because no recovery is running: then the newest one is the cursor. */
  #isSettled = false;
  #newest_offset = -1;
  /** The offset of the `welcome`: no topic of this connection begins before it. */
  #begun_offset = 0;
  /** When the oldest ping without an answer was sent. @type {number | null} */
  #pinged_ms = null;
  /** @type {number | undefined} */
  #retry_after_ms;
  #isFirst = true;
  /** Timers of subscriptions that the server has put off. @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  #heard_ms = performance.now();
  #audit;

  /** @param {Core} core @param {new (url: string, protocols: string | string[]) => WebSocket} Socket */
  constructor(core, Socket) {
    this.#core = core;
    this.#audit = new Audit(core, () => ({ symbols: [...core.place.wishes.wanted.keys()], has: () => true }), () => core.fail(this, { cause: "silent", isMute: true }));
    const token = this.#ask();
    if (token instanceof Promise) void token.then((given) => this.#open(Socket, given), () => core.fail(this, { cause: "token" }));
    else this.#open(Socket, token);
  }

  /** Returns the token of this connection; rejects if the application gives an error. @returns {string | null | Promise<string | null>} */
  #ask() {
    try {
      return this.#core.token === null ? null : this.#core.token();
    } catch (err) {
      return Promise.reject(err);
    }
  }

  /** @param {new (url: string, protocols: string | string[]) => WebSocket} Socket @param {string | null} token */
  #open(Socket, token) {
    if (this.#hasLeft) return;
    const socket = new Socket(this.#core.urlOf("ws", true), token ? [SUBPROTOCOL, BEARER + base64url(token)] : SUBPROTOCOL);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
    // A `close` follows; in Node an error without a listener would end the process.
    socket.onerror = () => {};
  }

  /** @param {unknown} data */
  #onFrame(data) {
    /** @type {ServerMessage[]} */
    let messages;
    const received_us = this.#core.received();
    this.#heard_ms = performance.now();
    try {
      if (typeof data !== "string") throw new SyntaxError("not a text message");
      this.#core.weigh(data.length);
      messages = readFrame(data);
    } catch {
      return this.#core.fail(this, { cause: "garbage" });
    }
    try {
      this.#core.take(this, messages, received_us);
    } catch (err) {
      this.#core.crash(err);
    }
  }

  /** Takes the messages that concern the connection. @param {ServerMessage} message @returns {boolean} whether the application is to see it */
  control(message) {
    switch (message.type) {
      case "welcome":
        this.#core.place.meet(message.epoch);
        this.#begun_offset = message.offset;
        this.#core.enter(this, message);
        return true;
      case "subscribed":
        return this.#onAnswer(message);
      case "error":
        if (this.#renewal_id !== null && message.id === this.#renewal_id) this.#renewLater();
        else this.#onError(message);
        return true;
      case "auth_expiring":
        void this.#renew();
        return true;
      case "auth":
        this.#renewal_id = null;
        if (this.isReady) this.#core.enter(this, message);
        return true;
      case "pong":
        this.#pinged_ms = null;
        this.#settle(message.offset);
        return true;
      case "heartbeat":
        this.#settle(message.offset);
        return true;
      case "epoch":
        this.#onEpoch(message);
        return true;
      case "goodbye":
        this.#retry_after_ms = message.retry_after_ms;
        return true;
      default:
        return true;
    }
  }

  /** Notes a message that has passed. @param {ServerMessage} message */
  passed(message) {
    // Until the first answer to a ping, so that a connection that is lost before it is resumed all the same.
    if (message.type === "snapshot") this.#core.place.start({ offset: this.#begun_offset });
    if (!isNumbered(message)) return;
    if (isEvent(message)) this.#audit.hear();
    this.#newest_offset = Math.max(this.#newest_offset, message.offset);
    if (this.#isSettled) this.#core.place.reached(message.offset, false);
  }

  /** Renews the key on this connection with a new token of the application. */
  async #renew() {
    if (this.#core.token === null) return;
    clearTimeout(this.#renewal_timer);
    this.#core.forgetToken();
    try {
      const token = await this.#ask();
      if (token && !this.#hasLeft) this.#renewal_id = this.#send({ action: "auth", token });
    } catch {
      this.#renewLater();
    }
  }

  /** The server goes on for some time after the end of the key. */
  #renewLater() {
    this.#renewal_id = null;
    clearTimeout(this.#renewal_timer);
    if (!this.#hasLeft) this.#renewal_timer = setTimeout(() => this.#renew(), RENEW_MS);
  }

  /** @param {import("./protocol.js").Epoch} message */
  #onEpoch(message) {
    const { place } = this.#core;
    // What is to be resumed is of the time before; the answer to the request brings snapshots.
    if (message.moved) for (const { group, isResumed } of this.#pending.values()) if (isResumed) for (const symbol of group.symbols) place.gate.forget(symbol, group.channels);
    place.moveTo(message, this, [...place.wishes.wanted.keys()]);
    if (place.cursor) place.reached(message.offset, true);
    this.#begun_offset = message.offset;
  }

  /** @param {import("./protocol.js").Subscribed} answer */
  #onAnswer({ id, recovered }) {
    if (id === undefined) {
      // After a renewal; `"*"` may mean more symbols now, whose snapshots follow.
      this.#core.place.gate.extend(this);
      return false;
    }
    const asked = this.#pending.get(id);
    // An unsubscription is answered, too; and a repeated answer must not have an effect.
    if (!asked || !this.#pending.delete(id)) return false;
    const { gate } = this.#core.place;
    // Answers come in order, so the snapshots of an earlier request for every symbol have come.
    gate.settle(this);
    if (!asked.isResumed || recovered !== true) {
      if (asked.isResumed) this.#core.place.lose(asked.group.symbols, asked.group.channels);
      gate.await(asked.group.symbols, asked.group.channels, this);
    }
    // The answer to this ping is a cursor that covers the subscription.
    if (this.#pending.size === 0) this.ping();
    return true;
  }

  /** @param {import("./protocol.js").ErrorMessage} error */
  #onError({ id, code, symbols, retry_after_ms }) {
    if (code === "unknown_symbol") {
      this.#core.place.wishes.exclude(symbols ?? []);
      this.#asked = without(this.#asked, symbols ?? []);
      return;
    }
    const asked = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || !asked) return;
    if (code === "rate_limited") return this.#postpone(id, asked, retry_after_ms ?? WAIT_MS);
    // Nothing of the request is subscribed, and it would be refused again.
    this.#pending.delete(id);
    const { symbols: refused, channels } = asked.group;
    this.#core.place.wishes.remove(refused, channels);
    this.#asked = without(this.#asked, refused, channels);
  }

  /** Asks again when the server permits it. @param {number | string} id @param {Asked} asked @param {number} wait_ms */
  #postpone(id, asked, wait_ms) {
    // It stays pending, so that the cursor does not pass what is not subscribed yet.
    asked.sent_ms = performance.now() + wait_ms;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#pending.delete(id);
      // The application may want something else by now.
      this.#subscribe(among(this.#asked, asked.group), asked.isResumed);
      if (this.#pending.size === 0) this.ping();
    }, wait_ms);
    this.#timers.add(timer);
  }

  #forgetTimers() {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }

  /** @param {number} offset */
  #settle(offset) {
    if (this.#pending.size > 0) return;
    this.#core.place.reached(offset, true);
    if (offset < this.#newest_offset) return;
    this.#isSettled = true;
    this.#core.place.gate.settle(this);
  }

  /** Makes the subscriptions the wanted ones. */
  update() {
    if (!this.isReady) return;
    const { wanted } = this.#core.place.wishes;
    const { removed, added } = changesOf(this.#asked, wanted);
    this.#asked = wanted;
    // Unsubscribing first makes room within the server's limit.
    /** @type {Map<string, string[]>} */
    const alike = new Map();
    for (const [symbol, channels] of removed) {
      // Without channels, a request ends all of a symbol.
      const key = wanted.has(symbol) ? channels.sort().join() : "";
      alike.set(key, [...(alike.get(key) ?? []), symbol]);
    }
    for (const [key, symbols] of alike) this.#send({ action: "unsubscribe", symbols, ...(key === "" ? {} : { channels: key.split(",") }) });
    // Later requests add topics without a past, or change the mode in place: their snapshots are wanted.
    this.#subscribe(added, this.#isFirst);
    this.#isFirst = false;
  }

  /** Subscribes to everything again, without the cursor: a snapshot of each symbol comes. */
  refresh() {
    if (this.isReady) this.#subscribe(this.#asked, false);
  }

  /** @param {Wanted} wanted @param {boolean} mayResume */
  #subscribe(wanted, mayResume) {
    const { place } = this.#core;
    /** @param {string} symbol @param {import("./protocol.js").Channel[]} channels @param {import("./wishes.js").Way} way */
    const afterOf = (symbol, channels, way) => (mayResume ? place.afterOf(symbol, channels, way.mode) : null);
    const groups = groupsOf(wanted, (symbol, channel, way) => afterOf(symbol, [channel], way))
      .map((group) => ({ group, after: afterOf(group.symbols[0], group.channels, group) }));
    // Topics that are resumed first: others would begin behind the cursor, and the server recovers only what goes back to it.
    groups.sort((one, other) => Number(one.after === null) - Number(other.after === null));
    for (const { group, after } of groups) {
      const { mode, max_hz, symbols, channels } = group;
      if (mayResume && after === null) place.lose(symbols, channels);
      const id = this.#send({
        action: "subscribe", symbols, channels, ...(mode === "all" ? {} : { mode, max_hz }), ...this.#core.lagOption,
        ...(after === null ? {} : { after: { epoch: place.epoch, offset: after } }),
      });
      this.#pending.set(id, { group, isResumed: after !== null, sent_ms: performance.now() });
      // Missed events of a recovery, and events held back by a rate, come out of order.
      this.#isSettled = false;
    }
  }

  /** Sends a ping. */
  ping() {
    this.#pinged_ms ??= performance.now();
    this.#send({ action: "ping", ts: Math.round(this.#core.received()) });
  }

  /** @param {Record<string, unknown>} request */
  #send({ action, ...rest }) {
    const id = this.#next_id;
    this.#next_id += 1;
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ action, id, ...rest }));
    return id;
  }

  /** Returns how long the server owes an answer. @param {number} now_ms */
  owedFor(now_ms) {
    const since_ms = [...this.#pending.values()].map((asked) => asked.sent_ms);
    return now_ms - Math.min(this.#pinged_ms ?? now_ms, ...since_ms);
  }

  /** Returns how long nothing has come. @param {number} now_ms */
  silentFor(now_ms) {
    return now_ms - this.#heard_ms;
  }

  /** @param {number} now_ms @param {number} quiet_ms */
  audit(now_ms, quiet_ms) {
    this.#audit.check(now_ms, quiet_ms);
  }

  /** @param {number} code @param {string} reason */
  #onClose(code, reason) {
    this.#forgetTimers();
    clearTimeout(this.#renewal_timer);
    // Browsers do not tell why a handshake has failed; a proxy may be the reason.
    this.#core.fail(this, { cause: this.isReady || code !== ABNORMAL ? "closed" : "unreachable", code, reason, retry_after_ms: this.#retry_after_ms, isBlocked: !this.isReady && code === ABNORMAL });
  }

  /** Abandons the socket, without waiting for the closing handshake, which could take minutes. */
  leave() {
    const socket = this.#socket;
    this.#hasLeft = true;
    this.#forgetTimers();
    clearTimeout(this.#renewal_timer);
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Closes the socket, and waits for the closing handshake. @returns {Promise<void>} */
  close() {
    const socket = this.#socket;
    this.#hasLeft = true;
    this.#forgetTimers();
    clearTimeout(this.#renewal_timer);
    if (!socket) return Promise.resolve();
    socket.onmessage = null;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      socket.onclose = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.close(NORMAL);
    });
  }
}

/** Returns a text in base64url without padding. @param {string} text */
function base64url(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
