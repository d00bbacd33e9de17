// @ts-check
/**
 * The raw data of a run, as JSON and as CSV (RFC 4180).
 *
 * Owns: both forms. Times are microseconds since 1970-01-01 UTC by the server's clock.
 */

import { RECORDS_MAX } from "./statistics.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./run.js").Run} Run */
/** @typedef {import("./statistics.js").EventRecord} EventRecord */

const COLUMNS = /** @type {const} */ (["symbol", "channel", "seq", "offset", "ts_us", "received_us"]);

/** Returns everything that a run has recorded. @param {Run} run */
export function rawData(run) {
  const { client, epoch, startedAt, settings, clock, wasHidden, failures, costs, samples, crowd } = run;
  const transports = TRANSPORTS.map((transport) => {
    const { events, missed, merged, repeated, reconnected, voids, opened, records, unrecorded } = run.tallies[transport];
    return [transport, { events, missed, merged, repeated, reconnected, voids, opened_us: opened, truncated: unrecorded > 0, records }];
  });
  return {
    form: "tickcast.comparison.v1", client, epoch, started_at: startedAt, began_us: run.began, ended_us: run.ended, user_agent: navigator.userAgent,
    settings, clock, was_hidden: wasHidden, failures, crowd: { asked: settings.extra, served: crowd?.served ?? null },
    traffic: costs, samples, records_max: RECORDS_MAX, truncated: isTruncated(run), transports: Object.fromEntries(transports),
  };
}

/** Returns whether a transport has delivered more events than are recorded. @param {Run} run */
export function isTruncated(run) {
  return TRANSPORTS.some((transport) => run.tallies[transport].unrecorded > 0);
}

/** Returns one line for each event and transport. @param {Record<string, { records: readonly EventRecord[] }>} transports */
export function csvOf(transports) {
  const lines = [["transport", ...COLUMNS, "latency_us", "skipped", "counted"].join(",")];
  for (const [transport, { records }] of Object.entries(transports)) {
    for (const record of records) {
      const { latency_us, skipped, counted } = record;
      const cells = COLUMNS.map((column) => (column === "received_us" ? Math.round(record.received_us) : record[column]));
      lines.push([transport, ...cells, Math.round(latency_us), skipped, Number(counted)].map(cell).join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {string | number} value */
function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
}
