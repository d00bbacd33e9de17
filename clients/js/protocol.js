// @ts-check
/**
 * The messages of the protocol `tickcast.v1` as types, those that this client adds to them, and the check of a received message.
 *
 * Owns: the shape of every message. Does not own: transports, or the order of messages (`gate.js`).
 * Times are whole microseconds since 1970-01-01 UTC; prices are US dollars; sizes and volumes are shares.
 */

/** @typedef {"1s" | "1m" | "5m" | "15m" | "1h" | "1d"} Interval */
/** @typedef {Interval | "1m.updated" | "1d.ny"} BarKind `1m.updated`: a minute whose trades have changed after its end; `1d.ny`: the day of New York so far */
/** @typedef {"trades" | "quotes" | "corrections" | "cancels" | `bars.${BarKind}`} Channel */

/**
 * @typedef {object} Bar
 * @property {number} ts start of the bar
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 * @property {number} volume
 * @property {number} trades
 * @property {number} vwap
 * @property {boolean} final false while the bar is still open
 */

/**
 * @typedef {{ symbols: number, channels?: readonly Channel[], max_hz?: number, connections?: number, delay_ms?: number }} Limits what the server
 *   permits a client; all but `symbols` are those of its key
 */
/**
 * @typedef {{ type: "welcome", epoch: string, offset: number, heartbeat_ms: number, limits?: Limits,
 *             server_ts?: number, market_ts?: number, speed?: number, auth?: { name: string, expires_at?: number } }} Welcome `auth`: the client's key
 */
/**
 * @typedef {{ type: "trade", symbol: string, seq: number, offset: number, ts: number, price: number, size: number,
 *             skipped?: number }} Trade `skipped`, in mode `latest`: how many older events of the topic this one replaces
 */
/**
 * @typedef {{ type: "quote", symbol: string, seq: number, offset: number, ts: number,
 *             bid: number, bid_size: number, ask: number, ask_size: number, skipped?: number }} Quote
 */
/** @typedef {Bar & { type: "bar", symbol: string, interval: BarKind, seq: number, offset: number, skipped?: number }} BarMessage */
/** @typedef {{ symbol: string, seq: number, offset: number, ts: number, trade_seq: number, trade_ts: number, trade_price: number, trade_size: number,
 *             skipped?: undefined }} Amendment `trade_seq` is the `seq` of the trade, `trade_…` repeat it; there is no mode `latest` */
/** @typedef {Amendment & { type: "correction", price: number, size: number }} Correction a trade was reported wrongly; `price` and `size` are the right ones */
/** @typedef {Amendment & { type: "cancel", kind: "cancel" | "error" }} Cancel a trade does not count any more: it was taken back, or published by mistake (`error`) */
/**
 * @typedef {{ type: "snapshot", symbol: string, offset: number, ts?: number, price?: number, size?: number,
 *             bid?: number, bid_size?: number, ask?: number, ask_size?: number, open?: number, high?: number, low?: number,
 *             prev_close?: number, volume?: number, seq: Record<string, number> }} Snapshot a value that the symbol does not have yet, or
 *   that the client's key does not include, is absent
 */
/** @typedef {{ type: "day", symbol: string, seq: number, offset: number, ts: number, prev_close: number }} Day the beginning of a day of UTC */
/** @typedef {{ type: "gap", symbol: string, seq: number, offset: number, ts: number, since: number }} Gap a jump of the market's time; no event is missing */
/** @typedef {{ type: "subscribed", id?: number | string, subscriptions: { symbol: string, channels: string[] }[], recovered?: boolean }} Subscribed */
/** @typedef {{ type: "lag", skipped: number, since_offset: number }} Lag the client was too slow, and the server has skipped events */
/** @typedef {{ type: "heartbeat", ts: number, offset: number }} Heartbeat */
/** @typedef {{ type: "pong", id?: number | string, ts: number, server_ts: number, market_ts?: number, offset: number }} Pong */
/** @typedef {{ type: "error", id?: number | string, code: string, message: string, symbols?: string[], retry_after_ms?: number }} ErrorMessage */
/** @typedef {{ type: "auth_expiring", expires_at: number }} AuthExpiring the client's key ends soon */
/** @typedef {{ type: "auth", id?: number | string, name: string, expires_at?: number, limits?: Limits }} Auth the key has been renewed */
/** @typedef {{ type: "epoch", epoch: string, offset: number, moved?: boolean }} Epoch the stream goes on under another name; if it has `moved`, from another time, and a snapshot of each symbol follows */
/** @typedef {{ type: "goodbye", reason: string, retry_after_ms?: number }} Goodbye */
/** @typedef {{ type: "status", id?: string | number, feed: "running" | "paused" | "seeking" | "gap" | "ended" | "failed", epoch: string, offset: number, file_ts: number, from: number, to: number, speed: number, sought?: boolean, complaint?: string }} FeedState of a replay */

/** @typedef {"websocket" | "sse" | "poll"} Transport */
/** @typedef {{ type: "open", transport: Transport, epoch: string, symbols_max: number }} Open of this client: a connection is ready */
/**
 * @typedef {{ type: "reset", symbols: string[], reason: "restarted" | "evicted" | "moved" }} Reset of this client: the events of these symbols
 *   (`"*"`: of all) since the last ones are lost, because the server was restarted or has evicted them, or the market has moved to another time. A snapshot of each follows
 */
/**
 * @typedef {{ type: "hole", symbol: string, channel: Topic, from: number, to: number }} Hole of this client: the events with the
 *   `seq` `from` to `to` are lost, although the server has not announced it; fetching them again has failed several times
 */
/**
 * @typedef {{ type: "suspect", symbol: string, channel: Channel, seq: number, reason: "crossed" | "zero" }} Suspect of this client: the next event
 *   has values that cannot be right: a bid above its ask, or a price that is not above zero
 */
/** @typedef {{ type: "overflow", skipped: number }} Overflow of this client: an iterator was not read, and lost as many messages */

/** @typedef {Trade | Quote | BarMessage | Correction | Cancel} Event */
/** @typedef {Event | Day | Gap} Numbered */
/** @typedef {Numbered | Welcome | Snapshot | Subscribed | Lag | Heartbeat | Pong | ErrorMessage | AuthExpiring | Auth | Epoch | Goodbye | FeedState} ServerMessage */
/** @typedef {ServerMessage | Open | Reset | Hole | Suspect} Message */
/** @typedef {Channel | "day" | "gap"} Topic */

/** @typedef {{ epoch: string, offset: number }} Position a cursor: every subscribed event up to it has come */
/** @typedef {"all" | "latest"} Mode */
/**
 * @typedef {{ action: "subscribe" | "unsubscribe", symbols: string[], channels?: Channel[], mode?: Mode, max_hz?: number }} Request
 */
/** @typedef {Position & { cursor: string, recovered: boolean, messages: ServerMessage[] }} PollAnswer of `/api/v1/poll` */
/** @typedef {{ type?: string, title?: string, status?: number, detail?: string, code?: string, symbols?: string[] }} Problem an error over HTTP (RFC 9457) */

export const SUBPROTOCOL = "tickcast.v1.json";
/** The "symbol" of a subscription to every symbol. */
export const EVERY = "*";

/** @type {readonly Interval[]} */
export const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "1d"];
/** @type {readonly BarKind[]} */
const BAR_KINDS = [...INTERVALS, "1m.updated", "1d.ny"];
const OF_TRADE = ["seq", "offset", "ts", "trade_seq", "trade_ts", "trade_price", "trade_size"];

/** The numbers that a message must have, to be used at all. @type {Readonly<Record<string, readonly string[]>>} */
const NUMBERS = {
  trade: ["seq", "offset", "ts", "price", "size"],
  quote: ["seq", "offset", "ts", "bid", "bid_size", "ask", "ask_size"],
  bar: ["seq", "offset", "ts", "open", "high", "low", "close", "volume"],
  correction: [...OF_TRADE, "price", "size"],
  cancel: OF_TRADE,
  day: ["seq", "offset", "ts", "prev_close"],
  gap: ["seq", "offset", "ts", "since"],
  snapshot: ["offset"],
  welcome: ["offset"],
  lag: ["skipped", "since_offset"],
  heartbeat: ["offset"],
  pong: ["offset"],
  auth_expiring: ["expires_at"],
  status: ["offset", "file_ts", "from", "to"],
  epoch: ["offset"],
};

/** Numbers that a message may lack; a snapshot those that its symbol does not have yet, or that the client's key does not include. */
const OPTIONAL = [
  "ts", "price", "size", "bid", "bid_size", "ask", "ask_size", "open", "high", "low", "prev_close", "volume", "skipped", "heartbeat_ms", "retry_after_ms", "expires_at",
];
/** The word that a message must have. @type {Readonly<Record<string, string>>} */
const WORDS = { welcome: "epoch", epoch: "epoch", goodbye: "reason", error: "code", auth: "name" };
/** The types of the keys of an answer over HTTP. @type {Readonly<Record<keyof PollAnswer, string>>} */
const ANSWER_TYPES = { epoch: "string", offset: "number", cursor: "string", recovered: "boolean", messages: "object" };

/** The channels of the events that have one only. */
const CHANNELS = /** @type {const} */ ({ trade: "trades", quote: "quotes", correction: "corrections", cancel: "cancels" });

/**
 * Returns the channel that an event came on.
 * @param {Event} event
 * @returns {Channel}
 */
export function channelOf(event) {
  return event.type === "bar" ? `bars.${event.interval}` : CHANNELS[event.type];
}

/**
 * Returns whether a message is a market event, which carries a `seq` and an `offset` and is subscribed to by a channel.
 * @param {Message} message
 * @returns {message is Event}
 */
export function isEvent(message) {
  return message.type === "bar" || message.type in CHANNELS;
}

/**
 * Returns whether a message is numbered in its topic.
 * @param {Message} message
 * @returns {message is Numbered}
 */
export function isNumbered(message) {
  return isEvent(message) || message.type === "day" || message.type === "gap";
}

/** Returns the topic of a numbered message, without its symbol. @param {Numbered} message @returns {Topic} */
export function topicOf(message) {
  return isEvent(message) ? channelOf(message) : message.type;
}

/**
 * Returns a warning of an event with values that cannot be right.
 * @param {Event} event
 * @returns {Suspect | null}
 */
export function suspicionOf(event) {
  const { symbol, seq } = event;
  const lowest = event.type === "quote" ? Math.min(event.bid, event.ask) : event.type === "bar" ? event.low : event.type === "cancel" ? 1 : event.price;
  const isCrossed = event.type === "quote" && event.bid > event.ask;
  return lowest > 0 && !isCrossed ? null : { type: "suspect", symbol, channel: channelOf(event), seq, reason: lowest > 0 ? "crossed" : "zero" };
}

/**
 * Reads a frame: an array of messages.
 * @param {string} text
 * @returns {ServerMessage[]}
 * @throws {SyntaxError} if it is none, or if a message lacks a key
 */
export function readFrame(text) {
  const frame = JSON.parse(text);
  if (!Array.isArray(frame)) throw new SyntaxError("a frame is an array");
  for (const message of frame) checkMessage(message);
  return frame;
}

/** Checks that a message has every key that this client reads. @param {Record<string, unknown>} message @throws {SyntaxError} */
export function checkMessage(message) {
  if (typeof message?.type !== "string") throw new SyntaxError("a message has a type");
  const numbers = NUMBERS[message.type] ?? [];
  const { seq, symbols = [] } = message;
  const isSound = numbers.every((key) => Number.isFinite(message[key]))
    && OPTIONAL.every((key) => message[key] === undefined || Number.isFinite(message[key]))
    // A request that the application has sent by itself may have a text as its id.
    && (message.id === undefined || typeof message.id === "string" || Number.isFinite(message.id))
    && (!(message.type in WORDS) || typeof message[WORDS[message.type]] === "string")
    && (message.type !== "error" || (Array.isArray(symbols) && symbols.every((symbol) => typeof symbol === "string")))
    && !((numbers.includes("ts") || message.type === "snapshot") && typeof message.symbol !== "string")
    && (message.type !== "bar" || BAR_KINDS.some((kind) => kind === message.interval))
    && (message.type !== "snapshot" || (typeof seq === "object" && seq !== null && Object.values(seq).every(Number.isFinite)));
  if (!isSound) throw new SyntaxError(`a ${message.type} lacks a key`);
}

/** @param {Partial<PollAnswer> | null} answer over HTTP @param {readonly (keyof PollAnswer)[]} keys that it must have @throws {SyntaxError} */
export function checkAnswer(answer, keys) {
  if (!keys.every((key) => typeof answer?.[key] === ANSWER_TYPES[key])) throw new SyntaxError("an answer lacks a key");
  if (!keys.includes("messages")) return;
  if (!Array.isArray(answer?.messages)) throw new SyntaxError("the messages of an answer are an array");
  for (const message of answer.messages) checkMessage(message);
}

/** Returns a cursor as a query parameter. @param {Position} position */
export function cursorText({ epoch, offset }) {
  return `${epoch}:${offset}`;
}

/** Reads the text of a cursor; null if it is none. @param {string} text @returns {Position | null} */
export function cursorOf(text) {
  const [epoch, offset] = text.split(":");
  return epoch && offset !== undefined && /^\d+$/.test(offset) ? { epoch, offset: Number(offset) } : null;
}
