// @ts-check
/**
 * The format of a number of bytes.
 */

import { formatCount } from "./format.js";

/** Writes a number of bytes in thousands or millions, with one decimal below ten. @param {number} bytes */
export function formatBytes(bytes) {
  const [size, unit] = bytes < 999_950 ? [1e3, "kB"] : [1e6, "MB"];
  const count = bytes / size;
  return `${count < 9.95 ? count.toFixed(1) : formatCount(count)} ${unit}`;
}
