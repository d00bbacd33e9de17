/**
 * The messages for one reader that awaits them one by one. A reader that falls behind loses the oldest ones, and is told how many.
 *
 * Owns: the queue and its bound.
 */
export type Message = import("./protocol.js").Message;
export type Overflow = import("./protocol.js").Overflow;
/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Overflow} Overflow */
export declare class MessageQueue {
    #private;
    /** @param {number} queue_max @param {() => void} onEnd the reader has stopped */
    constructor(queue_max: number, onEnd: () => void);
    /** @param {Message} message */
    push(message: Message): void;
    /** Ends the messages after those that are waiting. Only the first end counts. @param {unknown} [error] thrown after them */
    end(error?: unknown): void;
    /** @returns {Promise<IteratorResult<Message | Overflow, undefined>>} */
    next(): Promise<IteratorResult<Message | Overflow, undefined>>;
    /** @returns {Promise<IteratorResult<Message | Overflow, undefined>>} */
    return(): Promise<IteratorResult<Message | Overflow, undefined>>;
    [Symbol.asyncIterator](): this;
}
