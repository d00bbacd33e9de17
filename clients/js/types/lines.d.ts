/**
 * Subscriptions over HTTP, as server-sent events or long polls: one line for each group of topics that one request can name.
 *
 * Owns: the lines and their cursors. Does not own: reconnecting (`tickcast.js`), the check of events (`gate.js`).
 *
 * A line cannot change its topics. So when subscriptions change, a short poll fetches the snapshots of new topics, and the lines that
 * changed begin anew at the oldest cursor; the gate drops what comes twice.
 */
import { Audit } from "./audit.js";
export type Core = import("./core.js").Core;
export type PollAnswer = import("./protocol.js").PollAnswer;
export type Position = import("./protocol.js").Position;
export type ServerMessage = import("./protocol.js").ServerMessage;
export type Group = import("./wishes.js").Group;
export type Line = {
    group: Group;
    stop: AbortController;
    /**
     * null before the snapshots
     */
    cursor: Position | null;
    heard_ms: number;
    audit: Audit;
    /**
     * fresh snapshots that include events which have not come yet
     */
    early: PollAnswer | null;
};
export declare class LineLink {
    #private;
    transport: "poll" | "sse";
    isReady: boolean;
    /** @param {Core} core @param {"sse" | "poll"} transport */
    constructor(core: Core, transport: "sse" | "poll");
    /** Makes the lines those of the wanted subscriptions. */
    update(): void;
    /** Fetches a snapshot of each symbol. */
    refresh(): void;
    /** Takes the messages that concern the connection. @param {ServerMessage} message @returns {boolean} whether the application is to see it */
    control(message: ServerMessage): boolean;
    passed(): void;
    ping(): void;
    /** A request has a timeout of its own. */
    owedFor(): number;
    /** Returns the silence of the most silent stream; a poll has no heartbeats. @param {number} now_ms */
    silentFor(now_ms: number): number;
    /** @param {number} now_ms @param {number} quiet_ms */
    audit(now_ms: number, quiet_ms: number): void;
    leave(): void;
    /** @returns {Promise<void>} */
    close(): Promise<void>;
}
