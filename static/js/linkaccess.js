// @ts-check
/**
 * What a connection of the client library shows to a server that asks for a key.
 *
 * Owns: what the last connection has shown. Does not own: who the viewer is (`access.js`). A page has one client.
 */

import { bearer, enter, entrance } from "./access.js";

/** @typedef {import("../clients/js/closing.js").Failure} Failure */
/** @typedef {import("./access.js").Shown} Shown */

/** @type {string | null} */
let shown = null;
/** The last failure that led to the entrance. @type {Failure | null} */
let refusal = null;

/** Whether the viewer is being asked for a key, or the page gets a ticket. */
export function isEntering() {
  return entrance() !== null;
}

/** The option `token` of the client library. While the page gets in, it waits: no connection is made without a key. @returns {Shown} */
export function token() {
  const given = entrance()?.then(bearer, bearer) ?? bearer();
  /** @param {string | null} text */
  const note = (text) => (shown = text);
  return given instanceof Promise ? given.then(note) : note(given);
}

/** Gets in, if the connection has failed for want of a key. The next attempt waits for it. @param {Failure | null} failure */
export function onFailure(failure) {
  const entering = entrance();
  // Another request was refused before.
  if (entering !== null) return entering.catch(() => false);
  const isAsked = failure?.status === 401 || failure?.code === 4403 || failure?.code === 4408;
  if (!isAsked || failure === refusal) return Promise.resolve(false);
  refusal = failure;
  return enter(shown).catch(() => false);
}
