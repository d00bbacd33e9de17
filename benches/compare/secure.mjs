// @ts-check
// Opens many WebSockets over TLS that say nothing, and measures the memory of the server; the load generator has no TLS:
//
//     node benches/compare/secure.mjs wss://HOST:PORT/PATH SESSIONS PID SECONDS
//
// Prints the keys of the report of `tickcast-load --json` that the comparison reads.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";

/** Handshakes at the same time. */
const OPENING_MAX = 32;

const [url, sessions, pid, seconds] = [new URL(process.argv[2]), Number(process.argv[3]), process.argv[4], Number(process.argv[5])];

/** Returns the resident memory of the server, in bytes; "VmHWM" for its peak. */
function resident(name = "VmRSS") {
  const [, kib] = readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m")) ?? [];
  return Number(kib) * 1024;
}

/** Opens one WebSocket; returns whether the server has accepted it. @returns {Promise<boolean>} */
function open() {
  const key = randomBytes(16).toString("base64");
  const lines = [`GET ${url.pathname} HTTP/1.1`, `Host: ${url.host}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  return new Promise((resolve) => {
    // The certificate is one of its own, made for this measurement.
    const socket = connect({ host: url.hostname, port: Number(url.port), rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    socket.on("secureConnect", () => socket.write([...lines, `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n")));
    // What comes later is read and forgotten.
    socket.on("data", (answer) => resolve(answer.toString("latin1").startsWith("HTTP/1.1 101 ")));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
}

const before = resident();
let [opened, failed, left] = [0, 0, sessions];
await Promise.all(
  Array.from({ length: OPENING_MAX }, async () => {
    while (left > 0) {
      left -= 1;
      if (await open()) opened += 1;
      else failed += 1;
    }
  }),
);
await sleep(seconds * 1000);
const after = resident();
const server = {
  cpu_us_per_event: null,
  cpu_system_us_per_event: null,
  cpu_user_us_per_event: null,
  cpu_fraction: null,
  rss_per_session_bytes: opened > 0 ? (after - before) / opened : null,
  rss_before_bytes: before,
  rss_peak_bytes: resident("VmHWM"),
  tcp_before_bytes: null,
  tcp_peak_bytes: null,
};
console.log(
  JSON.stringify({
    server,
    window: { events_per_s: null, events_per_read: null, events: 0, bytes: 0 },
    latency_us: null,
    sessions: { active: 0, idle: sessions, opened, stalled_ended: 0 },
    generator: { cpu_us_per_event: null, cpu_fraction: null },
    completeness: { missing: 0 },
    failures: failed > 0 ? [`${failed} connections failed`] : [],
  }),
);
process.exit(failed > 0 ? 1 : 0);
