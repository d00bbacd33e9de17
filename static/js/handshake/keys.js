// @ts-check
/**
 * The section that computes the accept value of a key, step by step.
 *
 * Owns: the field, its presets, the steps. Does not own: the computation (`accept.js`).
 */

import { byId, element } from "../element.js";
import { mark, t } from "../i18n.js";
import { setText } from "../write.js";
import { acceptSteps, base64Groups, checkKey, GUID, KEY_BYTES, toBase64 } from "./accept.js";
import { toHex } from "./dissector.js";

/** The example of RFC 6455 section 1.3. */
const RFC_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

export class KeySteps {
  #field = /** @type {HTMLInputElement} */ (byId("key"));
  /** Key and accept value of the page's own socket. @type {{ key: string, accept: string } | null} */
  #live = null;
  #touched = false;

  constructor() {
    this.#field.value = RFC_KEY;
    this.#field.addEventListener("input", () => {
      this.#touched = true;
      this.paint();
    });
    byId("keys").addEventListener("click", (event) => {
      const preset = event.target instanceof HTMLElement ? event.target.dataset.key : undefined;
      if (preset) this.#choose(preset);
    });
    setText(byId("guid"), GUID);
  }

  /** Takes the key of the page's own socket, and shows it unless the reader has typed a key. @param {{ key: string, accept: string }} live */
  learn(live) {
    this.#live = live;
    if (!this.#touched) this.#field.value = live.key;
    this.paint();
  }

  paint() {
    const key = this.#field.value.trim();
    const { bytes, problem } = checkKey(key);
    setText(byId("key-problem"), problem ? t(problem.phrase, problem.values) : "");
    this.#field.setAttribute("aria-invalid", String(problem !== null));
    byId("key-bytes").replaceChildren(...cells(bytes ?? new Uint8Array(0), true));
    byId("keys").dataset.valid = String(problem === null);
    const steps = problem ? null : acceptSteps(key);
    byId("joined").replaceChildren(...(steps ? [element("b", {}, key), GUID] : ["–"]));
    byId("digest").replaceChildren(...cells(steps?.digest ?? new Uint8Array(0), false));
    byId("groups").replaceChildren(...(steps ? base64Groups(steps.digest).map(group) : []));
    setText(byId("accept"), steps?.accept ?? "–");
    setText(byId("accept-note"), this.#note(key, steps?.accept));
  }

  /** @param {string} key @param {string | undefined} accept */
  #note(key, accept) {
    if (!accept) return t("The server would refuse this key with 400.");
    if (key !== this.#live?.key) return "";
    return accept === this.#live.accept
      ? t("This is what the server has answered to this page.")
      : t("The server has answered with another value: {accept}", { accept: this.#live.accept });
  }

  /** @param {string} preset */
  #choose(preset) {
    this.#touched = preset !== "socket";
    if (preset === "rfc") this.#field.value = RFC_KEY;
    else if (preset === "random") this.#field.value = toBase64(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
    else if (this.#live) this.#field.value = this.#live.key;
    this.paint();
  }
}

/** @param {Uint8Array} bytes @param {boolean} withCharacters below those that can be printed */
function cells(bytes, withCharacters) {
  return [...bytes].map((byte) => {
    const cell = element("span", { class: "byte" }, element("code", {}, toHex(byte)));
    if (withCharacters) cell.append(element("small", { "aria-hidden": "true" }, printable(byte) ?? "·"));
    return cell;
  });
}

/** Returns the printable ASCII character of a byte, or null. @param {number} byte */
export function printable(byte) {
  if (byte === 0x20) return "␣";
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : null;
}

/** @param {{ bytes: Uint8Array, characters: string }} group */
function group({ bytes, characters }) {
  const hex = [...bytes].map(toHex).join(" ");
  return element("span", { class: "group" }, element("code", {}, hex), element("span", { "aria-label": t(mark("becomes")) }, "→"), element("code", { class: "strong" }, characters));
}
