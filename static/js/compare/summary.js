// @ts-check
/**
 * The result of a run in sentences; every figure is of this run. A transport that failed is named and left out of the comparison.
 *
 * Owns: the sentences. Does not own: the figures (`figures.js`).
 */

import { mark, t } from "../i18n.js";
import { describeCause } from "./failure.js";
import { writeBytes, writeCount, writeRatio, writeSpan } from "./figures.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./run.js").Break} Break */
/** @typedef {import("./transports.js").Transport} Transport */
/**
 * @typedef {object} Outcome
 * @property {Record<Transport, Figures>} figures
 * @property {{ count: number, absent: number[], isCutShort: boolean }} common of the transports that have not failed, in their order
 * @property {Partial<Record<Transport, Break>>} failures
 * @property {Partial<Record<Transport, number>>} voids the second of the first void cursor
 * @property {boolean} isLatest @property {number} interval_ms @property {number} seconds @property {number | null} error_us
 */

/** A relative difference below this is called none. */
const ALIKE = 0.05;
/** The least number of short polls for a verdict on them. */
const POLLS_MIN = 3;
/** @type {Record<Transport, string>} */
const NAMES = { websocket: "WebSocket", sse: mark("server-sent events"), long_poll: mark("long poll"), short_poll: mark("short poll") };

/** Returns the transports that have not failed. @param {Outcome["failures"]} failures */
export function lasting(failures) {
  return TRANSPORTS.filter((transport) => failures[transport] === undefined);
}

/** Returns the sentences. @param {Outcome} run @returns {string[]} */
export function summarize(run) {
  const { figures, error_us } = run;
  const names = lasting(run.failures);
  const isEmpty = names.every((name) => figures[name].events === 0);
  if (isEmpty) return [...breaks(run), names.length > 0 ? t("No event has come: there is nothing to compare.") : t("Nothing is left to compare.")];
  const span = (/** @type {"p50" | "staleness"} */ key) => listOf(names, (name) => figures[name][key], (us) => writeSpan(us, error_us ?? 0));
  const cpu = listOf(names, (name) => figures[name].cpu, (us) => writeSpan(us));
  return [
    ...breaks(run),
    ...delivery(run, names),
    t("Requests: {list}.", { list: listOf(names, (name) => figures[name].requests, writeCount) }),
    bytes(figures, names),
    t("Half of the events reached their handler within: {list}. The clocks of both ends are known to ±{error}.", { list: span("p50"), error: writeSpan(error_us) }),
    t("The price on show was this old on average: {list}.", { list: span("staleness") }),
    cpu === "" ? null : t("For 1,000 events the server spent this much CPU: {list}.", { list: cpu }),
    verdict(run, names),
  ].filter((sentence) => sentence !== null);
}

/**
 * Lists a figure of several transports, without those that have none.
 * @param {readonly Transport[]} names
 * @param {(name: Transport) => number | null} get
 * @param {(value: number) => string} write
 */
function listOf(names, get, write) {
  return names.flatMap((name) => {
    const value = get(name);
    return value === null ? [] : [`${t(NAMES[name])} ${write(value)}`];
  }).join(", ");
}

/** Names the transports that failed, and those that reconnected. @param {Outcome} run */
function breaks({ figures, failures, voids }) {
  const sentences = [];
  const ended = TRANSPORTS.flatMap((name) => {
    const { [name]: failure } = failures;
    if (!failure) return [];
    return [t("{transport} at {seconds} s ({reason})", { transport: t(NAMES[name]), seconds: failure.second.toFixed(0), reason: describeCause(failure) })];
  });
  if (ended.length > 0) sentences.push(t("Failed, and left out of the comparison below: {list}.", { list: ended.join(", ") }));
  const unknown = lasting(failures).flatMap((name) => {
    const { [name]: second } = voids;
    return second === undefined ? [] : [t("{transport} at {seconds} s", { transport: t(NAMES[name]), seconds: second.toFixed(0) })];
  });
  if (unknown.length > 0) {
    sentences.push(t("The cursor was void, because the server had been restarted or no longer had the events, so the number of lost events is unknown: {list}.", { list: unknown.join(", ") }));
  }
  const list = listOf(lasting(failures), (name) => figures[name].reconnected || null, writeCount);
  if (list !== "") sentences.push(t("Reconnects after a break: {list}.", { list }));
  return sentences;
}

/** @param {Outcome} run @param {readonly Transport[]} names */
function delivery({ figures, common, isLatest }, names) {
  const sentences = [];
  const missed = listOf(names, (name) => figures[name].missed || null, writeCount);
  const repeated = listOf(names, (name) => figures[name].repeated || null, writeCount);
  if (isLatest) {
    sentences.push(t("Newest values only. Events merged into newer ones: {list}.", { list: listOf(names, (name) => figures[name].merged, writeCount) }));
    if (missed !== "") sentences.push(t("Events lost without an announcement: {list}.", { list: missed }));
    return sentences;
  }
  const absent = listOf(names, (name) => common.absent[names.indexOf(name)] || null, writeCount);
  // A lost event is a hole in `seq` as well, and must not be reported twice.
  const lost = absent === "" ? missed : absent;
  const values = { count: writeCount(common.count), names: names.map((name) => t(NAMES[name])).join(", "), list: lost };
  if (common.count === 0) sentences.push(t("There is no event that all of them have reached."));
  else if (lost !== "") sentences.push(t("Of {count} events, this many are missing: {list}.", values));
  else if (common.isCutShort) sentences.push(t("Up to the first break these have delivered the same {count} events: {names}.", values));
  else if (repeated === "" && names.length === TRANSPORTS.length) {
    sentences.push(t("All four have delivered the same {count} events: none is missing, none came twice.", values));
  } else if (names.length > 1) sentences.push(t("These have delivered the same {count} events, of which none is missing: {names}.", values));
  if (lost === "" && common.count > 0 && names.some((name) => figures[name].events !== common.count)) {
    sentences.push(t("Events after the last common one are counted in the table only."));
  }
  if (repeated !== "") sentences.push(t("Events that came twice: {list}.", { list: repeated }));
  return sentences;
}

/** @param {Outcome["figures"]} figures @param {readonly Transport[]} names */
function bytes(figures, names) {
  const base = names.includes("websocket") ? figures.websocket.bytes_per_event : null;
  const list = listOf(names, (name) => figures[name].bytes_per_event, (each) => {
    return base === null || each === base ? writeBytes(each) : `${writeBytes(each)} (${writeRatio(each / base)})`;
  });
  return list === "" ? null : t("Each event cost this many bytes on the wire, headers and all: {list}.", { list });
}

/** Compares short polls with WebSocket. @param {Outcome} run @param {readonly Transport[]} names */
function verdict(run, names) {
  const [push, short] = [run.figures.websocket, run.figures.short_poll];
  const cost = (/** @type {Figures} */ each) => (run.isLatest ? (each.up ?? 0) + (each.down ?? 0) : (each.bytes_per_event ?? 0));
  const isKnown = cost(push) > 0 && cost(short) > 0 && push.staleness !== null && short.staleness !== null;
  const isLong = run.seconds * 1_000 >= POLLS_MIN * run.interval_ms;
  if (!isKnown || !isLong || !names.includes("websocket") || !names.includes("short_poll")) return null;
  return `${costVerdict(cost(short) / cost(push), run)} ${ageVerdict(Number(short.staleness), Number(push.staleness), run.error_us ?? 0)}`;
}

/** @param {number} ratio @param {Outcome} run */
function costVerdict(ratio, { interval_ms, isLatest }) {
  const values = { interval: writeSpan(interval_ms * 1_000), ratio: writeRatio(ratio) };
  if (ratio > 1 + ALIKE) return t("Polling every {interval} cost {ratio} the bytes of WebSocket here.", values);
  if (ratio >= 1 - ALIKE) return t("Polling every {interval} cost as many bytes as WebSocket here.", values);
  if (isLatest) return t("Polling every {interval} cost fewer bytes than WebSocket here ({ratio}), because it brought fewer values.", values);
  return t("Polling every {interval} cost fewer bytes than WebSocket here ({ratio}), because one answer carries many events at once.", values);
}

/** @param {number} short_us @param {number} push_us @param {number} error_us */
function ageVerdict(short_us, push_us, error_us) {
  const older_us = short_us - push_us;
  const age = writeSpan(Math.abs(older_us));
  if (Math.abs(older_us) <= Math.max(error_us, ALIKE * Math.abs(push_us))) return t("The shown prices were as old.");
  return older_us > 0 ? t("The shown prices were {age} older.", { age }) : t("The shown prices were {age} newer.", { age });
}
