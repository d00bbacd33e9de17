// @ts-check
/**
 * What this page shows to a server that asks for a key. Nothing, until the server has asked for one: then `entrance.js` is loaded, which
 * gets a ticket of the pages, or asks the viewer for a key.
 *
 * Owns: the key of this tab while the page lives, and the requests that are sent with it.
 */

/** Where the tab keeps the key; `first.js` reads it, too. */
export const STORED = "tickcast.key";

/** @typedef {string | null | Promise<string | null>} Shown a key or a ticket; null for none */

/** @typedef {{ admit: (used: string | null) => Promise<boolean>, showAccount: () => Promise<void> }} Entrance `entrance.js` */

/** Each page has a script of its own with the way in. @type {() => Promise<Entrance>} */
let load = async () => ({ admit: async () => false, showAccount: async () => {} });
/** @type {string | null} */
let key = stored();
/** Returns what is shown without a key. @type {() => Shown} */
let ticket = () => null;
/** @type {Promise<boolean> | null} */
let entering = null;

/** Whether the viewer has given a key. */
export function isSignedIn() {
  return key !== null;
}

/** Returns what proves who the viewer is. @returns {Shown} */
export function bearer() {
  return key ?? ticket();
}

/** Sets the key; null for none. @param {string | null} given */
export function setKey(given) {
  key = given;
}

/** Sets what gets the tickets that are shown without a key. @param {() => Shown} get */
export function setTickets(get) {
  ticket = get;
}

/**
 * Fetches with the viewer's key, and once more if the server asks for one and gets it.
 * @param {string} url @param {RequestInit} [init] @param {Promise<Response>} [begun] the response, if the request was sent already
 * @returns {Promise<Response>}
 */
export async function fetchAs(url, init = {}, begun) {
  // Without a wait where there is nothing to wait for: the request is sent at once.
  const given = begun ? key : bearer();
  const used = given instanceof Promise ? await given : given;
  const response = await (begun ?? fetch(url, signed(init, used)));
  if (response.status !== 401 || !(await enter(used))) return response;
  return fetch(url, signed(init, await bearer()));
}

/**
 * Gets in, after the server has answered 401.
 * @param {string | null} used what the request was sent with
 * @returns {Promise<boolean>} whether there is something else to show now
 */
export function enter(used) {
  entering ??= load().then(({ admit }) => admit(used)).finally(() => { entering = null; });
  return entering;
}

/** The way in that is being taken; null if there is none. */
export function entrance() {
  return entering;
}

/** Tells how this page loads its way in, and lets a viewer who has given a key sign out. @param {typeof load} loader */
export async function startAccess(loader) {
  load = loader;
  if (key !== null) await (await load()).showAccount();
}

/** @param {RequestInit} init @param {string | null} text */
function signed(init, text) {
  return text === null ? init : { ...init, headers: { ...init.headers, authorization: `Bearer ${text}` } };
}

/** @returns {string | null} */
function stored() {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}
