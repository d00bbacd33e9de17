// @ts-check
/**
 * The messages for one reader that awaits them one by one. A reader that falls behind loses the oldest ones, and is told how many.
 *
 * Owns: the queue and its bound.
 */

/** @typedef {import("./protocol.js").Message} Message */
/** @typedef {import("./protocol.js").Overflow} Overflow */

export class MessageQueue {
  #queue_max;
  #onEnd;
  /** @type {Message[]} */
  #messages = [];
  #skipped = 0;
  #isEnded = false;
  /** @type {unknown} */
  #error = null;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {number} queue_max @param {() => void} onEnd the reader has stopped */
  constructor(queue_max, onEnd) {
    this.#queue_max = queue_max;
    this.#onEnd = onEnd;
  }

  /** @param {Message} message */
  push(message) {
    if (this.#isEnded) return;
    if (this.#messages.length >= this.#queue_max) {
      // In one piece, as removing the first of many is slow.
      const removed = Math.ceil(this.#queue_max / 2);
      this.#messages = this.#messages.slice(removed);
      this.#skipped += removed;
    }
    this.#messages.push(message);
    this.#wake?.();
  }

  /** Ends the messages after those that are waiting. Only the first end counts. @param {unknown} [error] thrown after them */
  end(error = null) {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#wake?.();
  }

  /** @returns {Promise<IteratorResult<Message | Overflow, undefined>>} */
  async next() {
    for (;;) {
      if (this.#skipped > 0) {
        const value = { type: /** @type {const} */ ("overflow"), skipped: this.#skipped };
        this.#skipped = 0;
        return { done: false, value };
      }
      const message = this.#messages.shift();
      if (message) return { done: false, value: message };
      const error = this.#error;
      this.#error = null;
      if (error) throw error;
      if (this.#isEnded) return { done: true, value: undefined };
      await /** @type {Promise<void>} */ (new Promise((resolve) => { this.#wake = resolve; }));
      this.#wake = null;
    }
  }

  /** @returns {Promise<IteratorResult<Message | Overflow, undefined>>} */
  async return() {
    this.end();
    this.#messages = [];
    this.#onEnd();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
