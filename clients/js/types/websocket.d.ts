/**
 * One WebSocket: sends the requests that make its subscriptions the wanted ones, resumes with the cursor, and computes the cursor.
 *
 * Owns: the socket and its requests. Does not own: reconnecting (`tickcast.js`), the check of events (`gate.js`).
 */
export type Failure = import("./closing.js").Failure;
export type Core = import("./core.js").Core;
export type ServerMessage = import("./protocol.js").ServerMessage;
export type Group = import("./wishes.js").Group;
export type Wanted = import("./wishes.js").Wanted;
export type Asked = {
    group: Group;
    isResumed: boolean;
    sent_ms: number;
};
export declare class WebSocketLink {
    #private;
    /** @type {"websocket"} */
    transport: "websocket";
    isReady: boolean;
    /** @param {Core} core @param {new (url: string, protocols: string | string[]) => WebSocket} Socket */
    constructor(core: Core, Socket: new (url: string, protocols: string | string[]) => WebSocket);
    /** Takes the messages that concern the connection. @param {ServerMessage} message @returns {boolean} whether the application is to see it */
    control(message: ServerMessage): boolean;
    /** Notes a message that has passed. @param {ServerMessage} message */
    passed(message: ServerMessage): void;
    /** Makes the subscriptions the wanted ones. */
    update(): void;
    /** Subscribes to everything again, without the cursor: a snapshot of each symbol comes. */
    refresh(): void;
    /** Sends a ping. */
    ping(): void;
    /** Returns how long the server owes an answer. @param {number} now_ms */
    owedFor(now_ms: number): number;
    /** Returns how long nothing has come. @param {number} now_ms */
    silentFor(now_ms: number): number;
    /** @param {number} now_ms @param {number} quiet_ms */
    audit(now_ms: number, quiet_ms: number): void;
    /** Abandons the socket, without waiting for the closing handshake, which could take minutes. */
    leave(): void;
    /** Closes the socket, and waits for the closing handshake. @returns {Promise<void>} */
    close(): Promise<void>;
}
