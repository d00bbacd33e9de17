// @ts-check
/**
 * The way in to a server that asks for a key: a ticket of the key of its pages (`auth.page_key`), or a key of the viewer's own. Loaded when
 * the server asks for one, or has one.
 *
 * Owns: the ticket, the decision whom to ask, and the button in the masthead. Does not own: the dialog (`signin.js`), what is sent
 * (`access.js`).
 */

import { bearer, isSignedIn, setKey, setTickets, STORED } from "./access.js";
import { element } from "./element.js";
import { onLanguage, t } from "./i18n.js";
import { askKey, styled } from "./signin.js";
import { setText } from "./write.js";

/** Another ticket is requested so long before the end of the last one, in milliseconds. */
const MARGIN_MS = 60_000;
const TICKETS = "api/v1/ticket";

/** `until_ms` is a time of `performance.now()`. @type {{ text: string, until_ms: number } | null} */
let ticket = null;
/** Several requests share one way in, and one request for a ticket. @type {Promise<boolean> | null} */
let entering = null;
/** @type {Promise<string | null> | null} */
let renewal = null;
/** Whether the viewer wants to be asked later. */
let isPutOff = false;
/** @type {HTMLButtonElement | null} */
let account = null;

/**
 * Gets in, after the server has refused what was shown.
 * @param {string | null} used @returns {Promise<boolean>} whether there is something else to show now
 */
export function admit(used) {
  // Another request has got in since.
  if (entering === null && used !== bearer()) return Promise.resolve(true);
  entering ??= begin().finally(() => { entering = null; });
  return entering;
}

async function begin() {
  if (!isSignedIn() && (await renew()) !== null) return true;
  // A page that is shown inside one of somebody else has no masthead, and is no place for a key.
  if (isPutOff || document.querySelector(".masthead") === null) return false;
  const given = await askKey(isSignedIn());
  isPutOff = given === null;
  if (given !== null) return keep(given);
  void showAccount();
  return false;
}

/**
 * Keeps a key for this tab, or forgets it, and starts the page anew. Where the browser denies storage, the key lasts as long as the page.
 * @param {string | null} given @returns {Promise<boolean>} true; if the page starts anew, never
 */
function keep(given) {
  setKey(given);
  try {
    if (given === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, given);
  } catch {
    void showAccount();
    if (given !== null) return Promise.resolve(true);
  }
  location.reload();
  return new Promise(() => {});
}

/** Shows the button in the masthead: to sign out, or to sign in after all. */
export async function showAccount() {
  await styled();
  const write = () => account && setText(account, isSignedIn() ? t("Sign out") : t("Sign in"));
  if (account === null) {
    account = element("button", { type: "button", id: "account" });
    account.addEventListener("click", () => {
      isPutOff = false;
      if (isSignedIn()) void keep(null);
      else void admit(null);
    });
    document.querySelector("#language")?.before(account);
    onLanguage(write);
  }
  write();
}

/** Returns the ticket of the pages, which is renewed before it ends. */
function current() {
  return ticket === null || performance.now() < ticket.until_ms ? (ticket?.text ?? null) : renew();
}

/** Requests a ticket of the pages. @returns {Promise<string | null>} null if the server gives none */
function renew() {
  renewal ??= fetchTicket().finally(() => { renewal = null; });
  return renewal;
}

async function fetchTicket() {
  const response = await fetch(TICKETS, { method: "POST" }).catch(/** @returns {null} */ () => null);
  ticket = null;
  if (response?.status !== 200) return null;
  /** @type {{ ticket: string, expires_at: number }} */
  const { ticket: text, expires_at } = await response.json();
  // By the server's own clock, as this one may be wrong.
  const now_ms = Date.parse(response.headers.get("date") ?? "") || Date.now();
  const left_ms = expires_at / 1_000 - now_ms;
  ticket = { text, until_ms: performance.now() + Math.max(left_ms - MARGIN_MS, left_ms / 2) };
  setTickets(current);
  return text;
}
