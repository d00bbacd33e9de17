/**
 * How far a client has got in the stream: its subscriptions, the run of the server, the cursor. It outlives connections.
 *
 * Owns: the cursor. Does not own: connections, or the check of single events (`gate.js`).
 */
import { Gate } from "./gate.js";
import { Wishes } from "./wishes.js";
export type Channel = import("./protocol.js").Channel;
export type Position = import("./protocol.js").Position;
export type Reset = import("./protocol.js").Reset;
export type Wanted = import("./wishes.js").Wanted;
/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./protocol.js").Position} Position */
/** @typedef {import("./protocol.js").Reset} Reset */
/** @typedef {import("./wishes.js").Wanted} Wanted */
export declare class Place {
    #private;
    wishes: Wishes;
    gate: Gate;
    /** The run of the server; empty before the first answer. */
    epoch: string;
    /** @param {(reset: Reset) => void} onReset events are lost */
    constructor(onReset: (reset: Reset) => void);
    /** The cursor, null before the first one. @returns {Position | null} */
    get cursor(): Position | null;
    /** Forgets the topics that are no longer wanted: should they be wanted again, they begin with a snapshot. */
    update(): void;
    /** Returns the offset after which topics are resumed; null if they have no past. @param {string} symbol @param {Channel[]} channels @param {"all" | "latest"} mode */
    afterOf(symbol: string, channels: Channel[], mode: "all" | "latest"): number | null;
    /** Notes which run of the server answers. @param {string} epoch */
    meet(epoch: string): void;
    /** Drops the cursor, because the server has another epoch, or will have. */
    restart(): void;
    /**
     * The stream goes on under another name. If the market has moved to another time, what was before is lost; `seq` and what a `lag` has announced go on.
     * @param {import("./protocol.js").Epoch} message @param {unknown} source what has brought it, and brings the snapshots
     * @param {readonly string[]} symbols to which it is subscribed
     */
    moveTo({ epoch, moved }: import("./protocol.js").Epoch, source: unknown, symbols: readonly string[]): void;
    /** Begins a cursor, if there is none. @param {{ offset: number }} position */
    start({ offset }: {
        offset: number;
    }): void;
    /** Moves the cursor. @param {number} offset every event up to it has come @param {boolean} isExact also those that a rate holds back */
    reached(offset: number, isExact: boolean): void;
    /** Reports topics whose events after the cursor are lost, and forgets them. @param {readonly string[]} symbols @param {readonly Channel[]} channels */
    lose(symbols: readonly string[], channels: readonly Channel[]): void;
}
/** Returns the present time, in microseconds since 1970. */
export declare function received(): number;
