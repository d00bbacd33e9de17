// @ts-check
/**
 * The client of a tickcast server: prices by WebSocket, or by server-sent events or long polling where no WebSocket gets through.
 *
 * Owns: which transport is used and when it is tried again, and the watchdog. Does not own: connections (`websocket.js`, `lines.js`),
 * the check that no event is missing or repeated (`gate.js`), the application's listeners (`audience.js`).
 */

import { Audience, report } from "./audience.js";
import { Backoff, TOLD_MS_MAX } from "./backoff.js";
import { ABNORMAL, adviceOf, ClosedError } from "./closing.js";
import { addressOf, baseOf } from "./http.js";
import { LineLink } from "./lines.js";
import { Place, received } from "./place.js";
import { CHECK_MS, DEFAULTS, HEARTBEAT_MS, HELD_MS, LATE_MS } from "./options.js";
import { isEvent, suspicionOf } from "./protocol.js";
import { Silences } from "./silences.js";
import { WebSocketLink } from "./websocket.js";
import { namesOf } from "./wishes.js";

export { ClosedError };

/** @typedef {import("./closing.js").Failure} Failure */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./core.js").Link} Link */
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Position} Position */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Transport} Transport */
/** @typedef {import("./options.js").Happenings} Happenings */
/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").Status} Status */

/** Returns a client that connects at once. @param {string | URL} url the address of the server @param {Options} [options] */
export function connect(url, options) {
  const client = new Client(url, options);
  client.connect();
  return client;
}

export class Client {
  /** @type {Status} */
  status = { state: "idle", transport: null, retry_at_ms: null, failure: null, isFallback: false };
  /** What the server has permitted last, in a `welcome` or an `auth`; null before. @type {import("./protocol.js").Limits | null} */
  limits = null;
  /** The length of the messages received so far, in bytes, without what carries them: heads, frames, TLS. */
  bytes = 0;
  #base;
  #options;
  #Socket;
  /** @type {readonly Transport[]} */
  #transports = [];
  #audience = new Audience();
  #place = new Place((reset) => this.#audience.emit([reset], received()));
  #backoff;
  /** @type {Link | null} */
  #link = null;
  /** A better transport that is being tried while the link works. @type {Link | null} */
  #candidate = null;
  #begun_ms = 0;
  /** When the first transport was tried. */
  #round_ms = 0;
  #pinged_ms = 0;
  #checked_ms = 0;
  #heartbeat_ms = HEARTBEAT_MS;
  /** The transport to begin with, and until when it is not worth trying a better one. */
  #first = 0;
  #upgrade_at_ms = 0;
  #isUpdateDue = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry_timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #check_timer;
  /** @type {Core} */
  #core;
  #silences;
  /** The token of the present connection, once the application has been asked for it. @type {string | null | Promise<string | null> | undefined} */
  #token;

  /** @param {string | URL} url the address of the server, with its base path @param {Options} [options] */
  constructor(url, options = {}) {
    this.#base = baseOf(url);
    this.#options = { ...DEFAULTS, ...options };
    this.#Socket = options.WebSocket ?? globalThis.WebSocket;
    this.use(this.#options.transports);
    this.#backoff = new Backoff(this.#options.random);
    this.#core = this.#makeCore();
    this.#silences = new Silences(this.#options.upgrade_ms);
  }

  /** The most symbols of one connection. */
  get symbols_max() { return this.limits?.symbols ?? Infinity; }

  /** The run of the server that the last connection had; empty before the first. */
  get epoch() { return this.#place.epoch; }

  /** The cursor: every event up to it has come. Null before the first snapshots. @returns {Position | null} */
  get cursor() {
    return this.#place.cursor;
  }

  /** Connects, if there is no connection and none is being opened. Ends a delay. */
  connect() {
    if (this.#link === null) this.#begin(this.#firstIndex());
  }

  /** Abandons the connection and opens another one at once, which resumes where this one was. */
  reconnect() {
    if (this.status.state === "idle") return;
    this.#leave();
    this.#begin(this.#firstIndex(), { cause: "asked" });
  }

  /** Permits these transports only, the best one first. If it is not the one in use, it takes over at once, and resumes. @param {readonly Transport[]} transports */
  use(transports) {
    this.#transports = transports.filter((transport) => transport !== "websocket" || this.#Socket);
    if (this.#transports.length === 0) throw new TypeError("there is no WebSocket here: pass one as an option, or permit another transport");
    this.#first = this.#upgrade_at_ms = 0;
    if (this.status.transport !== this.#transports[0] && this.status.state !== "closed") this.reconnect();
  }

  /** Abandons the connection until `connect` is called. The cursor is kept. */
  pause() {
    this.#leave();
    this.#setStatus({ state: "reconnecting", retry_at_ms: null, failure: { cause: "asked" } });
  }

  /**
   * Subscribes, now and on every later connection. A topic that is subscribed already gets the new mode.
   * @param {string | Iterable<string>} symbols `"*"` for all
   * @param {import("./options.js").SubscribeOptions} [options]
   */
  subscribe(symbols, { channels = ["trades"], max_hz, mode = max_hz === undefined ? "all" : "latest" } = {}) {
    this.#place.wishes.add(namesOf(symbols), channels, max_hz === undefined ? { mode } : { mode, max_hz });
    this.#updateSoon();
  }

  /** Replaces all subscriptions; the connection is told what differs. @param {Iterable<[symbols: string | Iterable<string>, options?: import("./options.js").SubscribeOptions]>} subscriptions */
  replace(subscriptions) {
    this.#place.wishes.clear();
    for (const [symbols, options] of subscriptions) this.subscribe(symbols, options);
    this.#updateSoon();
  }

  /** Ends subscriptions; of all channels if none is named. @param {string | Iterable<string>} symbols @param {{ channels?: Iterable<import("./protocol.js").Channel> }} [options] */
  unsubscribe(symbols, { channels } = {}) {
    this.#place.wishes.remove(namesOf(symbols), channels);
    this.#updateSoon();
  }

  /** Requests a snapshot of every subscribed symbol. */
  refresh() {
    this.#link?.refresh();
  }

  /** Sends a ping, if the connection is a WebSocket; a `pong` answers it. */
  ping() {
    if (!this.#link?.isReady) return;
    this.#pinged_ms = performance.now();
    this.#link.ping();
  }

  /**
   * Calls a function for each message of a type; `message`: of every type; `batch`: once for all messages that came together;
   * `status`: when the status has changed; `feed`: for each message `status` of a replay. Returns a function that ends this.
   * @template {keyof Happenings} Name
   * @param {Name} name
   * @param {(value: Happenings[Name]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) { return this.#audience.on(name, listener); }

  /**
   * Returns the messages from now on. If it is not read, it keeps the newest `queue_max` and reports the others as `overflow`.
   * It ends when the client is closed, and throws a `ClosedError` if the server has closed it for good, or an error of this library.
   * @param {{ queue_max?: number }} [options] 10,000 by default
   */
  messages({ queue_max = 10_000 } = {}) {
    const messages = this.#audience.messages(queue_max);
    const { state, failure } = this.status;
    if (state === "closed") messages.end(failure && new ClosedError(failure));
    return messages;
  }

  [Symbol.asyncIterator]() { return this.messages(); }

  /** Ends the subscriptions and the connection. Resolves when the server has answered, or after two seconds. */
  async close() {
    const link = this.#link;
    this.#link = null;
    this.#leave();
    this.#setStatus({ state: "closed", transport: null, retry_at_ms: null, failure: null });
    await link?.close();
    this.#audience.end();
  }

  /** The transport to begin with. */
  #firstIndex() {
    if (performance.now() >= this.#upgrade_at_ms) this.#first = 0;
    return this.#first;
  }

  /** @param {number} index @returns {Link} */
  #open(index) {
    const transport = this.#transports[index];
    this.#token = undefined;
    return transport === "websocket" ? new WebSocketLink(this.#core, this.#Socket) : new LineLink(this.#core, transport);
  }

  /** @param {number} index @param {Failure | null} [failure] why the last connection has ended */
  #begin(index, failure = this.status.failure) {
    this.#leave();
    const isFirst = this.status.state === "idle" || this.status.state === "connecting";
    this.#setStatus({ state: isFirst ? "connecting" : "reconnecting", transport: this.#transports[index], retry_at_ms: null, failure });
    this.#begun_ms = this.#checked_ms = performance.now();
    if (index === this.#first) this.#round_ms = this.#begun_ms;
    this.#link = this.#open(index);
    this.#check_timer = setTimeout(() => this.#check(), CHECK_MS);
  }

  /** Abandons the connections and all timers. */
  #leave() {
    clearTimeout(this.#retry_timer);
    clearTimeout(this.#check_timer);
    for (const link of [this.#link, this.#candidate]) link?.leave();
    this.#link = this.#candidate = null;
    this.#place.gate.disconnect();
  }

  /** @param {Link} link @param {Failure} failure */
  #onFailure(link, failure) {
    if (link === this.#candidate) return this.#onCandidateFailure(link, failure);
    if (link !== this.#link) return;
    const index = this.#transports.indexOf(link.transport);
    const [now, wasReady] = [performance.now(), link.isReady];
    this.#leave();
    const advice = adviceOf(failure.code ?? ABNORMAL);
    if (!advice.reconnects) return this.#finish(failure);
    if (!advice.keepsCursor) this.#place.restart();
    const isSilent = failure.cause === "silent" || failure.cause === "late";
    const isBlocked = wasReady && isSilent ? this.#silences.note(link.transport, now) : failure.isBlocked;
    if (isBlocked && index + 1 < this.#transports.length) return this.#begin(index + 1, failure);
    if (wasReady && now - this.#begun_ms > HELD_MS) this.#backoff.reset();
    if (failure.retry_after_ms !== undefined) this.#backoff.tell(failure.retry_after_ms);
    // A wait for an answer was delay enough, and a hole is no fault of the connection.
    const hasWaited = !wasReady && now - this.#round_ms > this.#options.connect_timeout_ms;
    if (hasWaited) this.#backoff.reset();
    const isOwn = hasWaited || isSilent || failure.cause === "hole";
    const delay_ms = this.#backoff.next(isOwn ? 0 : advice.delay_ms);
    this.#setStatus({ state: "reconnecting", retry_at_ms: now + delay_ms, failure });
    this.#retry_timer = setTimeout(() => this.#begin(this.#firstIndex()), delay_ms);
  }

  /** @param {Failure} failure */
  #finish(failure) {
    this.#setStatus({ state: "closed", transport: null, retry_at_ms: null, failure });
    this.#audience.end(new ClosedError(failure));
  }

  /** @param {Link} link @param {import("./core.js").Told} [welcome] */
  #enter(link, welcome) {
    this.#heartbeat_ms = welcome?.heartbeat_ms || this.#heartbeat_ms;
    this.limits = welcome?.limits ?? this.limits;
    if (link.isReady || (link !== this.#link && link !== this.#candidate)) return;
    link.isReady = true;
    const now = performance.now();
    if (link === this.#candidate) {
      const old = this.#link;
      this.#candidate = null;
      this.#link = link;
      old?.leave();
      this.#place.gate.disconnect();
      this.#begun_ms = now;
    }
    this.#pinged_ms = now;
    this.#first = this.#transports.indexOf(link.transport);
    if (this.#first > 0) this.#upgrade_at_ms = now + this.#silences.upgradeDelay(this.#options.random());
    this.#setStatus({ state: "live", transport: link.transport, retry_at_ms: null, failure: null });
    this.#audience.emit([{ type: "open", transport: link.transport, epoch: this.epoch, symbols_max: this.symbols_max }], received());
    link.update();
  }

  /** Tries a transport that is better than the present one. */
  #tryBetter() {
    this.#upgrade_at_ms = Infinity;
    this.#begun_ms = performance.now();
    this.#candidate = this.#open(0);
  }

  /** @param {Link} link @param {Failure} failure */
  #onCandidateFailure(link, { isBlocked, retry_after_ms = 0 }) {
    link.leave();
    this.#candidate = null;
    const told_ms = isBlocked ? 0 : Math.min(retry_after_ms, TOLD_MS_MAX);
    const next = this.#transports.indexOf(link.transport) + 1;
    if (next < this.#first && told_ms === 0) this.#candidate = this.#open(next);
    else this.#upgrade_at_ms = performance.now() + Math.max(told_ms, this.#silences.upgradeDelay(this.#options.random()));
  }

  /** Checks whether the connection is dead, and whether anything is due. */
  #check() {
    const link = this.#link;
    if (!link) return;
    this.#check_timer = setTimeout(() => this.#check(), CHECK_MS);
    const now = performance.now();
    const isLate = now - this.#checked_ms > CHECK_MS + LATE_MS;
    this.#checked_ms = now;
    const { connect_timeout_ms, silence_heartbeats, quiet_ms, ping_ms } = this.#options;
    const silence_ms = silence_heartbeats * this.#heartbeat_ms;
    if (!link.isReady) {
      if (now - this.#begun_ms > connect_timeout_ms) this.#onFailure(link, { cause: "silent", isBlocked: true });
      return;
    }
    // If the machine was suspended, messages may be waiting to be read.
    if (!isLate && link.silentFor(now) > silence_ms) return this.#onFailure(link, { cause: "silent" });
    if (!isLate && link.owedFor(now) > Math.max(silence_ms, connect_timeout_ms)) return this.#onFailure(link, { cause: "late" });
    link.audit(now, Math.min(quiet_ms, silence_ms));
    if (ping_ms > 0 && now - this.#pinged_ms >= ping_ms) this.ping();
    if (this.#candidate && now - this.#begun_ms > connect_timeout_ms) this.#onCandidateFailure(this.#candidate, { cause: "silent", isBlocked: true });
    if (!this.#candidate && this.#first > 0 && now >= this.#upgrade_at_ms) this.#tryBetter();
  }

  /** Sends the changes of one turn of the application together. */
  #updateSoon() {
    if (this.#isUpdateDue) return;
    this.#isUpdateDue = true;
    queueMicrotask(() => {
      this.#isUpdateDue = false;
      this.#place.update();
      this.#link?.update();
    });
  }

  /** @returns {Core} */
  #makeCore() {
    const { token } = this.#options;
    return {
      place: this.#place,
      fetch: async (url, init) => {
        const fetch = this.#options.fetch ?? globalThis.fetch;
        const bearer = await this.#core.token?.();
        return fetch(url, bearer ? { ...init, headers: { ...init?.headers, authorization: `Bearer ${bearer}` } } : init);
      },
      token: token ? () => {
        if (this.#token === undefined) this.#token = token();
        return this.#token;
      } : null,
      forgetToken: () => { this.#token = undefined; },
      account: this.#options.account,
      lagOption: this.#options.on_lag === "close" ? { on_lag: "close" } : {},
      urlOf: (path, isSocket = false) => addressOf(this.#base, path, isSocket ? this.#options.account ?? null : undefined),
      received,
      enter: (link, welcome) => this.#enter(link, welcome),
      weigh: (bytes) => { this.bytes += bytes; },
      take: (link, messages, received_us, source) => this.#take(link, messages, received_us, source),
      refuse: (error) => {
        if (error.code === "unknown_symbol") this.#place.wishes.exclude(error.symbols ?? []);
        this.#audience.emit([error], received());
      },
      fail: (link, failure) => this.#onFailure(link, failure),
      crash: (err) => {
        this.#leave();
        this.#setStatus({ state: "closed", transport: null, retry_at_ms: null, failure: null });
        if (!this.#audience.end(err)) report(err);
      },
    };
  }

  /** @param {Link} link @param {readonly ServerMessage[]} messages @param {number} received_us @param {unknown} [source] */
  #take(link, messages, received_us, source = link) {
    if (link !== this.#link && link !== this.#candidate) return false;
    /** @type {Message[]} */
    const passed = [];
    let isWhole = true;
    for (const message of messages) {
      // What the control may report concerns what follows.
      if (message.type === "epoch" && passed.length > 0) this.#audience.emit(passed.splice(0), received_us);
      const isShown = link.control(message);
      const verdict = this.#place.gate.judge(message, source);
      isWhole = verdict !== "hole";
      if (!isWhole) break;
      if (verdict === "drop" || !isShown) continue;
      link.passed(message);
      if (typeof verdict === "object") passed.push(verdict);
      const suspicion = isEvent(message) ? suspicionOf(message) : null;
      if (suspicion) passed.push(suspicion);
      passed.push(message);
    }
    if (passed.length > 0) this.#audience.emit(passed, received_us);
    if (!isWhole) this.#onFailure(link, { cause: "hole" });
    return isWhole;
  }

  /** @param {Partial<Status>} change */
  #setStatus(change) {
    const status = { ...this.status, ...change };
    status.isFallback = status.transport !== null && this.#transports.indexOf(status.transport) > 0;
    this.status = status;
    this.#audience.call("status", status);
  }
}
