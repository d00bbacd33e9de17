/**
 * The client of a tickcast server: prices by WebSocket, or by server-sent events or long polling where no WebSocket gets through.
 *
 * Owns: which transport is used and when it is tried again, and the watchdog. Does not own: connections (`websocket.js`, `lines.js`),
 * the check that no event is missing or repeated (`gate.js`), the application's listeners (`audience.js`).
 */
import { ClosedError } from "./closing.js";
export { ClosedError };
export type Failure = import("./closing.js").Failure;
export type Core = import("./core.js").Core;
export type Link = import("./core.js").Link;
export type Message = import("./protocol.js").Message;
export type Position = import("./protocol.js").Position;
export type ServerMessage = import("./protocol.js").ServerMessage;
export type Transport = import("./protocol.js").Transport;
export type Happenings = import("./options.js").Happenings;
export type Options = import("./options.js").Options;
export type Status = import("./options.js").Status;
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
export declare function connect(url: string | URL, options?: Options): Client;
export declare class Client {
    #private;
    /** @type {Status} */
    status: Status;
    /** What the server has permitted last, in a `welcome` or an `auth`; null before. @type {import("./protocol.js").Limits | null} */
    limits: import("./protocol.js").Limits | null;
    /** The length of the messages received so far, in bytes, without what carries them: heads, frames, TLS. */
    bytes: number;
    /** @param {string | URL} url the address of the server, with its base path @param {Options} [options] */
    constructor(url: string | URL, options?: Options);
    /** The most symbols of one connection. */
    get symbols_max(): number;
    /** The run of the server that the last connection had; empty before the first. */
    get epoch(): string;
    /** The cursor: every event up to it has come. Null before the first snapshots. @returns {Position | null} */
    get cursor(): Position | null;
    /** Connects, if there is no connection and none is being opened. Ends a delay. */
    connect(): void;
    /** Abandons the connection and opens another one at once, which resumes where this one was. */
    reconnect(): void;
    /** Permits these transports only, the best one first. If it is not the one in use, it takes over at once, and resumes. @param {readonly Transport[]} transports */
    use(transports: readonly Transport[]): void;
    /** Abandons the connection until `connect` is called. The cursor is kept. */
    pause(): void;
    /**
     * Subscribes, now and on every later connection. A topic that is subscribed already gets the new mode.
     * @param {string | Iterable<string>} symbols `"*"` for all
     * @param {import("./options.js").SubscribeOptions} [options]
     */
    subscribe(symbols: string | Iterable<string>, { channels, max_hz, mode }?: import("./options.js").SubscribeOptions): void;
    /** Replaces all subscriptions; the connection is told what differs. @param {Iterable<[symbols: string | Iterable<string>, options?: import("./options.js").SubscribeOptions]>} subscriptions */
    replace(subscriptions: Iterable<[symbols: string | Iterable<string>, options?: import("./options.js").SubscribeOptions]>): void;
    /** Ends subscriptions; of all channels if none is named. @param {string | Iterable<string>} symbols @param {{ channels?: Iterable<import("./protocol.js").Channel> }} [options] */
    unsubscribe(symbols: string | Iterable<string>, { channels }?: {
        channels?: Iterable<import("./protocol.js").Channel>;
    }): void;
    /** Requests a snapshot of every subscribed symbol. */
    refresh(): void;
    /** Sends a ping, if the connection is a WebSocket; a `pong` answers it. */
    ping(): void;
    /**
     * Calls a function for each message of a type; `message`: of every type; `batch`: once for all messages that came together;
     * `status`: when the status has changed; `feed`: for each message `status` of a replay. Returns a function that ends this.
     * @template {keyof Happenings} Name
     * @param {Name} name
     * @param {(value: Happenings[Name]) => void} listener
     * @returns {() => void}
     */
    on<Name extends keyof Happenings>(name: Name, listener: (value: Happenings[Name]) => void): () => void;
    /**
     * Returns the messages from now on. If it is not read, it keeps the newest `queue_max` and reports the others as `overflow`.
     * It ends when the client is closed, and throws a `ClosedError` if the server has closed it for good, or an error of this library.
     * @param {{ queue_max?: number }} [options] 10,000 by default
     */
    messages({ queue_max }?: {
        queue_max?: number;
    }): import("./queue.js").MessageQueue;
    [Symbol.asyncIterator](): import("./queue.js").MessageQueue;
    /** Ends the subscriptions and the connection. Resolves when the server has answered, or after two seconds. */
    close(): Promise<void>;
}
