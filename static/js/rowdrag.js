// @ts-check
/**
 * Moves a row of the watchlist with the pointer: a mouse drags the row itself, a finger its grip, since elsewhere it scrolls.
 *
 * Owns: the gesture and the mark of the place. Does not own: the order (`watch.js`).
 */

/** A movement below this is a click. */
const START_PX = 6;
/** The rows scroll while the pointer is so near to their edge, by so much a frame. */
const EDGE_PX = 28;
const SCROLL_PX = 9;

/**
 * @typedef {object} DragHandlers
 * @property {(symbol: string) => boolean} onStart returns whether the row can be moved
 * @property {(symbol: string, target: string, isAfter: boolean) => void} onDrop
 */

export class RowDrag {
  #body;
  #scroller;
  #handlers;
  /** @type {{ row: HTMLElement, id: number, y: number, isMoving: boolean } | null} */
  #held = null;
  /** @type {{ row: HTMLElement, isAfter: boolean } | null} */
  #place = null;
  #y = 0;

  /** @param {HTMLElement} body @param {HTMLElement} scroller @param {DragHandlers} handlers */
  constructor(body, scroller, handlers) {
    this.#body = body;
    this.#scroller = scroller;
    this.#handlers = handlers;
    body.addEventListener("pointerdown", (event) => this.#onDown(event));
    body.addEventListener("pointermove", (event) => this.#onMove(event));
    body.addEventListener("pointerup", () => this.#end(true));
    body.addEventListener("pointercancel", () => this.#end(false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#held?.isMoving) this.#end(false);
    });
  }

  /** Whether a row is being moved. */
  get isMoving() {
    return this.#held?.isMoving ?? false;
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    const target = event.target instanceof Element ? event.target : null;
    const row = target?.closest("tr[data-symbol]");
    if (!(row instanceof HTMLElement) || event.button !== 0 || target?.closest("button")) return;
    if (event.pointerType !== "mouse" && !target?.closest(".grip")) return;
    this.#held = { row, id: event.pointerId, y: event.clientY, isMoving: false };
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    const held = this.#held;
    if (!held || event.pointerId !== held.id) return;
    this.#y = event.clientY;
    if (!held.isMoving) {
      if (Math.abs(event.clientY - held.y) < START_PX) return;
      if (!this.#handlers.onStart(held.row.dataset.symbol ?? "")) {
        this.#held = null;
        return;
      }
      held.isMoving = true;
      this.#body.setPointerCapture(held.id);
      this.#body.dataset.moving = "";
      held.row.dataset.moved = "";
      this.#scroll();
    }
    event.preventDefault();
    this.#mark();
  }

  /** Marks the place where the row would be put. */
  #mark() {
    const rows = [...this.#body.querySelectorAll("tr[data-symbol]")];
    const row = rows.find((each) => this.#y < each.getBoundingClientRect().bottom) ?? rows.at(-1);
    if (!(row instanceof HTMLElement)) return;
    const { top, height } = row.getBoundingClientRect();
    const isAfter = this.#y > top + height / 2;
    if (this.#place?.row === row && this.#place.isAfter === isAfter) return;
    delete this.#place?.row.dataset.place;
    this.#place = { row, isAfter };
    row.dataset.place = isAfter ? "after" : "before";
  }

  #scroll() {
    if (!this.#held?.isMoving) return;
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    if (this.#y < top + EDGE_PX) this.#scroller.scrollTop -= SCROLL_PX;
    else if (this.#y > bottom - EDGE_PX) this.#scroller.scrollTop += SCROLL_PX;
    requestAnimationFrame(() => this.#scroll());
  }

  /** @param {boolean} isDropped */
  #end(isDropped) {
    const held = this.#held;
    const place = this.#place;
    this.#held = this.#place = null;
    if (!held?.isMoving) return;
    delete this.#body.dataset.moving;
    delete held.row.dataset.moved;
    delete place?.row.dataset.place;
    // The click that ends a drag charts nothing.
    const swallow = (/** @type {Event} */ event) => event.stopPropagation();
    this.#body.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => this.#body.removeEventListener("click", swallow, { capture: true }));
    if (isDropped && place) this.#handlers.onDrop(held.row.dataset.symbol ?? "", place.row.dataset.symbol ?? "", place.isAfter);
  }
}
