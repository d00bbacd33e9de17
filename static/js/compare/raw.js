// @ts-check
/**
 * The raw data of a run, as JSON and as CSV (RFC 4180).
 *
 * Owns: both forms. Times are microseconds since 1970-01-01 UTC by the server's clock.
 */

import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./run.js").Run} Run */

const COLUMNS = /** @type {const} */ (["symbol", "channel", "seq", "offset", "ts", "received"]);

/** Returns everything that a run has recorded. @param {Run} run */
export function rawData(run) {
  const { client, epoch, startedAt, settings, clock, wasHidden, failures, costs, samples } = run;
  const transports = TRANSPORTS.map((transport) => {
    const { events, missed, merged, repeated, opened, records } = run.tallies[transport];
    return [transport, { events, missed, merged, repeated, opened, records }];
  });
  return {
    form: "tickcast.comparison.v1", client, epoch, started_at: startedAt, began: run.began, ended: run.ended, user_agent: navigator.userAgent,
    settings, clock, was_hidden: wasHidden, failures, traffic: costs, samples, transports: Object.fromEntries(transports),
  };
}

/** Returns one line for each event and transport. @param {Record<string, { records: import("./statistics.js").EventRecord[] }>} transports */
export function csvOf(transports) {
  const lines = [["transport", ...COLUMNS, "latency_us"].join(",")];
  for (const [transport, { records }] of Object.entries(transports)) {
    for (const record of records) {
      const cells = COLUMNS.map((column) => (column === "received" ? Math.round(record.received) : record[column]));
      lines.push([transport, ...cells, Math.round(record.received - record.ts)].map(cell).join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {string | number} value */
function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
}

/** Gives a text to the viewer as a file. @param {string} name @param {string} type @param {string} text */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1_000);
}
