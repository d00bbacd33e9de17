// @ts-check
/**
 * Computes `Sec-WebSocket-Accept` from `Sec-WebSocket-Key` (RFC 6455 sections 1.3 and 4.2.2), and checks keys.
 *
 * Owns: the computation. Does not own: its look (`keys.js`). Pure. SHA-1 comes from a library, because `crypto.subtle` exists on https
 * and localhost only.
 */

import { sha1 } from "../../node_modules/@noble/hashes/legacy.js";
import { mark } from "../i18n.js";

/** The GUID that is appended to every key. */
export const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** The length of a key, in bytes. */
export const KEY_BYTES = 16;

/** @typedef {{ phrase: string, values: Record<string, string | number> }} Problem */

/**
 * Returns the bytes of a key, or the mistake in it.
 * @param {string} key without space around it
 * @returns {{ bytes: Uint8Array, problem: null } | { bytes: null, problem: Problem }}
 */
export function checkKey(key) {
  /** @param {string} phrase @returns {{ bytes: null, problem: Problem }} */
  const wrong = (phrase, values = {}) => ({ bytes: null, problem: { phrase, values } });
  if (key === "") return wrong(mark("A key is needed: 24 characters, which are 16 bytes in Base64."));
  const stranger = [...key].find((character) => !/[A-Za-z0-9+/=]/.test(character));
  if (stranger) return wrong(mark("“{stranger}” does not occur in Base64, which has A–Z, a–z, 0–9, + and /."), { stranger });
  if (/=[^=]|===/.test(key)) return wrong(mark("The sign = only fills up the end of Base64, at most twice."));
  if (key.length % 4 !== 0) {
    return wrong(mark("Base64 comes in groups of four characters, and these are {length}: too few, or without the == at the end."), { length: key.length });
  }
  const bytes = Uint8Array.from(atob(key), (character) => character.charCodeAt(0));
  if (bytes.length !== KEY_BYTES) {
    return wrong(mark("These are {count} bytes in Base64; a key has 16, which are 24 characters with == at the end."), { count: bytes.length });
  }
  return { bytes, problem: null };
}

/**
 * Returns each step from a key to its accept value.
 * @param {string} key
 */
export function acceptSteps(key) {
  const joined = key + GUID;
  const digest = sha1(new TextEncoder().encode(joined));
  return { joined, digest, accept: toBase64(digest) };
}

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/**
 * Returns the groups of Base64: up to three bytes each, with their four characters.
 * @param {Uint8Array} bytes
 */
export function base64Groups(bytes) {
  const groups = [];
  for (let start = 0; start < bytes.length; start += 3) {
    const part = bytes.slice(start, start + 3);
    groups.push({ bytes: part, characters: toBase64(part) });
  }
  return groups;
}
