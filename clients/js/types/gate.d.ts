/**
 * Lets each message through once, in the order of its topic, and detects missing ones: the `seq` of a topic grows by one, or by one
 * more than `skipped`, or by as many as a `lag` has announced.
 *
 * Owns: the last `seq` of each topic. Does not own: the subscriptions (`wishes.js`), or fetching what is missing (`tickcast.js`).
 * A topic counts from the first snapshot of its symbol after the subscription.
 */
export type Hole = import("./protocol.js").Hole;
export type Numbered = import("./protocol.js").Numbered;
export type ServerMessage = import("./protocol.js").ServerMessage;
export type Snapshot = import("./protocol.js").Snapshot;
export type Topic = import("./protocol.js").Topic;
export type Wishes = import("./wishes.js").Wishes;
export type Place = {
    seq: number;
    offset: number;
};
export declare class Gate {
    #private;
    /** @param {Wishes} wishes */
    constructor(wishes: Wishes);
    /** Returns whether these topics continue a stream: their last events are known. @param {string} symbol @param {Iterable<Topic>} channels */
    has(symbol: string, channels: Iterable<Topic>): boolean;
    /** Returns whether the last event of any of these topics is known; of `"*"`, of any symbol whose channel is not subscribed by name. @param {string} symbol @param {Iterable<Topic>} channels */
    knows(symbol: string, channels: Iterable<Topic>): boolean;
    /** Returns the offset from which a symbol must be fetched again to fill its hole. @param {string} symbol */
    floorOf(symbol: string): number;
    /** Expects a snapshot of each of these symbols. @param {readonly string[]} symbols */
    await(symbols: readonly string[]): void;
    /** Expects snapshots of symbols that `"*"` has not included so far. */
    extend(): void;
    /** Expects nothing that an ended connection has not sent. */
    disconnect(): void;
    /** Notes that every snapshot of `"*"` has come. */
    settle(): void;
    /** Forgets a symbol (`"*"`: every one that is not subscribed by name), or some of its channels. @param {string} symbol @param {Iterable<Topic>} [channels] */
    forget(symbol: string, channels?: Iterable<Topic>): void;
    /** Forgets everything, as after a restart of the server. Returns whether a stream was interrupted. */
    clear(): boolean;
    /**
     * Judges a message: `pass`; `drop`, a repeat or not subscribed; `hole`, events before it are missing.
     * @param {ServerMessage} message
     * @returns {"pass" | "drop" | "hole" | Hole} the hole to announce before the message, after which it passes
     */
    judge(message: ServerMessage): "pass" | "drop" | "hole" | Hole;
    /** Returns whether a snapshot includes events that have not come. Topics in mode `latest` do not count, as a rate may hold their events back. @param {Snapshot} snapshot */
    isAhead(snapshot: Snapshot): boolean;
    /**
     * Returns the topics whose events up to these snapshots have not come, and lets them be fetched from where they stopped. Topics in
     * mode `latest` are left out, as a rate may hold their events back.
     * @param {readonly Snapshot[]} snapshots
     * @param {(symbol: string, topic: Topic) => boolean} [has] the topics in question
     */
    behind(snapshots: readonly Snapshot[], has?: (symbol: string, topic: Topic) => boolean): string[];
}
