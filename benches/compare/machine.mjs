// @ts-check
// Describes the machine, the commit and the versions of a measurement.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

import { PEERS, ROOT } from "./paths.mjs";
import { bunBinary } from "./servers.mjs";

/** @param {string} command @param {string[]} args */
const said = (command, ...args) => {
  try {
    return execFileSync(command, args, { cwd: ROOT, encoding: "utf8", timeout: 10_000 }).trim();
  } catch {
    return "unknown";
  }
};

/** @param {string} name */
const locked = (name) => {
  const text = readFileSync(join(PEERS, "Cargo.lock"), "utf8");
  return text.match(new RegExp(`name = "${name}"\\nversion = "([^"]+)"`))?.[1] ?? "unknown";
};

/** Returns the most open files of a process that is started here. */
export function filesMax() {
  const [, soft] = readFileSync("/proc/self/limits", "utf8").match(/^Max open files\s+(\S+)/m) ?? [];
  return Number(soft) || Infinity;
}

export function machine() {
  const { packages } = JSON.parse(readFileSync(join(PEERS, "package-lock.json"), "utf8"));
  const changed = said("git", "status", "--porcelain", "--", "src", "crates", "Cargo.toml", "Cargo.lock");
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0].model,
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    files_max: filesMax(),
    commit: said("git", "rev-parse", "--short=12", "HEAD") + (changed ? " with uncommitted changes" : ""),
    versions: {
      rustc: said("rustc", "--version"),
      node: process.version,
      uwebsockets: packages["node_modules/uwebsockets"].version,
      bun: said(bunBinary(), "--version"),
      ws: packages["node_modules/ws"].version,
      axum: locked("axum"),
      tokio: locked("tokio"),
    },
  };
}
