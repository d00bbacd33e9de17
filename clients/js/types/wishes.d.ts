/**
 * The subscriptions that the application wants, and the requests that change those of a connection into them.
 *
 * Owns: both. Does not own: sending the requests (`websocket.js`, `streams.js`). Pure.
 */
export type Channel = import("./protocol.js").Channel;
export type Mode = import("./protocol.js").Mode;
export type Topic = import("./protocol.js").Topic;
export type Way = {
    mode: Mode;
    max_hz?: number;
};
export type Wanted = ReadonlyMap<string, ReadonlyMap<Channel, Way>>;
export type Group = Way & {
    symbols: string[];
    channels: Channel[];
};
export declare class Wishes {
    #private;
    /** @param {Iterable<string>} symbols @param {Iterable<Channel>} channels @param {Way} way */
    add(symbols: Iterable<string>, channels: Iterable<Channel>, way: Way): void;
    /** Removes all channels if none is named. @param {Iterable<string>} symbols @param {Iterable<Channel>} [channels] */
    remove(symbols: Iterable<string>, channels?: Iterable<Channel>): void;
    /** Removes everything. */
    clear(): void;
    /** Leaves out symbols that the server does not trade, until its next run. @param {readonly string[]} symbols */
    exclude(symbols: readonly string[]): void;
    /** Includes all symbols again: the next run of the server may trade others. */
    include(): void;
    /** The channels that are wanted of a symbol by its name. @param {string} symbol @returns {ReadonlySet<Topic>} */
    channelsOf(symbol: string): ReadonlySet<Topic>;
    /** Returns whether every event of a topic is wanted. @param {string} symbol @param {Topic} topic */
    isWhole(symbol: string, topic: Topic): boolean;
    /** What is wanted of the server's present run. The maps are never changed. @returns {Wanted} */
    get wanted(): Wanted;
}
/**
 * Returns topics as groups with the same channels and the same way, in the order of the symbols. `"*"` is a group of its own.
 * @param {Wanted} wanted
 * @param {(symbol: string, channel: Channel, way: Way) => unknown} [apart] topics for which it returns something else are in another group
 * @returns {Group[]}
 */
export declare function groupsOf(wanted: Wanted, apart?: (symbol: string, channel: Channel, way: Way) => unknown): Group[];
/**
 * Returns what must be removed from the subscriptions `asked`, and what must be added, so that they become `wanted`.
 * @param {Wanted} asked
 * @param {Wanted} wanted
 * @returns {{ removed: Map<string, Channel[]>, added: Wanted }}
 */
export declare function changesOf(asked: Wanted, wanted: Wanted): {
    removed: Map<string, Channel[]>;
    added: Wanted;
};
/**
 * Returns subscriptions without these topics; without all channels of the symbols if none is named.
 * @param {Wanted} asked
 * @param {readonly string[]} symbols
 * @param {readonly Channel[]} [channels]
 * @returns {Wanted}
 */
export declare function without(asked: Wanted, symbols: readonly string[], channels?: readonly Channel[]): Wanted;
/**
 * Returns those of the subscriptions that a group names, in its way.
 * @param {Wanted} asked
 * @param {Group} group
 * @returns {Wanted}
 */
export declare function among(asked: Wanted, { symbols, channels, ...way }: Group): Wanted;
/** Returns symbols as the server names them. @param {string | Iterable<string>} symbols */
export declare function namesOf(symbols: string | Iterable<string>): string[];
