/**
 * Counts how often a transport fell silent although it was connected: the second time in a row it is left for the next one, and the
 * more often it happens, the later it is tried again.
 *
 * Owns: this rule. Does not own: finding a silence (`websocket.js`, `lines.js`, `audit.js`). Pure.
 */
export type Transport = import("./protocol.js").Transport;
export declare class Silences {
    #private;
    /** @param {number} upgrade_ms */
    constructor(upgrade_ms: number);
    /** Notes a silence. Returns whether the transport is to be left. @param {Transport} transport @param {number} now_ms */
    note(transport: Transport, now_ms: number): boolean;
    /** Returns after how long a better transport is tried again. @param {number} random from 0 up to 1 */
    upgradeDelay(random: number): number;
}
