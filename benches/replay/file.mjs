// @ts-check
// Writes the table of events that is replayed: four quotes for each trade, of as many symbols as wanted. The file is the same each time.
import { once } from "node:events";
import { createWriteStream } from "node:fs";

const FIRST_TS = 1_764_599_400_000_000;
const STEADY_MICROS = 1_000;

/** A linear congruential generator of numbers of 32 bits. */
function generator() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

/** The times of events a millisecond apart, in microseconds since 1970. @param {number} events */
export function steady(events) {
  return Float64Array.from({ length: events }, (_, place) => FIRST_TS + place * STEADY_MICROS);
}

/**
 * The times of events that come at random, in microseconds since 1970: so they have nothing to do with the steps of the server.
 * @param {number} events @param {number} perSecond
 */
export function random(events, perSecond) {
  const next = generator();
  let ts = FIRST_TS;
  return Float64Array.from({ length: events }, (_, place) => {
    if (place > 0) ts += Math.round((-Math.log(1 - next() / 2 ** 32) * 1_000_000) / perSecond);
    return ts;
  });
}

/** @param {string} path of a table of tickcast (CSV) @param {Float64Array} times @param {number} symbols */
export async function write(path, times, symbols) {
  const file = createWriteStream(path, { highWaterMark: 1 << 20 });
  file.write("type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size\n");
  const cents = Array.from({ length: symbols }, (_, each) => 10_000 + 37 * each);
  const names = cents.map((_, each) => `SYM${String(each).padStart(3, "0")}`);
  const next = generator();
  let lines = "";
  for (let place = 0; place < times.length; place++) {
    const random = next();
    const symbol = (random >>> 8) % symbols;
    cents[symbol] = Math.max(cents[symbol] + ((random >>> 20) % 3) - 1, 100);
    const [price, size] = [cents[symbol], 1 + ((random >>> 12) % 300)];
    const dollars = (/** @type {number} */ each) => (each / 100).toFixed(2);
    const head = `${names[symbol]},${times[place]}`;
    lines += place % 5 === 0 ? `trade,${head},${dollars(price)},${size},,,,\n` : `quote,${head},,,${dollars(price - 1)},${size},${dollars(price + 1)},${size}\n`;
    if (lines.length > 1 << 20 || place === times.length - 1) {
      if (!file.write(lines)) await once(file, "drain");
      lines = "";
    }
  }
  file.end();
  await once(file, "close");
}
