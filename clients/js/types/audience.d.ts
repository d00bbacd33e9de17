/**
 * Those of the application who are given messages: listeners, which are called at once, and readers, each with a queue.
 *
 * Owns: both. Does not own: the bound of a queue (`queue.js`), or which messages pass (`gate.js`).
 */
import { MessageQueue } from "./queue.js";
export type Happenings = import("./options.js").Happenings;
export type Message = import("./protocol.js").Message;
/** @typedef {import("./options.js").Happenings} Happenings */
/** @typedef {import("./protocol.js").Message} Message */
export declare class Audience {
    #private;
    /**
     * Adds a listener. Returns a function that removes it.
     * @template {keyof Happenings} Name
     * @param {Name} name
     * @param {(value: Happenings[Name]) => void} listener
     * @returns {() => void}
     */
    on<Name extends keyof Happenings>(name: Name, listener: (value: Happenings[Name]) => void): () => void;
    /** Adds a reader. @param {number} queue_max */
    messages(queue_max: number): MessageQueue;
    /** Gives messages that came together to everyone. @param {readonly Message[]} messages @param {number} received_us */
    emit(messages: readonly Message[], received_us: number): void;
    /** Calls the listeners of a name. The error of one is reported, and keeps no message from the others. @param {string} name @param {unknown} value */
    call(name: string, value: unknown): void;
    /** Ends the readers after what is waiting. @param {unknown} [error] thrown after it @returns {boolean} whether there are any */
    end(error?: unknown): boolean;
}
/** Reports an error as one that nobody has caught. @param {unknown} err */
export declare function report(err: unknown): void;
