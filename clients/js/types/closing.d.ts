/**
 * The end of a session: whether and when a client reconnects, and whether its cursor is still valid. The table is that of
 * docs/PROTOCOL.md, "The end of a session"; a test compares the two.
 *
 * Owns: the table, and the causes why a connection has ended. Does not own: the growth of delays (`backoff.js`).
 */
export type Advice = {
    /**
     * false: the server would close the next connection for the same reason
     */
    reconnects: boolean;
    /**
     * the least delay before the first attempt
     */
    delay_ms: number;
    /**
     * false: the server's next run has another epoch, so that the cursor is void
     */
    keepsCursor: boolean;
};
export type Cause = "closed" | "refused" | "unreachable" | "silent" | "late" | "buffered" | "garbage" | "hole" | "asked" | "token";
export type Failure = {
    cause: Cause;
    /**
     * the close code, 1006 if there was none
     */
    code?: number;
    /**
     * the server's
     */
    reason?: string;
    /**
     * of HTTP
     */
    status?: number;
    /**
     * the delay that the server demands
     */
    retry_after_ms?: number;
    /**
     * of `silent`: heartbeats or pongs came, but the server has events that did not
     */
    isMute?: boolean;
    /**
     * whether the next transport may get through where this one did not
     */
    isBlocked?: boolean;
};
/**
 * @typedef {object} Advice
 * @property {boolean} reconnects false: the server would close the next connection for the same reason
 * @property {number} delay_ms the least delay before the first attempt
 * @property {boolean} keepsCursor false: the server's next run has another epoch, so that the cursor is void
 */
/**
 * Why a connection has ended, or was not opened.
 * - `closed`: with a close code, or with the `goodbye` of a stream
 * - `refused`: the handshake or the request was answered with an error status
 * - `unreachable`: no answer
 * - `silent`: nothing came for too long; `late`: a request was not answered
 * - `buffered`: a proxy holds a stream back
 * - `garbage`: a message could not be read
 * - `hole`: events are missing that the server has not announced; they are fetched by reconnecting
 * - `asked`: the application has asked for a new connection
 * - `token`: the application has given no token, but an error
 * @typedef {"closed" | "refused" | "unreachable" | "silent" | "late" | "buffered" | "garbage" | "hole" | "asked" | "token"} Cause
 */
/**
 * @typedef {object} Failure
 * @property {Cause} cause
 * @property {number} [code] the close code, 1006 if there was none
 * @property {string} [reason] the server's
 * @property {number} [status] of HTTP
 * @property {number} [retry_after_ms] the delay that the server demands
 * @property {boolean} [isMute] of `silent`: heartbeats or pongs came, but the server has events that did not
 * @property {boolean} [isBlocked] whether the next transport may get through where this one did not
 */
/** The code that browsers report when the connection has ended without a close frame. */
export declare const ABNORMAL = 1006;
/** Returns the advice for a close code. @param {number} code @returns {Advice} */
export declare function adviceOf(code: number): Advice;
/** Returns the close code for the reason of a `goodbye`; 1006 for one without a code, as `full`. @param {string} reason */
export declare function codeOf(reason: string): number;
/** The server would close the next connection for the same reason, or the client was closed. */
export declare class ClosedError extends Error {
    failure: Failure;
    /** @param {Failure} failure */
    constructor(failure: Failure);
}
