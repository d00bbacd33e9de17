// @ts-check
/**
 * The table of sessions. A row keeps its element while the session is shown, and while one has the focus no row moves.
 *
 * Owns: the head and the body of the table, and the order. Does not own: the sessions, or what a button does.
 */

/** @typedef {import("./columns.js").Session} Session */
/** @typedef {import("./columns.js").Order} Order */

import { byId, element } from "../element.js";
import { mark, t } from "../i18n.js";
import { setText } from "../write.js";
import { COLUMNS, isSlow, sorted, turned } from "./columns.js";

/** Cells whose value says how slow a slow session is. */
const SLOW = new Set(["waiting_ms", "lag", "queue"]);
const ACTIONS = { end: mark("End"), "end-key": mark("End all of the key") };

export class SessionTable {
  #columns = byId("columns");
  #body = /** @type {HTMLTableSectionElement} */ (document.querySelector("#sessions tbody"));
  /** @type {Map<string, { row: HTMLTableRowElement, cells: HTMLElement[], buttons: HTMLButtonElement[] }>} */
  #rows = new Map();
  /** @type {readonly Session[]} */
  #sessions = [];
  /** @type {Order} */
  #order = null;
  #onEnd;

  /** @param {(session: Session, isWholeKey: boolean) => void} onEnd a button of a session was pressed */
  constructor(onEnd) {
    this.#onEnd = onEnd;
    for (const column of COLUMNS) {
      const button = element("button", { type: "button" });
      button.addEventListener("click", () => {
        this.#order = turned(this.#order, column);
        this.translate();
        this.show(this.#sessions, true);
      });
      this.#columns.append(element("th", { scope: "col", "data-column": column.id, class: column.isNumber ? "number" : "" }, button));
    }
    this.#columns.append(element("th", { scope: "col" }, element("span", { class: "unseen" })));
    this.translate();
  }

  /** Writes the titles in the active language, and the order. */
  translate() {
    const heads = [...this.#columns.children];
    COLUMNS.forEach(({ id, title }, index) => {
      const head = heads[index];
      const isSorted = this.#order?.id === id;
      const arrow = isSorted ? (this.#order?.isDown ? " ▼" : " ▲") : "";
      setText(head.firstElementChild, `${t(title)}${arrow}`);
      if (isSorted) head.setAttribute("aria-sort", this.#order?.isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    setText(heads[COLUMNS.length].firstElementChild, t("Orders"));
    for (const [name, { buttons }] of this.#rows) this.#label(name, buttons);
  }

  /** @param {string} name of the session @param {HTMLButtonElement[]} buttons */
  #label(name, [end, endKey]) {
    setText(end, t(ACTIONS.end));
    end.setAttribute("aria-label", t("End the session {name}", { name }));
    setText(endKey, t(ACTIONS["end-key"]));
  }

  /** Shows these sessions, in the order of the server. @param {readonly Session[]} sessions @param {boolean} [isMoved] rows may move in any case */
  show(sessions, isMoved = false) {
    this.#sessions = sessions;
    const present = new Set(sessions.map(({ session }) => session));
    for (const [name, { row }] of this.#rows) {
      if (present.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    const isHeld = !isMoved && this.#body.contains(document.activeElement);
    const ordered = sorted(sessions, this.#order);
    let before = this.#body.firstElementChild;
    for (const session of ordered) {
      const known = this.#rows.get(session.session);
      const { row, cells, buttons } = known ?? this.#add(session);
      this.#write(session, cells, buttons);
      if (row === before) before = row.nextElementSibling;
      else if (!known || !isHeld) this.#body.insertBefore(row, isHeld ? null : before);
    }
    byId("none").hidden = sessions.length > 0;
  }

  /** @param {Session} session */
  #add(session) {
    const name = session.session;
    const cells = COLUMNS.map(({ id, isNumber }) => element(id === "session" ? "th" : "td", {
      "data-column": id, class: isNumber ? "number" : "", ...(id === "session" ? { scope: "row" } : {}),
    }));
    const buttons = Object.keys(ACTIONS).map((action) => element("button", { type: "button", class: "button danger", "data-action": action }));
    buttons.forEach((button, index) => {
      button.addEventListener("click", () => {
        const present = this.#sessions.find((each) => each.session === name);
        if (present) this.#onEnd(present, index === 1);
      });
    });
    this.#label(name, buttons);
    const row = element("tr", { "data-session": name }, ...cells, element("td", { class: "actions" }, ...buttons));
    const made = { row, cells, buttons };
    this.#rows.set(name, made);
    return made;
  }

  /** @param {Session} session @param {HTMLElement[]} cells @param {HTMLButtonElement[]} buttons */
  #write(session, cells, [, endKey]) {
    COLUMNS.forEach(({ id, write }, index) => {
      setText(cells[index], write(session));
      if (SLOW.has(id)) cells[index].classList.toggle("slow", isSlow(session) && Number(session[id]) > 0);
    });
    endKey.hidden = session.name === null;
  }
}
