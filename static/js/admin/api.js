// @ts-check
/**
 * The requests to the listener of the operators, with the key of this tab.
 *
 * Owns: the key, which `sessionStorage` keeps until the tab is closed. Does not own: the page.
 */

const KEY = "tickcast.operator";
const TIMEOUT_MS = 10_000;

/** The value of `Authorization`; empty without a key. @type {string} */
let authorization = read();

/** An answer that is no success. */
export class RefusedError extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Returns whether this tab has a key. */
export function hasKey() {
  return authorization !== "";
}

/** Sets the key of this tab; none without an id. @param {string} id @param {string} secret */
export function setKey(id, secret) {
  const bytes = new TextEncoder().encode(`${id}:${secret}`);
  authorization = id === "" ? "" : `Basic ${btoa(String.fromCodePoint(...bytes))}`;
  try {
    if (authorization === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, authorization);
  } catch {
    // Storage is denied: the key lasts as long as the page.
  }
}

function read() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/**
 * Sends a request below `/admin/` and returns the answer, which the server promises to be a `T` (docs/ACCESS.md).
 * @template T
 * @param {string} method
 * @param {string} path with its query
 * @param {unknown} [body]
 * @returns {Promise<T>}
 * @throws {RefusedError} if the server refuses it
 */
export async function send(method, path, body) {
  const response = await fetch(`admin/${path}`, {
    method,
    headers: { accept: "application/json", ...(hasKey() ? { authorization } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  /** @type {unknown} */
  const answer = await response.json().catch(() => ({}));
  const { detail = response.status } = /** @type {{ detail?: unknown }} */ (answer);
  if (!response.ok) throw new RefusedError(response.status, String(detail));
  return /** @type {T} */ (answer);
}
