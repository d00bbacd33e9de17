// @ts-check
// Prepares a measurement: installs packages by their lock files, makes release builds.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import { CERTIFICATE, PEERS, PEERS_TARGET, ROOT, TARGET } from "./paths.mjs";

/** A build that takes longer is ended. */
const BUILD_MS_MAX = 30 * 60_000;

/** @param {string} command @param {string[]} args @param {import("node:child_process").SpawnSyncOptions} options */
function call(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"], timeout: BUILD_MS_MAX, ...options });
  if (error || status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${error?.message ?? `exit code ${status}`}`);
}

/** Builds everything that is out of date. @param {{ skip: boolean }} options */
export function build({ skip }) {
  if (skip) return;
  const installed = join(PEERS, "node_modules", ".package-lock.json");
  const locked = join(PEERS, "package-lock.json");
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(locked).mtimeMs) call("npm", ["ci", "--no-audit", "--no-fund"], { cwd: PEERS });
  const env = (/** @type {string} */ target) => ({ env: { ...process.env, CARGO_TARGET_DIR: target } });
  call("cargo", ["build", "--release", "--locked", "--quiet", "--bin", "tickcast", "--bin", "tickcast-load"], { cwd: ROOT, ...env(TARGET) });
  call("cargo", ["run", "--release", "--locked", "--quiet", "--example", "certificate", "--", CERTIFICATE], { cwd: ROOT, ...env(TARGET) });
  call("cargo", ["build", "--release", "--locked", "--quiet"], { cwd: PEERS, ...env(PEERS_TARGET) });
}
