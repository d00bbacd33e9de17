// Makes what the tests of the comparison are fed with: messages, tallies, costs.
import { Tally } from "../js/compare/statistics.js";

export const trade = (seq, offset, more = {}) => ({ type: "trade", symbol: "AAPL", seq, offset, ts: offset * 1_000, price: 100 + seq, size: 1, ...more });
export const quote = (seq, offset, more = {}) => ({ type: "quote", symbol: "AAPL", seq, offset, ts: offset * 1_000, ...more });
export const snapshot = { type: "snapshot", symbol: "AAPL", offset: 10, ts: 8_000, price: 99, seq: { trades: 4, quotes: 0 } };

/** Returns what a transport has delivered, each message half a millisecond after it was made. */
export function tallyOf(...messages) {
  const tally = new Tally();
  tally.begin([snapshot], 10);
  tally.open(0);
  for (const message of messages) tally.take([message], message.ts + 500);
  return tally;
}

const bytes = (wire) => ({ wire, payload: wire / 2, framing: wire / 4, headers: wire / 4, tls: 0 });

/** Returns what the server says of so many events and bytes. */
export const cost = (events, wire) => ({ requests: 3, connections: 1, events, bytes_up: bytes(wire / 5), bytes_down: bytes((wire * 4) / 5), cpu_us: 5_000 });
