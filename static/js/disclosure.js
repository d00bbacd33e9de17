// @ts-check
/**
 * A button that shows and hides what belongs to it.
 *
 * Owns: whether it is shown. Does not own: what is shown.
 */

/** What is open closes when another one opens. @type {Disclosure | null} */
let shown = null;

export class Disclosure {
  #button;
  #panel;
  #onOpen;

  /** @param {HTMLElement} button @param {HTMLElement} panel @param {() => void} [onOpen] fills the panel */
  constructor(button, panel, onOpen = () => {}) {
    this.#button = button;
    this.#panel = panel;
    this.#onOpen = onOpen;
    button.setAttribute("aria-controls", panel.id);
    button.ariaExpanded = "false";
    button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close(true);
    });
    button.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    document.addEventListener("pointerdown", ({ target }) => {
      if (this.isOpen && target instanceof Node && !panel.contains(target) && !button.contains(target)) this.close();
    });
    panel.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !panel.contains(relatedTarget) && relatedTarget !== button) this.close();
    });
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  open() {
    if (shown !== this) shown?.close();
    shown = this;
    this.#onOpen();
    this.#panel.hidden = false;
    this.#button.ariaExpanded = "true";
    /** @type {HTMLElement | null} */ (this.#panel.querySelector("input, select, button"))?.focus({ preventScroll: true });
  }

  /** @param {boolean} [returnsFocus] whether the focus goes back to the button */
  close(returnsFocus = this.#panel.contains(document.activeElement)) {
    if (!this.isOpen) return;
    if (shown === this) shown = null;
    this.#panel.hidden = true;
    this.#button.ariaExpanded = "false";
    if (returnsFocus) this.#button.focus({ preventScroll: true });
  }
}
