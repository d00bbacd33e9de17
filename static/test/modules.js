// @ts-check
// Finds the modules that a module is made of.
import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** Returns the paths below `static/` of a module and of everything that it imports, also on demand. @param {string} entry */
export function modulesOf(entry) {
  const found = new Set([entry]);
  for (const name of found) {
    const source = readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
    for (const [, imported] of source.matchAll(/^(?:import|export)\b[^;"]*?from "(\..+?)";/gm)) {
      found.add(posix.join(posix.dirname(name), imported));
    }
    for (const [, imported] of source.matchAll(/await import\("(\..+?)"\)/g)) found.add(posix.join(posix.dirname(name), imported));
  }
  return [...found];
}
