// @ts-check
/**
 * Subscriptions over HTTP, as server-sent events or long polls: one line for each group of topics that one request can name.
 *
 * Owns: the lines and their cursors. Does not own: reconnecting (`tickcast.js`), the check of events (`gate.js`).
 *
 * A line cannot change its topics. So when subscriptions change, a short poll fetches the snapshots of new topics, and the lines that
 * changed begin anew at the oldest cursor; the gate drops what comes twice.
 */

import { Audit } from "./audit.js";
import { codeOf } from "./closing.js";
import { fetchJson, readStream, RequestError } from "./http.js";
import { checkAnswer, cursorOf, cursorText, EVERY, isEvent, isNumbered, readFrame, topicOf } from "./protocol.js";
import { groupsOf } from "./wishes.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol.js").PollAnswer} PollAnswer */
/** @typedef {import("./protocol.js").Position} Position */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./wishes.js").Group} Group */
/**
 * @typedef {object} Line
 * @property {Group} group
 * @property {AbortController} stop
 * @property {Position | null} cursor null before the snapshots
 * @property {number} heard_ms
 * @property {Audit} audit
 * @property {PollAnswer | null} early fresh snapshots that include events which have not come yet
 */

/** How long the head of an answer, or the first event of a stream, may take; in addition to the wait that a poll asks for. */
const ANSWER_MS = 5_000;
/** How long the server may hold a long poll. */
const WAIT_MS = 25_000;
/** The time between two polls that bring nothing, should an answer come at once although the server was asked to wait. */
const POLL_MS_MIN = 500;
/** Errors of the request itself (docs/PROTOCOL.md). */
const REFUSALS = ["unknown_symbol", "unknown_channel", "limit_exceeded", "bad_request", "forbidden_channel", "forbidden_mode"];

export class LineLink {
  isReady = false;
  #core;
  /** @type {Map<string, Line>} */
  #lines = new Map();
  #stop = new AbortController();
  #isUpdating = false;
  #isDue = true;

  /** @param {Core} core @param {"sse" | "poll"} transport */
  constructor(core, transport) {
    this.#core = core;
    this.transport = transport;
    // Not before the caller knows this link.
    queueMicrotask(() => this.update());
  }

  /** Makes the lines those of the wanted subscriptions. */
  update() {
    this.#isDue = true;
    if (!this.#isUpdating) void this.#run(() => this.#update());
  }

  /** Fetches a snapshot of each symbol. */
  refresh() {
    void this.#run(async () => {
      for (const line of [...this.#lines.values()]) await this.#begin(line.group, line);
    });
  }

  /** @param {() => Promise<void>} work */
  async #run(work) {
    try {
      await work();
    } catch (err) {
      if (this.#stop.signal.aborted) return;
      if (!(err instanceof RequestError)) return this.#core.crash(err);
      this.#isUpdating = false;
      this.#fail(err.failure);
    }
  }

  async #update() {
    this.#isUpdating = true;
    while (this.#isDue && !this.#stop.signal.aborted) {
      this.#isDue = false;
      const { wanted } = this.#core.place.wishes;
      if (!this.isReady && wanted.size === 0) await this.#meet();
      const groups = new Map(groupsOf(wanted).map((group) => [JSON.stringify(group), group]));
      for (const [key, line] of this.#lines) {
        if (groups.has(key)) continue;
        line.stop.abort();
        this.#lines.delete(key);
      }
      for (const [key, group] of groups) {
        if (this.#lines.has(key)) continue;
        const symbols = group.symbols.filter((symbol) => this.#afterOf(symbol, group) === null);
        const early = symbols.length > 0 ? await this.#begin({ ...group, symbols }) : null;
        if (!this.#isDue) this.#open(key, group, early);
        else if (early) this.#core.take(this, early.messages, this.#core.received());
      }
    }
    this.#isUpdating = false;
  }

  /** Asks the server for its epoch, if nothing is subscribed to. */
  async #meet() {
    const { epoch } = await this.#fetch("api/v1/snapshot", this.#stop.signal, ANSWER_MS, ["epoch"]);
    this.#core.place.meet(epoch);
    this.#core.enter(this);
  }

  /**
   * Fetches the snapshots of topics without a past, or fresh ones of a line. Returns those that include events of other topics of their
   * symbol which have not come.
   * @param {Group} group
   * @param {Line} [line]
   * @returns {Promise<PollAnswer | null>}
   */
  async #begin(group, line) {
    const answer = await this.#poll(group, null, 0, this.#stop.signal).catch((err) => this.#refused(err, group));
    if (!answer) return null;
    const { gate } = this.#core.place;
    this.#core.place.meet(answer.epoch);
    // A stream is ready when it has shown that it gets through.
    if (this.transport === "poll") this.#core.enter(this);
    gate.await(group.symbols, group.channels, this);
    if (line) {
      line.early = answer;
      this.#release(line);
      return null;
    }
    // A line of every symbol begins at this answer: the events that a snapshot includes do not come on it.
    const isHeld = (/** @type {ServerMessage} */ message) => message.type === "snapshot" && !group.symbols.includes(EVERY) && gate.isAhead(message);
    const early = answer.messages.filter((message) => message.type === "snapshot").filter(isHeld);
    const due = answer.messages.filter((message) => !early.some((held) => held === message));
    this.#core.take(this, due, this.#core.received());
    for (const message of early) {
      // New topics begin here; the application gets the snapshot later.
      gate.judge(message, this);
      gate.await([message.symbol], [], this);
    }
    if (group.symbols.includes(EVERY)) gate.settle(this);
    this.#core.place.start(answer);
    return early.length > 0 ? { ...answer, messages: early } : null;
  }

  /**
   * Passes on fresh snapshots, each after the events that it includes: the answer may have overtaken them on another connection, and an
   * application that has the snapshot ignores older events.
   * @param {Line} line
   */
  #release(line) {
    const { early, cursor } = line;
    if (early === null) return;
    const isReached = cursor !== null && cursor.offset >= early.offset;
    /** @param {ServerMessage} message */
    const isDue = (message) => isReached || message.type !== "snapshot" || !this.#core.place.gate.isAhead(message);
    const due = early.messages.filter(isDue);
    const rest = early.messages.filter((message) => !due.includes(message));
    line.early = rest.length > 0 ? { ...early, messages: rest } : null;
    if (due.length > 0) this.#core.take(this, due, this.#core.received());
  }

  /** The cursor of a stream and of a poll includes the events that a rate holds back. @param {string} symbol @param {Group} group */
  #afterOf(symbol, { channels }) {
    return this.#core.place.afterOf(symbol, channels, "latest");
  }

  /** @param {string} key @param {Group} group @param {PollAnswer | null} early */
  #open(key, group, early) {
    const stop = new AbortController();
    const offsets = group.symbols.map((symbol) => this.#afterOf(symbol, group) ?? 0);
    const cursor = { epoch: this.#core.place.epoch, offset: Math.min(...offsets) };
    /** @type {Line} */
    const line = { group, stop, cursor, heard_ms: performance.now(), audit: this.#auditOf(group), early };
    this.#lines.set(key, line);
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    const work = this.transport === "sse" ? this.#follow(line, signal) : this.#repeat(line, signal);
    void this.#run(() => work.catch((err) => {
      if (!signal.aborted) this.#refused(err, group);
    }));
  }

  /** Reads a stream until it ends. @param {Line} line @param {AbortSignal} signal */
  async #follow(line, signal) {
    const query = this.#queryOf(line.group, line.cursor);
    if (line.group.max_hz !== undefined) query.set("max_hz", String(line.group.max_hz));
    if (this.#core.lagOption.on_lag) query.set("on_lag", this.#core.lagOption.on_lag);
    // A proxy that gathers an answer before it passes it on is found by the first event, which the server sends at once.
    const timer = setTimeout(() => this.#fail({ cause: "buffered", isBlocked: true }), ANSWER_MS);
    signal.addEventListener("abort", () => clearTimeout(timer));
    /** @type {import("./closing.js").Failure | null} */
    let goodbye = null;
    await readStream(this.#core.fetch, this.#core.urlOf(`api/v1/stream?${query}`), signal, ANSWER_MS, ({ data, id }) => {
      clearTimeout(timer);
      if (signal.aborted) return;
      line.heard_ms = performance.now();
      this.#core.weigh(data?.length ?? 0);
      const messages = data === null ? [] : this.#read(data);
      for (const message of messages) {
        if (message.type === "goodbye") goodbye = { cause: "closed", code: codeOf(message.reason), reason: message.reason, retry_after_ms: message.retry_after_ms };
      }
      this.#deliver(line, messages, id === null ? line.cursor : cursorOf(id));
    }).finally(() => clearTimeout(timer));
    if (!signal.aborted) this.#fail(goodbye ?? { cause: "closed", code: codeOf("") });
  }

  /** Polls until an answer fails. @param {Line} line @param {AbortSignal} signal */
  async #repeat(line, signal) {
    // The first answer comes at once, as it tells whether the cursor is valid.
    for (let wait_ms = 0; !signal.aborted; wait_ms = WAIT_MS) {
      const [begun_ms, before] = [performance.now(), line.cursor];
      const answer = await this.#poll(line.group, before, wait_ms, signal);
      if (signal.aborted) return;
      if (!answer.recovered) this.#onVoid(line, answer.epoch);
      this.#core.enter(this);
      this.#deliver(line, answer.messages, cursorOf(answer.cursor));
      // The rate of a poll is its client's own.
      const rate_ms = line.group.max_hz === undefined ? 0 : 1_000 / line.group.max_hz;
      const isIdle = wait_ms > 0 && before?.offset === line.cursor?.offset;
      const pause_ms = Math.max(rate_ms, isIdle ? POLL_MS_MIN - (performance.now() - begun_ms) : 0);
      if (pause_ms > 0) await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
  }

  /** @param {Line} line @param {ServerMessage[]} messages @param {Position | null} cursor */
  #deliver(line, messages, cursor) {
    const own = messages.filter((message) => !line.group.symbols.includes(EVERY) || !isNumbered(message)
      || !this.#core.place.wishes.channelsOf(message.symbol).has(topicOf(message)));
    if (messages.some(isEvent)) line.audit.hear();
    for (const message of messages) {
      if (message.type === "welcome") {
        this.#core.place.meet(message.epoch);
        this.#core.enter(this, message);
      }
      if (message.type === "subscribed" && message.recovered !== true) this.#onVoid(line, this.#core.place.epoch);
    }
    let begun = 0;
    for (const [place, message] of own.entries()) {
      if (message.type !== "epoch") continue;
      if (!this.#core.take(this, own.slice(begun, place), this.#core.received(), line)) return;
      this.#core.place.moveTo(message, line, line.group.symbols);
      begun = place;
    }
    if (!this.#core.take(this, own.slice(begun), this.#core.received(), line)) return;
    line.cursor = cursor;
    const cursors = [...this.#lines.values()].map((each) => each.cursor);
    // While lines are replaced, some are missing here.
    if (!this.#isUpdating && cursors.every((each) => each?.epoch === this.#core.place.epoch)) {
      this.#core.place.reached(Math.min(...cursors.map((each) => each?.offset ?? 0)), true);
      this.#core.place.gate.settle(line);
    }
    this.#release(line);
  }

  /** The cursor of a line was void: snapshots follow. @param {Line} line @param {string} epoch */
  #onVoid(line, epoch) {
    this.#core.place.meet(epoch);
    this.#core.place.lose(line.group.symbols, line.group.channels);
    this.#core.place.gate.await(line.group.symbols, line.group.channels, line);
  }

  /** @param {string} data @throws {RequestError} */
  #read(data) {
    try {
      return readFrame(data);
    } catch {
      throw new RequestError({ cause: "garbage" });
    }
  }

  /** @param {Group} group @param {Position | null} after @param {number} wait_ms @param {AbortSignal} signal @returns {Promise<PollAnswer>} */
  #poll(group, after, wait_ms, signal) {
    const query = this.#queryOf(group, after);
    query.set("wait_ms", String(wait_ms));
    return this.#fetch(`api/v1/poll?${query}`, signal, wait_ms + ANSWER_MS, ["epoch", "offset", "cursor", "recovered", "messages"]);
  }

  /**
   * Fetches an answer with these keys.
   * @param {string} path @param {AbortSignal} signal @param {number} timeout_ms @param {readonly (keyof PollAnswer)[]} keys
   * @returns {Promise<PollAnswer>}
   */
  async #fetch(path, signal, timeout_ms, keys) {
    const answer = await fetchJson(this.#core.fetch, this.#core.urlOf(path), signal, timeout_ms, (text) => this.#core.weigh(text.length));
    try {
      checkAnswer(answer, keys);
    } catch {
      throw new RequestError({ cause: "garbage" });
    }
    return answer;
  }

  /** @param {Group} group @param {Position | null} after */
  #queryOf({ symbols, channels, mode }, after) {
    const query = new URLSearchParams({ symbols: symbols.join(), channels: channels.join(), mode });
    if (after) query.set("after", cursorText(after));
    if (this.#core.account !== undefined) query.set("client", this.#core.account);
    return query;
  }

  /** Gives up the topics that the server refuses, as it would refuse them again, and throws any other error. @param {unknown} err @param {Group} group @returns {null} */
  #refused(err, group) {
    const problem = err instanceof RequestError ? err.problem : null;
    if (problem?.code === undefined || !REFUSALS.includes(problem.code)) throw err;
    const { code, detail = "", symbols } = problem;
    if (code !== "unknown_symbol") this.#core.place.wishes.remove(group.symbols, group.channels);
    this.#core.refuse({ type: "error", code, message: detail, ...(symbols ? { symbols } : {}) });
    this.update();
    return null;
  }

  /** @param {import("./closing.js").Failure} failure */
  #fail(failure) {
    this.#core.fail(this, failure);
  }

  /** Takes the messages that concern the connection. @param {ServerMessage} message @returns {boolean} whether the application is to see it */
  control(message) {
    return message.type !== "subscribed";
  }

  passed() {}

  ping() {}

  /** A request has a timeout of its own. */
  owedFor() {
    return 0;
  }

  /** Returns the silence of the most silent stream; a poll has no heartbeats. @param {number} now_ms */
  silentFor(now_ms) {
    const heard_ms = this.transport === "sse" ? [...this.#lines.values()].map((line) => line.heard_ms) : [];
    return now_ms - Math.min(now_ms, ...heard_ms);
  }

  /** @param {number} now_ms @param {number} quiet_ms */
  audit(now_ms, quiet_ms) {
    if (this.transport === "sse") for (const { audit } of this.#lines.values()) audit.check(now_ms, quiet_ms);
  }

  /** @param {Group} group */
  #auditOf({ symbols, channels }) {
    const names = new Set(symbols);
    const topics = new Set(/** @type {import("./protocol.js").Topic[]} */ (channels));
    /** @param {string} symbol @param {import("./protocol.js").Topic} topic */
    const has = (symbol, topic) => topics.has(topic) && (names.has(symbol) || (names.has(EVERY) && !this.#core.place.wishes.channelsOf(symbol).has(topic)));
    return new Audit(this.#core, () => ({ symbols, has }), () => this.#fail({ cause: "silent", isMute: true }));
  }

  leave() {
    this.#stop.abort();
  }

  /** @returns {Promise<void>} */
  async close() {
    this.#stop.abort();
  }
}
