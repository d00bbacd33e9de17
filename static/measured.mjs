// @ts-check
/**
 * Writes `js/compare/measured.js`: the part of the last measured comparison (`docs/comparison/comparison.json`) that `/compare` shows
 * before a run. `make compare` runs it after every measurement.
 */
import { readFileSync, writeFileSync } from "node:fs";

/** The cell that is shown: as many clients, each with as many events a second. */
const CLIENTS = 1_000;
const RATE = 10;
/** @type {Readonly<Record<string, string>>} */
const NAMES = { websocket: "WebSocket", sse: "SSE", long_poll: "long poll", short_poll: "short poll 1000 ms" };

/** @typedef {{ clients: number, rate: number, transport: string, round_trip_ms: number, events: number, requests: number, connections: number, missing: number, bytes_up: number, bytes_down: number, latency_us: { p50: number, p99: number }, server_cpu_us: number, window_s: number }} Sample */
/** @typedef {{ machine: { cpu: string, cores: number, commit: string, date: string }, idle: { rate: number, server_cpu: number }[], samples: Sample[] }} Comparison */

/** Returns the text of the module for a comparison. @param {Comparison} comparison */
export function moduleOf({ machine, idle, samples }) {
  const idle_cpu = idle.find(({ rate }) => rate === RATE)?.server_cpu;
  if (idle_cpu === undefined) throw new Error(`no idle server was measured at ${RATE} events/s`);
  const transports = Object.fromEntries(Object.entries(NAMES).map(([name, called]) => {
    const sample = samples.find((each) => each.transport === called && each.clients === CLIENTS && each.rate === RATE && each.round_trip_ms === 0);
    if (!sample) throw new Error(`${called} was not measured with ${CLIENTS} clients at ${RATE} events/s`);
    const { events, requests, connections, missing, bytes_up, bytes_down, latency_us, server_cpu_us, window_s } = sample;
    return [name, {
      events, requests, connections, missed: missing, up: bytes_up, down: bytes_down,
      bytes_per_event: (bytes_up + bytes_down) / events,
      p50: latency_us.p50,
      p99: latency_us.p99,
      // Without the CPU of a server without clients; for 1,000 events, as the table counts.
      cpu: ((server_cpu_us - idle_cpu * window_s * 1e6) / events) * 1_000,
    }];
  }));
  const { cpu, cores, commit, date } = machine;
  const seconds = Number(samples.find((each) => each.clients === CLIENTS && each.rate === RATE)?.window_s.toFixed(1));
  const measured = { date, commit, machine: { cpu, cores }, clients: CLIENTS, rate: RATE, seconds, transports };
  return `// @ts-check
/**
 * The last measured comparison, from \`docs/comparison/comparison.json\`. Written by \`static/measured.mjs\`: do not edit.
 */

export const MEASURED = ${JSON.stringify(measured, null, 2)};
`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const comparison = JSON.parse(readFileSync(new URL("../docs/comparison/comparison.json", import.meta.url), "utf8"));
  writeFileSync(new URL("js/compare/measured.js", import.meta.url), moduleOf(comparison));
}
