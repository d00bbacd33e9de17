// @ts-check
/**
 * Those of the application who are given messages: listeners, which are called at once, and readers, each with a queue.
 *
 * Owns: both. Does not own: the bound of a queue (`queue.js`), or which messages pass (`gate.js`).
 */

import { MessageQueue } from "./queue.js";

/** @typedef {import("./options.js").Happenings} Happenings */
/** @typedef {import("./protocol.js").Message} Message */

export class Audience {
  /** @type {Map<string, Set<(value: never) => void>>} */
  #listeners = new Map();
  /** @type {Set<MessageQueue>} */
  #queues = new Set();

  /**
   * Adds a listener. Returns a function that removes it.
   * @template {keyof Happenings} Name
   * @param {Name} name
   * @param {(value: Happenings[Name]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Adds a reader. @param {number} queue_max */
  messages(queue_max) {
    const queue = new MessageQueue(queue_max, () => this.#queues.delete(queue));
    this.#queues.add(queue);
    return queue;
  }

  /** Gives messages that came together to everyone. @param {readonly Message[]} messages @param {number} received_us */
  emit(messages, received_us) {
    for (const message of messages) {
      // The client's own status has that name.
      this.call(message.type === "status" ? "feed" : message.type, message);
      this.call("message", message);
      for (const queue of this.#queues) queue.push(message);
    }
    this.call("batch", { messages, received_us });
  }

  /** Calls the listeners of a name. The error of one is reported, and keeps no message from the others. @param {string} name @param {unknown} value */
  call(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(/** @type {never} */ (value));
      } catch (err) {
        report(err);
      }
    }
  }

  /** Ends the readers after what is waiting. @param {unknown} [error] thrown after it @returns {boolean} whether there are any */
  end(error = null) {
    for (const queue of this.#queues) queue.end(error);
    return this.#queues.size > 0;
  }
}

/** Reports an error as one that nobody has caught. @param {unknown} err */
export function report(err) {
  // Node has no such function.
  if (globalThis.reportError) globalThis.reportError(err);
  else queueMicrotask(() => { throw err; });
}
