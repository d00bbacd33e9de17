// @ts-check
// Makes the input of the tests of the comparison: its first snapshot, tallies, costs.
import { Tally } from "../js/compare/statistics.js";
import { snapshot } from "./messages.js";

/** @typedef {import("../js/protocol.js").Message & { ts: number }} Timed */

export const BEGIN = snapshot({ trades: 4, quotes: 0 }, { offset: 10, ts: 8_000, price: 99 });

/** Returns the tally of a transport that delivered each message half a millisecond after it was made. @param {Timed[]} messages */
export function tallyOf(...messages) {
  const tally = new Tally();
  tally.begin([BEGIN], 10);
  tally.open(0);
  for (const message of messages) tally.take([message], message.ts + 500);
  return tally;
}

/** @param {number} wire @returns {import("../js/protocol.js").Bytes} */
const bytes = (wire) => ({ wire, payload: wire / 2, framing: wire / 4, headers: wire / 4, tls: 0 });

/**
 * Returns the costs that the server counts for so many events and bytes.
 * @param {number} events @param {number} wire @returns {import("../js/protocol.js").Cost}
 */
export const cost = (events, wire) => ({ requests: 3, connections: 1, events, bytes_up: bytes(wire / 5), bytes_down: bytes((wire * 4) / 5), cpu_us: 5_000 });
