// @ts-check
/**
 * Asks before an order that ends something.
 *
 * Owns: the dialog.
 */

import { byId } from "../element.js";
import { setText } from "../write.js";

/**
 * Asks, and waits for the answer.
 * @param {string} text translated
 * @param {string} yes the label of the button that agrees, translated
 * @returns {Promise<boolean>}
 */
export function ask(text, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
  if (dialog.open) return Promise.resolve(false);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), yes);
  return new Promise((resolve) => {
    const [agree, cancel] = [byId("ask-yes"), byId("ask-no")];
    agree.onclick = () => dialog.close("yes");
    cancel.onclick = () => dialog.close("no");
    dialog.returnValue = "no";
    // Also after Escape.
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
    // The safe answer.
    cancel.focus();
  });
}
