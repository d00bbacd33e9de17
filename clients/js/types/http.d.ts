/**
 * Requests over HTTP: a JSON answer, and a stream of server-sent events. It is read with `fetch`, because Node has no `EventSource`,
 * and because an `EventSource` hides the status of an answer.
 *
 * Owns: requests, their timeouts, and the format of the stream. Does not own: the meaning of the messages (`lines.js`).
 */
export type Failure = import("./closing.js").Failure;
export type Problem = import("./protocol.js").Problem;
export type Fetch = typeof globalThis.fetch;
/** Returns the address below which everything of a server is. @param {string | URL} url */
export declare function baseOf(url: string | URL): URL;
/** Returns an address of the server. @param {URL} base @param {string} path @param {string | null} [account] of a WebSocket; undefined for HTTP */
export declare function addressOf(base: URL, path: string, account?: string | null): string;
/** A request that failed, with the problem document of the server if it has sent one. */
export declare class RequestError extends Error {
    failure: import("./closing.js").Failure;
    problem: import("./protocol.js").Problem | null;
    /** @param {Failure} failure @param {Problem | null} [problem] */
    constructor(failure: Failure, problem?: Problem | null);
}
/**
 * Fetches JSON.
 * @template T the type of the answer
 * @param {Fetch} fetch @param {string} url @param {AbortSignal} signal @param {number} timeout_ms
 * @param {(text: string) => void} [onText] is given the text of the answer
 * @returns {Promise<T>}
 * @throws {RequestError}
 */
export declare function fetchJson<T>(fetch: Fetch, url: string, signal: AbortSignal, timeout_ms: number, onText?: (text: string) => void): Promise<T>;
export type StreamEvent = {
    /**
     * null for a comment
     */
    data: string | null;
    /**
     * the cursor; null if there was none
     */
    id: string | null;
};
/**
 * @typedef {object} StreamEvent
 * @property {string | null} data null for a comment
 * @property {string | null} id the cursor; null if there was none
 */
/**
 * Reads a stream of server-sent events until its end.
 * @param {Fetch} fetch @param {string} url @param {AbortSignal} signal @param {number} timeout_ms until the head of the answer
 * @param {(event: StreamEvent) => void} onEvent also called for comments
 * @throws {RequestError}
 */
export declare function readStream(fetch: Fetch, url: string, signal: AbortSignal, timeout_ms: number, onEvent: (event: StreamEvent) => void): Promise<void>;
/** Splits the text of a stream into its events (WHATWG HTML, section 9.2.6). */
export declare class EventParser {
    #private;
    /** @param {(event: StreamEvent) => void} onEvent */
    constructor(onEvent: (event: StreamEvent) => void);
    /** @param {string} text */
    push(text: string): void;
}
