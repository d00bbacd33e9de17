// @ts-check
// A WebSocket whose other side is the test.

/** @typedef {Record<string, unknown> & { action: string, id: number }} Request */

export class Socket {
  /** @type {Socket[]} */
  static all = [];
  readyState = 1;
  /** @type {Request[]} */
  sent = [];
  /** @type {((event: { data: string }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;

  /** @param {string} _url @param {string | string[]} protocols */
  constructor(_url, protocols) {
    this.protocols = protocols;
    Socket.all.push(this);
  }

  /** The last one that was opened. */
  static get last() {
    return Socket.all[Socket.all.length - 1];
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.onclose?.({ code: 1000, reason: "" });
  }

  /** @param {object[]} messages */
  say(...messages) {
    this.onmessage?.({ data: JSON.stringify(messages) });
  }

  /** The requests by which the client renews its key. */
  get renewals() {
    return this.sent.filter(({ action }) => action === "auth");
  }
}
