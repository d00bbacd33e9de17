// @ts-check
/**
 * Tickets for the addresses of an `EventSource` and a `WebSocket`, which can send no key.
 *
 * Owns: the requests for tickets that are good once. Does not own: who the viewer is (`access.js`).
 */

import { bearer, fetchAs, isSignedIn } from "./access.js";

/** Whether the server has said that no ticket is needed. */
let isOpen = false;

/**
 * Returns the path with a ticket, if the server asks for one: at once, if it is known that it does not. Null if the server does not answer, or
 * gives none.
 * @param {string} path @returns {string | Promise<string | null>}
 */
export function addressAs(path) {
  return isOpen ? path : withTicket(path).catch(/** @returns {null} */ () => null);
}

/** @param {string} path */
async function withTicket(path) {
  // A ticket of the pages is good until its end.
  let ticket = isSignedIn() ? null : await bearer();
  if (ticket === null) {
    const response = await fetchAs("api/v1/ticket", { method: "POST" });
    isOpen = response.status === 204;
    if (isOpen) return path;
    if (response.status !== 200) return null;
    ({ ticket } = /** @type {{ ticket: string }} */ (await response.json()));
  }
  return `${path}${path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(ticket)}`;
}
