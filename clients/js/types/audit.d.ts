/**
 * Finds a connection that is open and answers pings, but brings no events although there are some: after a silence it compares the
 * numbers of the last events with those of the server's snapshots.
 *
 * Owns: the silence of events. Does not own: other silence, and reconnecting (`tickcast.js`).
 */
export type Core = import("./core.js").Core;
export type Snapshot = import("./protocol.js").Snapshot;
export declare class Audit {
    #private;
    /** @param {Core} core @param {() => void} onBehind events are missing */
    constructor(core: Core, onBehind: () => void);
    /** Notes an event, or a new connection. */
    hear(): void;
    /** @param {number} now_ms @param {number} quiet_ms how long no event may come without a question */
    check(now_ms: number, quiet_ms: number): void;
}
