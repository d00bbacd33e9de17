// @ts-check
/**
 * The dialog that asks the viewer for a key. Loaded when it is needed, with its style sheet.
 *
 * Owns: the dialog. Does not own: what becomes of the key (`entrance.js`).
 */

import { element } from "./element.js";
import { mark, onLanguage, t } from "./i18n.js";
import { setText } from "./write.js";

/** What is said of the key, by the status of the server's answer to a request with it. @type {Readonly<Record<number, string>>} */
const REFUSALS = {
  401: mark("The server does not accept this key."),
  403: mark("This key may not be used here."),
  429: mark("Too many requests came from your address. Wait a minute."),
};
const MISTYPED = mark("The key was cut or mistyped: its checksum is wrong.");
const FAILED = mark("The server does not answer. Try again.");
const ENDED = mark("Your key is no longer valid.");
/** How long the server may take to judge a key, in milliseconds. */
const ANSWER_MS = 10_000;

/** @typedef {ReturnType<typeof build>} Dialog */

/** @type {Dialog | null} */
let made = null;
/** Why the last key was refused: a phrase for `t()`. */
let refusal = "";
let isTrying = false;
/** Ends the question. @type {(key: string | null) => void} */
let answer = () => {};
/** @type {Promise<void> | null} */
let styles = null;

/**
 * Asks for a key until the server accepts one.
 * @param {boolean} hasEnded whether the server accepts the viewer's last key no more
 * @returns {Promise<string | null>} null if the viewer closes the dialog
 */
export async function askKey(hasEnded) {
  await styled();
  made ??= build();
  const { dialog, field } = made;
  refusal = hasEnded ? ENDED : "";
  field.value = "";
  paint(made);
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => { answer = resolve; });
}

/** Loads the style sheet, once; resolves also if it cannot be loaded. */
export function styled() {
  styles ??= new Promise((resolve) => {
    // From wherever below `js/` this script is.
    const link = element("link", { rel: "stylesheet", href: import.meta.url.replace(/js\/.*$/, "css/signin.css") });
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
  return styles;
}

function build() {
  const title = element("h2", { id: "signin-title" });
  const why = element("p", { id: "signin-why" });
  const label = element("label", { for: "signin-key" });
  const field = element("input", {
    id: "signin-key", type: "password", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": "signin-why signin-note",
  });
  const note = element("p", { id: "signin-note", role: "alert" });
  const button = element("button", { type: "submit", class: "primary" });
  const later = element("button", { type: "button" });
  const form = element("form", { method: "dialog" }, title, why, label, field, note, element("div", { class: "buttons" }, later, button));
  const dialog = element("dialog", { id: "signin", "aria-labelledby": "signin-title" }, form);
  const parts = { dialog, title, why, label, field, note, button, later };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void tryKey(parts);
  });
  later.addEventListener("click", () => dialog.close());
  // Also after Escape. A key that was accepted has been the answer before.
  dialog.addEventListener("close", () => answer(null));
  field.addEventListener("input", () => {
    refusal = "";
    paint(parts);
  });
  document.body.append(dialog);
  onLanguage(() => paint(parts));
  return parts;
}

/** Tries the key, and answers the question with it if the server accepts it. @param {Dialog} parts */
async function tryKey(parts) {
  const { dialog, field } = parts;
  const key = field.value.trim();
  if (key === "" || isTrying) return;
  isTrying = true;
  refusal = "";
  paint(parts);
  const { status, isMistyped } = await judge(key);
  isTrying = false;
  refusal = status === 200 ? "" : isMistyped ? MISTYPED : (REFUSALS[status] ?? FAILED);
  paint(parts);
  if (status === 200) {
    answer(key);
    dialog.close();
  } else if (dialog.open) {
    field.select();
    field.focus();
  }
}

/** Returns the status of the server's answer to a request with this key, 0 without one, and whether its checksum is wrong. @param {string} key */
export async function judge(key) {
  // No other characters may be in a header, nor in a key.
  if (!/^[ -~]+$/.test(key)) return { status: 401, isMistyped: false };
  try {
    const init = { headers: { accept: "application/json", authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(ANSWER_MS) };
    const response = await fetch("api/v1/symbols", init);
    const { status } = response;
    // An answer to HEAD would have no reason.
    if (status !== 401) void response.body?.cancel();
    /** @type {import("./protocol.js").Problem | null} */
    const problem = status === 401 ? await response.json().catch(/** @returns {null} */ () => null) : null;
    return { status, isMistyped: problem?.detail?.includes("checksum") === true };
  } catch {
    return { status: 0, isMistyped: false };
  }
}

/** @param {Dialog} parts */
function paint({ title, why, label, field, note, button, later }) {
  setText(title, t("This server asks for a key"));
  setText(why, t("Give the secret of your key, or a token. It stays in this tab until you close it or sign out."));
  setText(label, t("Key"));
  setText(button, isTrying ? t("Signing in") : t("Sign in"));
  setText(later, t("Not now"));
  button.setAttribute("aria-disabled", String(isTrying));
  field.setAttribute("aria-invalid", String(refusal !== ""));
  setText(note, refusal === "" ? "" : t(refusal));
}
