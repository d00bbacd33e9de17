/**
 * The options and the status of a client, and what its listeners are given.
 *
 * Owns: these types, the defaults, and the times that are no options.
 */
export type Failure = import("./closing.js").Failure;
export type Channel = import("./protocol.js").Channel;
export type FeedState = import("./protocol.js").FeedState;
export type Message = import("./protocol.js").Message;
export type Transport = import("./protocol.js").Transport;
export type Options = {
    /**
     * the transports that may be used, the best one first; all by default
     */
    transports?: readonly Transport[];
    /**
     * what the server does if this client is too slow; `catch_up` by default
     */
    on_lag?: "catch_up" | "close";
    /**
     * gives the secret of a key, or another token, of a server that asks for
     * one; null for none. Called for each connection, and when the server says that the key ends soon
     */
    token?: () => string | null | Promise<string | null>;
    /**
     * the name of a traffic account of the server
     */
    account?: string;
    /**
     * the time between two pings over a WebSocket, 5 s by default; 0: only `ping()` sends any
     */
    ping_ms?: number;
    /**
     * a connection is given up after this many times the server's `heartbeat_ms` of silence; 2 by default
     */
    silence_heartbeats?: number;
    /**
     * after this time without an event the last ones are compared with the server's snapshots, at the latest after the silence above
     */
    quiet_ms?: number;
    /**
     * how often a better transport is tried again while a worse one is in use; 60 s by default
     */
    upgrade_ms?: number;
    /**
     * how long a connection may take to be ready; 10 s by default
     */
    connect_timeout_ms?: number;
    /**
     * where there is no global one (Node before 22)
     */
    WebSocket?: new (url: string, protocols: string | string[]) => WebSocket;
    fetch?: typeof globalThis.fetch;
    /**
     * from 0 up to 1
     */
    random?: () => number;
};
export type Status = {
    /**
     * `closed`: no attempt follows
     */
    state: "idle" | "connecting" | "live" | "reconnecting" | "closed";
    /**
     * the one in use or being tried
     */
    transport: Transport | null;
    /**
     * when the next attempt begins, as `performance.now()` counts; null during an attempt
     */
    retry_at_ms: number | null;
    /**
     * why the last connection has ended; null when live
     */
    failure: Failure | null;
    /**
     * whether the best transport did not get through
     */
    isFallback: boolean;
};
export type SubscribeOptions = {
    channels?: Iterable<Channel>;
    mode?: "all" | "latest";
    max_hz?: number;
};
export type Messages = {
    [Type in Exclude<Message["type"], "status">]: Extract<Message, {
        type: Type;
    }>;
};
export type Happenings = Messages & {
    message: Message;
    batch: {
        messages: readonly Message[];
        received_us: number;
    };
    status: Status;
    feed: FeedState;
};
/** @typedef {import("./closing.js").Failure} Failure */
/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").FeedState} FeedState */
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Transport} Transport */
/**
 * @typedef {object} Options
 * @property {readonly Transport[]} [transports] the transports that may be used, the best one first; all by default
 * @property {"catch_up" | "close"} [on_lag] what the server does if this client is too slow; `catch_up` by default
 * @property {() => string | null | Promise<string | null>} [token] gives the secret of a key, or another token, of a server that asks for
 *   one; null for none. Called for each connection, and when the server says that the key ends soon
 * @property {string} [account] the name of a traffic account of the server
 * @property {number} [ping_ms] the time between two pings over a WebSocket, 5 s by default; 0: only `ping()` sends any
 * @property {number} [silence_heartbeats] a connection is given up after this many times the server's `heartbeat_ms` of silence; 2 by default
 * @property {number} [quiet_ms] after this time without an event the last ones are compared with the server's snapshots, at the latest after the silence above
 * @property {number} [upgrade_ms] how often a better transport is tried again while a worse one is in use; 60 s by default
 * @property {number} [connect_timeout_ms] how long a connection may take to be ready; 10 s by default
 * @property {new (url: string, protocols: string | string[]) => WebSocket} [WebSocket] where there is no global one (Node before 22)
 * @property {typeof globalThis.fetch} [fetch]
 * @property {() => number} [random] from 0 up to 1
 */
/**
 * @typedef {object} Status
 * @property {"idle" | "connecting" | "live" | "reconnecting" | "closed"} state `closed`: no attempt follows
 * @property {Transport | null} transport the one in use or being tried
 * @property {number | null} retry_at_ms when the next attempt begins, as `performance.now()` counts; null during an attempt
 * @property {Failure | null} failure why the last connection has ended; null when live
 * @property {boolean} isFallback whether the best transport did not get through
 */
/** @typedef {{ channels?: Iterable<Channel>, mode?: "all" | "latest", max_hz?: number }} SubscribeOptions `channels`: `trades` by default; `mode`: `all`, or `latest` if there is a `max_hz` */
/** @typedef {{ [Type in Exclude<Message["type"], "status">]: Extract<Message, { type: Type }> }} Messages */
/** @typedef {Messages & { message: Message, batch: { messages: readonly Message[], received_us: number }, status: Status, feed: FeedState }} Happenings `feed`: the message `status` of a replay */
export declare const DEFAULTS: {
    transports: readonly Transport[];
    ping_ms: number;
    silence_heartbeats: number;
    quiet_ms: number;
    upgrade_ms: number;
    connect_timeout_ms: number;
    random: () => number;
};
export declare const CHECK_MS = 250;
/** A check that is so late means that the machine or the page was suspended. */
export declare const LATE_MS = 1500;
/** After a connection that lived this long the delays start from the shortest. */
export declare const HELD_MS = 5000;
/** Before the server has named its own. */
export declare const HEARTBEAT_MS = 15000;
