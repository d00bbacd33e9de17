// @ts-check
/**
 * What the server's refusals of subscriptions tell of a key. A WebSocket says what the key permits before the page subscribes; a poll never
 * does, and a stream only after it.
 *
 * Owns: what was learnt. Does not own: the subscriptions that are left (`wishes.js`). Pure.
 */

/** @typedef {import("../clients/js/protocol.js").Limits} Limits */
/** @typedef {import("./protocol.js").Channel} Channel */

import { INTERVAL_US } from "./protocol.js";

/** Errors of a subscription that would be refused again. */
const CODES = ["bad_request", "forbidden_channel", "forbidden_mode", "limit_exceeded", "unknown_channel"];
/** The rate where the server tells none: a key has no higher one anyway. */
const RATE_HZ = 4;
const CHANNELS = /** @type {Channel[]} */ (["trades", "quotes", "corrections", "cancels", "bars.1m.updated", ...Object.keys(INTERVAL_US).map((name) => `bars.${name}`)]);

export class Refusals {
  /** @type {Partial<Limits>} */
  limits = {};

  /** @param {{ code: string }} error */
  isOne({ code }) {
    return CODES.includes(code);
  }

  /** Learns from a refusal. Returns whether there is anything else to ask for now. @param {{ code: string, message: string }} error */
  learn({ code, message }) {
    const { channels = CHANNELS, max_hz } = this.limits;
    if (code === "forbidden_mode" && max_hz === undefined) {
      this.limits = { ...this.limits, max_hz: RATE_HZ };
      return true;
    }
    const words = message.split(/[\s,:]+/);
    const left = channels.filter((channel) => !words.includes(channel));
    if (code !== "forbidden_channel" || left.length === channels.length) return false;
    this.limits = { ...this.limits, channels: left };
    return true;
  }
}
