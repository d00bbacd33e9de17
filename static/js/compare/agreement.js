// @ts-check
/**
 * Compares, event by event, the deliveries of several transports.
 *
 * Owns: this comparison. Does not own: the deliveries (`statistics.js`).
 */

/** @typedef {import("./statistics.js").Tally} Tally */

/**
 * Compares the events up to the offset that every transport has reached, but not beyond the first void cursor: how many events belong
 * after that is unknown.
 * @param {readonly Tally[]} tallies
 * @returns {{ to: number, count: number, absent: number[], isCutShort: boolean }} that offset; the number of events up to it, by
 *   their `seq`; how many of them each transport lacks; whether a void cursor ends the comparison
 */
export function inCommon(tallies) {
  const to = Math.min(...tallies.map(reached));
  /** The newest `seq` of each topic up to that offset, of any transport. @type {Map<string, number>} */
  const seqs = new Map();
  const counts = tallies.map((tally) => {
    let count = 0;
    for (const { symbol, channel, seq, offset } of tally.records.slice(0, tally.voids[0]?.records)) {
      if (offset > to) continue;
      count += 1;
      const key = `${channel} ${symbol}`;
      seqs.set(key, Math.max(seq, seqs.get(key) ?? 0));
    }
    return count;
  });
  const base = tallies[0]?.base ?? new Map();
  const count = [...seqs].reduce((sum, [key, seq]) => sum + seq - (base.get(key) ?? 0), 0);
  return { to, count, absent: counts.map((each) => count - each), isCutShort: tallies.some((tally) => tally.voids.length > 0) };
}

/** Returns the offset up to which every delivered event is recorded. @param {Tally} tally */
function reached(tally) {
  const end = tally.voids[0]?.offset ?? tally.offset;
  return tally.unrecorded === 0 ? end : Math.min(end, tally.records.at(-1)?.offset ?? 0);
}
