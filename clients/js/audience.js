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
      this.call(message.type, message);
      this.call("message", message);
      for (const queue of this.#queues) queue.push(message);
    }
    this.call("batch", { messages, received_us });
  }

  /** Calls the listeners of a name. @param {string} name @param {unknown} value */
  call(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(/** @type {never} */ (value));
  }

  /** Ends the readers after what is waiting. @param {Error | null} [error] thrown after it */
  end(error = null) {
    for (const queue of this.#queues) queue.end(error);
  }
}
