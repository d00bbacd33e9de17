/**
 * The delay before the next attempt to connect: exponential backoff with an upper bound, and jitter, without which thousands of
 * clients would reconnect at the same moment.
 *
 * Owns: the sequence of delays. Does not own: timers (`tickcast.js`). Pure: randomness is injected.
 */
/** The longest delay that a server may demand. */
export declare const TOLD_MS_MAX = 300000;
export declare class Backoff {
    #private;
    /** @param {() => number} random from 0 up to 1 */
    constructor(random?: () => number);
    /** Starts again with the first delay. Call it after a connection that held. */
    reset(): void;
    /** Takes the delay that a `goodbye` or `Retry-After` demands: the next delay is at least as long. @param {number} delay_ms */
    tell(delay_ms: number): void;
    /**
     * Returns the next delay in milliseconds: from half the bound of this attempt, or the demanded delay, by up to half the bound more.
     * @param {number} [least_ms] the least delay that the close code allows
     */
    next(least_ms?: number): number;
}
