/**
 * Lets each message through once, in the order of its topic, and detects missing ones: the `seq` of a topic grows by one, or by one
 * more than `skipped`, or by as many as a `lag` has announced.
 *
 * Owns: the last `seq` of each topic. Does not own: the subscriptions (`wishes.js`), or fetching what is missing (`tickcast.js`).
 * A topic counts from the snapshot that its own request has brought: that of another one may be older than the subscription. A symbol that
 * the server has met since the snapshots of `"*"` came has none, and counts from 1.
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
export type Awaited = {
    /**
     * what brings them: a WebSocket, or a line
     */
    source: unknown;
    /**
     * without a snapshot so far; null for `"*"`
     */
    symbols: Set<string> | null;
    /**
     * of the request: its snapshots begin these topics only
     */
    channels: Set<Topic>;
    /**
     * of `"*"`: the symbols whose snapshot has come
     */
    seen: Set<string>;
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
    /** Expects a snapshot of each of these symbols, which begins these channels. @param {readonly string[]} symbols @param {Iterable<Topic>} channels @param {unknown} [source] what brings them */
    await(symbols: readonly string[], channels: Iterable<Topic>, source?: unknown): void;
    /** Expects snapshots of symbols that `"*"` has not included so far. @param {unknown} [source] what brings them */
    extend(source?: unknown): void;
    /** Expects another snapshot of each of these symbols (`"*"`: of all that are known), which begins no topic: the market has moved to another time. @param {readonly string[]} symbols @param {unknown} source what brings them */
    move(symbols: readonly string[], source: unknown): void;
    /** Expects nothing that an ended connection has not sent. A symbol that was not shown after a move is not resumed: it begins with a snapshot. */
    disconnect(): void;
    /** Notes that every snapshot of `"*"` has come. @param {unknown} [source] what has brought them */
    settle(source?: unknown): void;
    /** Forgets a symbol (`"*"`: every one that is not subscribed by name), or some of its channels. @param {string} symbol @param {Iterable<Topic>} [channels] */
    forget(symbol: string, channels?: Iterable<Topic>): void;
    /** Forgets everything, as after a restart of the server. Returns whether a stream was interrupted. */
    clear(): boolean;
    /**
     * Judges a message: `pass`; `drop`, a repeat or not subscribed; `hole`, events before it are missing.
     * @param {ServerMessage} message
     * @param {unknown} [source] what has brought it, as in `await`
     * @returns {"pass" | "drop" | "hole" | Hole} the hole to announce before the message, after which it passes
     */
    judge(message: ServerMessage, source?: unknown): "pass" | "drop" | "hole" | Hole;
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
