// @ts-check
/**
 * Notices that the server has another version of this page, as after an update: files that this page loads later may be gone, and its
 * protocol may have changed. The viewer is offered to reload; the page does not do so by itself.
 *
 * Owns: this judgement. Does not own: the offer (`outdated.js`), when to look (`live.js`, after a connection to another run of the server).
 */

import { byId } from "./element.js";

/** The version of this page; undefined where the files have none. */
const OWN = versionIn(import.meta.url);
/** The run of the server of the last look. @type {string | null} */
let seen = null;

/** Returns the version in an address below `static/`, or in a page with such addresses. @param {string} text */
export function versionIn(text) {
  return /\bstatic\/([0-9a-f]{16})\//.exec(text)?.[1];
}

/** Looks whether this run of the server has another version; not for the first run, which has served this page. @param {string | null} epoch */
export async function lookForUpdate(epoch) {
  const isFirst = seen === null;
  if (epoch === seen) return;
  seen = epoch;
  if (isFirst || OWN === undefined) return;
  try {
    const response = await fetch("./", { cache: "no-cache", headers: { accept: "text/html" } });
    const version = response.ok ? versionIn(await response.text()) : undefined;
    byId("outdated").hidden = version === undefined || version === OWN;
  } catch {
    // The next run is looked at.
  }
}
