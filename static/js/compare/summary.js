// @ts-check
/**
 * What a run has shown, in plain words: every figure in it is of this run.
 *
 * Owns: the sentences. Does not own: the figures (`figures.js`).
 */

import { t } from "../i18n.js";
import { writeBytes, writeCount, writeRatio, writeSpan } from "./figures.js";

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {Record<Transport, Figures>} All */

/** So much more, or less, is called as much. */
const ALIKE = 0.05;

/**
 * Returns the sentences.
 * @param {All} figures
 * @param {{ count: number, absent: number[] }} common
 * @param {{ isLatest: boolean, interval_ms: number, error_us: number | null }} run
 */
export function summarize(figures, common, run) {
  return [
    delivery(figures, common, run.isLatest),
    t("Requests: {websocket} over WebSocket, {sse} over server-sent events, {long} long polls, {short} short polls.", {
      websocket: writeCount(figures.websocket.requests), sse: writeCount(figures.sse.requests),
      long: writeCount(figures.long_poll.requests), short: writeCount(figures.short_poll.requests),
    }),
    bytes(figures),
    t("Half of the events reached their handler within {websocket} over WebSocket, {sse} over server-sent events, {long} by long poll and {short} by short poll; the clocks of both ends are known to ±{error}.", {
      websocket: writeSpan(figures.websocket.p50), sse: writeSpan(figures.sse.p50),
      long: writeSpan(figures.long_poll.p50), short: writeSpan(figures.short_poll.p50), error: writeSpan(run.error_us),
    }),
    staleness(figures),
    cpu(figures),
    verdict(figures, run.interval_ms),
  ].filter((sentence) => sentence !== null);
}

/** @param {All} figures @param {{ count: number, absent: number[] }} common @param {boolean} isLatest */
function delivery(figures, common, isLatest) {
  const repeated = Object.values(figures).reduce((sum, each) => sum + each.repeated, 0);
  const missed = Object.values(figures).reduce((sum, each) => sum + each.missed, 0);
  if (isLatest) {
    return t("Newest values only: {websocket} events were merged into newer ones over WebSocket, {sse} over server-sent events, {long} by long poll, {short} by short poll; {missed} were lost without a word.", {
      websocket: writeCount(figures.websocket.merged), sse: writeCount(figures.sse.merged),
      long: writeCount(figures.long_poll.merged), short: writeCount(figures.short_poll.merged), missed: writeCount(missed),
    });
  }
  const absent = common.absent.reduce((sum, each) => sum + each, 0);
  if (absent + repeated + missed === 0) return t("All four have delivered the same {count} events: none is missing, none came twice.", { count: writeCount(common.count) });
  return t("Of {count} events, {absent} are missing somewhere, {missed} more are holes in the numbering, and {repeated} came twice.", {
    count: writeCount(common.count), absent: writeCount(absent), missed: writeCount(missed), repeated: writeCount(repeated),
  });
}

/** @param {All} figures */
function bytes(figures) {
  const [websocket, sse, long, short] = [figures.websocket, figures.sse, figures.long_poll, figures.short_poll].map((each) => each.bytes_per_event);
  if (websocket === null || !sse || !long || !short) return null;
  return t("Each event cost {bytes} on the wire over WebSocket, headers and all; {sse} of that over server-sent events, {long} by long poll, {short} by short poll.", {
    bytes: writeBytes(websocket), sse: writeRatio(sse / websocket), long: writeRatio(long / websocket), short: writeRatio(short / websocket),
  });
}

/** @param {All} figures */
function staleness(figures) {
  const [websocket, short] = [figures.websocket.staleness, figures.short_poll.staleness];
  if (websocket === null || short === null) return null;
  return t("The price on show was {websocket} old on average over WebSocket and {short} by short poll.", {
    websocket: writeSpan(websocket), short: writeSpan(short),
  });
}

/** @param {All} figures */
function cpu(figures) {
  const [websocket, sse, long, short] = [figures.websocket, figures.sse, figures.long_poll, figures.short_poll].map((each) => each.cpu);
  if (websocket === null || sse === null || long === null || short === null) return null;
  return t("For 1,000 events the server spent {websocket} of CPU over WebSocket, {sse} over server-sent events, {long} on long polls, {short} on short polls.", {
    websocket: writeSpan(websocket), sse: writeSpan(sse), long: writeSpan(long), short: writeSpan(short),
  });
}

/** Says where polling is as cheap, if it is. @param {All} figures @param {number} interval_ms */
function verdict(figures, interval_ms) {
  const [push, short] = [figures.websocket, figures.short_poll];
  if (!push.bytes_per_event || !short.bytes_per_event || push.staleness === null || short.staleness === null) return null;
  const values = { interval: writeSpan(interval_ms * 1_000), age: writeSpan(short.staleness - push.staleness) };
  if (short.bytes_per_event <= push.bytes_per_event * (1 + ALIKE)) {
    return t("Asking every {interval} costs no more bytes here, as one answer carries many events at once; the price of it is that what is shown is {age} older.", values);
  }
  return t("Asking every {interval} costs more bytes here and shows prices that are {age} older.", values);
}
