// @ts-check
// Makes messages of the protocol for the tests: of one symbol, with any field set by the test.

/** @typedef {import("../protocol.js").Cancel} Cancel */
/** @typedef {import("../protocol.js").Correction} Correction */
/** @typedef {import("../protocol.js").Quote} Quote */
/** @typedef {import("../protocol.js").Snapshot} Snapshot */
/** @typedef {import("../protocol.js").Trade} Trade */

/** @param {number} seq @param {number} offset @param {Partial<Trade>} [more] @returns {Trade} */
export const trade = (seq, offset, more = {}) => ({ type: "trade", symbol: "AAPL", seq, offset, ts: offset * 1_000, price: 100 + seq, size: 1, ...more });

/** @param {number} seq @param {number} offset @param {Partial<Quote>} [more] @returns {Quote} */
export const quote = (seq, offset, more = {}) => ({
  type: "quote", symbol: "AAPL", seq, offset, ts: offset * 1_000, bid: 99.99, bid_size: 100, ask: 100.01, ask_size: 200, ...more,
});

/** @param {Record<string, number>} seq @param {Partial<Snapshot>} [more] @returns {Snapshot} */
export const snapshot = (seq, more = {}) => ({
  type: "snapshot", symbol: "AAPL", offset: 100, ts: 1_772_463_845_000_000, price: 200, size: 5, bid: 199.99, bid_size: 100,
  ask: 200.01, ask_size: 200, open: 198, high: 201, low: 197, prev_close: 199, volume: 1_000, seq, ...more,
});

const OF_TRADE = { symbol: "AAPL", ts: 1_772_463_846_000_000, trade_seq: 58, trade_ts: 1_772_463_845_100_000, trade_price: 200.01, trade_size: 25 };

/** @param {number} seq @param {number} offset @param {Partial<Correction>} [more] @returns {Correction} */
export const correction = (seq, offset, more = {}) => ({ type: "correction", ...OF_TRADE, seq, offset, price: 200.02, size: 30, ...more });

/** @param {number} seq @param {number} offset @param {Partial<Cancel>} [more] @returns {Cancel} */
export const cancel = (seq, offset, more = {}) => ({ type: "cancel", ...OF_TRADE, seq, offset, kind: "cancel", ...more });
