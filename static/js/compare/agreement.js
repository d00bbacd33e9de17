// @ts-check
/**
 * What several transports have all delivered, event by event.
 *
 * Owns: this comparison. Does not own: what each has delivered (`statistics.js`).
 */

/** @typedef {import("./statistics.js").Tally} Tally */

/**
 * Compares what has come up to the place that all have reached: at the most up to the first cursor that was void, as after it
 * nobody knows what should have come.
 * @param {readonly Tally[]} tallies
 * @returns {{ to: number, count: number, absent: number[], isCutShort: boolean }} the place; how many events there are up to
 *   it, by their numbers; how many of them each has not; whether the comparison ends at a void cursor
 */
export function inCommon(tallies) {
  const to = Math.min(...tallies.map(reached));
  /** The newest event up to there of each symbol and channel, whoever has got it. @type {Map<string, number>} */
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

/** Returns up to where everything that has come is on record. @param {Tally} tally */
function reached(tally) {
  const end = tally.voids[0]?.offset ?? tally.offset;
  return tally.unrecorded === 0 ? end : Math.min(end, tally.records.at(-1)?.offset ?? 0);
}
