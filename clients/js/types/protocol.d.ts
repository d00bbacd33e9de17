/**
 * The messages of the protocol `tickcast.v1` as types, those that this client adds to them, and the check of a received message.
 *
 * Owns: the shape of every message. Does not own: transports, or the order of messages (`gate.js`).
 * Times are whole microseconds since 1970-01-01 UTC; prices are US dollars; sizes and volumes are shares.
 */
export type Interval = "1s" | "1m" | "5m" | "15m" | "1h" | "1d";
export type BarKind = Interval | "1m.updated" | "1d.ny";
export type Channel = "trades" | "quotes" | "corrections" | "cancels" | `bars.${BarKind}`;
export type Bar = {
    /**
     * start of the bar
     */
    ts: number;
    open: number;
    high: number;
    low: number;
    close: number;
    volume: number;
    trades: number;
    vwap: number;
    /**
     * false while the bar is still open
     */
    final: boolean;
};
export type Limits = {
    symbols: number;
    channels?: readonly Channel[];
    max_hz?: number;
    connections?: number;
    delay_ms?: number;
};
export type Welcome = {
    type: "welcome";
    epoch: string;
    offset: number;
    heartbeat_ms: number;
    limits?: Limits;
    server_ts?: number;
    market_ts?: number;
    speed?: number;
    auth?: {
        name: string;
        expires_at?: number;
    };
};
export type Trade = {
    type: "trade";
    symbol: string;
    seq: number;
    offset: number;
    ts: number;
    price: number;
    size: number;
    skipped?: number;
};
export type Quote = {
    type: "quote";
    symbol: string;
    seq: number;
    offset: number;
    ts: number;
    bid: number;
    bid_size: number;
    ask: number;
    ask_size: number;
    skipped?: number;
};
export type BarMessage = Bar & {
    type: "bar";
    symbol: string;
    interval: BarKind;
    seq: number;
    offset: number;
    skipped?: number;
};
export type Amendment = {
    symbol: string;
    seq: number;
    offset: number;
    ts: number;
    trade_seq: number;
    trade_ts: number;
    trade_price: number;
    trade_size: number;
    skipped?: undefined;
};
export type Correction = Amendment & {
    type: "correction";
    price: number;
    size: number;
};
export type Cancel = Amendment & {
    type: "cancel";
    kind: "cancel" | "error";
};
export type Snapshot = {
    type: "snapshot";
    symbol: string;
    offset: number;
    ts?: number;
    price?: number;
    size?: number;
    bid?: number;
    bid_size?: number;
    ask?: number;
    ask_size?: number;
    open?: number;
    high?: number;
    low?: number;
    prev_close?: number;
    volume?: number;
    seq: Record<string, number>;
};
export type Day = {
    type: "day";
    symbol: string;
    seq: number;
    offset: number;
    ts: number;
    prev_close: number;
};
export type Gap = {
    type: "gap";
    symbol: string;
    seq: number;
    offset: number;
    ts: number;
    since: number;
};
export type Subscribed = {
    type: "subscribed";
    id?: number | string;
    subscriptions: {
        symbol: string;
        channels: string[];
    }[];
    recovered?: boolean;
};
export type Lag = {
    type: "lag";
    skipped: number;
    since_offset: number;
};
export type Heartbeat = {
    type: "heartbeat";
    ts: number;
    offset: number;
};
export type Pong = {
    type: "pong";
    id?: number | string;
    ts: number;
    server_ts: number;
    market_ts?: number;
    offset: number;
};
export type ErrorMessage = {
    type: "error";
    id?: number | string;
    code: string;
    message: string;
    symbols?: string[];
    retry_after_ms?: number;
};
export type AuthExpiring = {
    type: "auth_expiring";
    expires_at: number;
};
export type Auth = {
    type: "auth";
    id?: number | string;
    name: string;
    expires_at?: number;
    limits?: Limits;
};
export type Epoch = {
    type: "epoch";
    epoch: string;
    offset: number;
    moved?: boolean;
};
export type Goodbye = {
    type: "goodbye";
    reason: string;
    retry_after_ms?: number;
};
export type FeedState = {
    type: "status";
    id?: string | number;
    feed: "running" | "paused" | "seeking" | "gap" | "ended" | "failed";
    epoch: string;
    offset: number;
    file_ts: number;
    from: number;
    to: number;
    speed: number;
    sought?: boolean;
    complaint?: string;
};
export type Transport = "websocket" | "sse" | "poll";
export type Open = {
    type: "open";
    transport: Transport;
    epoch: string;
    symbols_max: number;
};
export type Reset = {
    type: "reset";
    symbols: string[];
    reason: "restarted" | "evicted" | "moved";
};
export type Hole = {
    type: "hole";
    symbol: string;
    channel: Topic;
    from: number;
    to: number;
};
export type Suspect = {
    type: "suspect";
    symbol: string;
    channel: Channel;
    seq: number;
    reason: "crossed" | "zero";
};
export type Overflow = {
    type: "overflow";
    skipped: number;
};
export type Event = Trade | Quote | BarMessage | Correction | Cancel;
export type Numbered = Event | Day | Gap;
export type ServerMessage = Numbered | Welcome | Snapshot | Subscribed | Lag | Heartbeat | Pong | ErrorMessage | AuthExpiring | Auth | Epoch | Goodbye | FeedState;
export type Message = ServerMessage | Open | Reset | Hole | Suspect;
export type Topic = Channel | "day" | "gap";
export type Position = {
    epoch: string;
    offset: number;
};
export type Mode = "all" | "latest";
export type Request = {
    action: "subscribe" | "unsubscribe";
    symbols: string[];
    channels?: Channel[];
    mode?: Mode;
    max_hz?: number;
};
export type PollAnswer = Position & {
    cursor: string;
    recovered: boolean;
    messages: ServerMessage[];
};
export type Problem = {
    type?: string;
    title?: string;
    status?: number;
    detail?: string;
    code?: string;
    symbols?: string[];
};
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
export declare const SUBPROTOCOL = "tickcast.v1.json";
/** The "symbol" of a subscription to every symbol. */
export declare const EVERY = "*";
/** @type {readonly Interval[]} */
export declare const INTERVALS: readonly Interval[];
/**
 * Returns the channel that an event came on.
 * @param {Event} event
 * @returns {Channel}
 */
export declare function channelOf(event: Event): Channel;
/**
 * Returns whether a message is a market event, which carries a `seq` and an `offset` and is subscribed to by a channel.
 * @param {Message} message
 * @returns {message is Event}
 */
export declare function isEvent(message: Message): message is Event;
/**
 * Returns whether a message is numbered in its topic.
 * @param {Message} message
 * @returns {message is Numbered}
 */
export declare function isNumbered(message: Message): message is Numbered;
/** Returns the topic of a numbered message, without its symbol. @param {Numbered} message @returns {Topic} */
export declare function topicOf(message: Numbered): Topic;
/**
 * Returns a warning of an event with values that cannot be right.
 * @param {Event} event
 * @returns {Suspect | null}
 */
export declare function suspicionOf(event: Event): Suspect | null;
/**
 * Reads a frame: an array of messages.
 * @param {string} text
 * @returns {ServerMessage[]}
 * @throws {SyntaxError} if it is none, or if a message lacks a key
 */
export declare function readFrame(text: string): ServerMessage[];
/** Checks that a message has every key that this client reads. @param {Record<string, unknown>} message @throws {SyntaxError} */
export declare function checkMessage(message: Record<string, unknown>): void;
/** @param {Partial<PollAnswer> | null} answer over HTTP @param {readonly (keyof PollAnswer)[]} keys that it must have @throws {SyntaxError} */
export declare function checkAnswer(answer: Partial<PollAnswer> | null, keys: readonly (keyof PollAnswer)[]): void;
/** Returns a cursor as a query parameter. @param {Position} position */
export declare function cursorText({ epoch, offset }: Position): string;
/** Reads the text of a cursor; null if it is none. @param {string} text @returns {Position | null} */
export declare function cursorOf(text: string): Position | null;
