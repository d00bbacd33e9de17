/**
 * Finds a connection that is open and has heartbeats, but brings no events although there are some: after a silence it compares the
 * numbers of the last events with those of the server's snapshots.
 *
 * Owns: the silence of events of one connection. Does not own: the silence of a connection that has no heartbeats either (`tickcast.js`).
 */
export type Core = import("./core.js").Core;
export type Snapshot = import("./protocol.js").Snapshot;
export type Topic = import("./protocol.js").Topic;
export type Scope = {
    symbols: readonly string[];
    has: (symbol: string, topic: Topic) => boolean;
};
export declare class Audit {
    #private;
    /** @param {Core} core @param {() => Scope} scopeOf @param {() => void} onBehind events are missing */
    constructor(core: Core, scopeOf: () => Scope, onBehind: () => void);
    /** Notes an event. */
    hear(): void;
    /** @param {number} now_ms @param {number} quiet_ms how long no event may come without a question */
    check(now_ms: number, quiet_ms: number): void;
}
