/**
 * What a connection needs of its client, and the client of its connection.
 *
 * Owns: these two interfaces. They are implemented in `tickcast.js`, and in `websocket.js` and `lines.js`.
 */
export type Failure = import("./closing.js").Failure;
export type ServerMessage = import("./protocol.js").ServerMessage;
export type Transport = import("./protocol.js").Transport;
export type Told = {
    heartbeat_ms?: number;
    limits?: import("./protocol.js").Limits;
};
export type Core = {
    place: import("./place.js").Place;
    fetch: typeof globalThis.fetch;
    /**
     * the token of this connection; null if the application gives none
     */
    token: (() => string | null | Promise<string | null>) | null;
    /**
     * lets the next call of `token` ask the application
     */
    forgetToken: () => void;
    /**
     * the name of the server's traffic account
     */
    account: string | undefined;
    lagOption: {
        on_lag?: "close";
    };
    urlOf: (path: string, isSocket?: boolean) => string;
    /**
     * the present time, in microseconds since 1970
     */
    received: () => number;
    /**
     * the connection is ready, or is told other limits; calls `update` if it was not
     */
    enter: (link: Link, welcome?: Told) => void;
    /**
     * counts the text of messages
     */
    weigh: (bytes: number) => void;
    /**
     * returns false if the connection
     * was given up; `source` is what awaits the snapshots among them, the link itself if it is left out
     */
    take: (link: Link, messages: readonly ServerMessage[], received_us: number, source?: unknown) => boolean;
    /**
     * a request over HTTP was refused
     */
    refuse: (error: import("./protocol.js").ErrorMessage) => void;
    /**
     * the connection has ended
     */
    fail: (link: Link, failure: Failure) => void;
    /**
     * an error of this library: ends the client
     */
    crash: (error: unknown) => void;
};
export type Link = {
    transport: Transport;
    isReady: boolean;
    /**
     * makes the subscriptions the wanted ones
     */
    update: () => void;
    /**
     * subscribes to everything again
     */
    refresh: () => void;
    ping: () => void;
    /**
     * how long the server owes an answer
     */
    owedFor: (now_ms: number) => number;
    /**
     * how long the most silent part of the connection has brought nothing, not even a heartbeat
     */
    silentFor: (now_ms: number) => number;
    /**
     * fails if no event comes although there are some
     */
    audit: (now_ms: number, quiet_ms: number) => void;
    /**
     * takes a message that concerns the connection; whether the application is to see it
     */
    control: (message: ServerMessage) => boolean;
    passed: (message: ServerMessage) => void;
    /**
     * abandons the connection
     */
    leave: () => void;
    close: () => Promise<void>;
};
/** @typedef {import("./closing.js").Failure} Failure */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./protocol.js").Transport} Transport */
/** @typedef {{ heartbeat_ms?: number, limits?: import("./protocol.js").Limits }} Told what a `welcome` and an `auth` tell of the connection */
/**
 * @typedef {object} Core
 * @property {import("./place.js").Place} place
 * @property {typeof globalThis.fetch} fetch
 * @property {(() => string | null | Promise<string | null>) | null} token the token of this connection; null if the application gives none
 * @property {() => void} forgetToken lets the next call of `token` ask the application
 * @property {string | undefined} account the name of the server's traffic account
 * @property {{ on_lag?: "close" }} lagOption
 * @property {(path: string, isSocket?: boolean) => string} urlOf
 * @property {() => number} received the present time, in microseconds since 1970
 * @property {(link: Link, welcome?: Told) => void} enter the connection is ready, or is told other limits; calls `update` if it was not
 * @property {(bytes: number) => void} weigh counts the text of messages
 * @property {(link: Link, messages: readonly ServerMessage[], received_us: number, source?: unknown) => boolean} take returns false if the connection
 *   was given up; `source` is what awaits the snapshots among them, the link itself if it is left out
 * @property {(error: import("./protocol.js").ErrorMessage) => void} refuse a request over HTTP was refused
 * @property {(link: Link, failure: Failure) => void} fail the connection has ended
 * @property {(error: unknown) => void} crash an error of this library: ends the client
 */
/**
 * @typedef {object} Link
 * @property {Transport} transport
 * @property {boolean} isReady
 * @property {() => void} update makes the subscriptions the wanted ones
 * @property {() => void} refresh subscribes to everything again
 * @property {() => void} ping
 * @property {(now_ms: number) => number} owedFor how long the server owes an answer
 * @property {(now_ms: number) => number} silentFor how long the most silent part of the connection has brought nothing, not even a heartbeat
 * @property {(now_ms: number, quiet_ms: number) => void} audit fails if no event comes although there are some
 * @property {(message: ServerMessage) => boolean} control takes a message that concerns the connection; whether the application is to see it
 * @property {(message: ServerMessage) => void} passed
 * @property {() => void} leave abandons the connection
 * @property {() => Promise<void>} close
 */
export {};
