// @ts-check
/**
 * What a connection of the client library shows to a server that asks for a key.
 *
 * Owns: what the last connection has shown. Does not own: who the viewer is (`access.js`). A page has one client.
 */

import { bearer, enter } from "./access.js";

/** @typedef {import("../clients/js/closing.js").Failure} Failure */
/** @typedef {import("./access.js").Shown} Shown */

/** @type {string | null} */
let shown = null;
/** The last failure that led to the entrance. @type {Failure | null} */
let refusal = null;

/** The option `token` of the client library. @returns {Shown} */
export function token() {
  const given = bearer();
  /** @param {string | null} text */
  const note = (text) => (shown = text);
  return given instanceof Promise ? given.then(note) : note(given);
}

/** Gets in, if the connection has failed for want of a key. The next attempt waits for it. @param {Failure | null} failure */
export function onFailure(failure) {
  const isAsked = failure?.status === 401 || failure?.code === 4403;
  if (!isAsked || failure === refusal) return Promise.resolve(false);
  refusal = failure;
  return enter(shown).catch(() => false);
}
