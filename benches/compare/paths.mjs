// @ts-check
// Paths of the repository and of builds. Creates nothing.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const PEERS = join(ROOT, "benches", "peers");
/** What cargo builds goes below the folder that tickcast itself is built in. */
export const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
export const PEERS_TARGET = join(TARGET, "peers");
/** The folder of a certificate that is made for the measurements over TLS. */
export const CERTIFICATE = join(TARGET, "compare-tls");
export const RESULTS = join(TARGET, "compare.json");
export const PAGE = join(ROOT, "docs", "BENCHMARKS.md");
