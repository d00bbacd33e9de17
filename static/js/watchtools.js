// @ts-check
/**
 * The tools of the watchlist: which list is shown, the filter, the columns, and a menu of everything that is done to a whole list.
 *
 * Owns: these elements. Does not own: what they do (`watchpanel.js`).
 */

/** @typedef {import("./watch.js").List} List */

import { COLUMNS } from "./columns.js";
import { Disclosure } from "./disclosure.js";
import { byId, element } from "./element.js";
import { t } from "./i18n.js";
import { LINK_ID, NAME_CHARS_MAX } from "./watch.js";

/**
 * @typedef {object} ToolHandlers
 * @property {() => { lists: readonly List[], active: string }} lists
 * @property {() => string[]} columns the keys of the shown columns, in their order
 * @property {() => { hasSections: boolean, isSorted: boolean, canUndo: boolean }} state
 * @property {(id: string) => void} onList
 * @property {(filter: string) => void} onFilter
 * @property {(keys: string[] | null) => void} onColumns null: those that fit
 * @property {(name: string) => void} onRename
 * @property {(action: Action) => void} onAction
 */
/** @typedef {"new" | "delete" | "sections" | "own" | "undo" | "copy" | "csv" | "link"} Action */

export class WatchTools {
  #handlers;
  #lists = /** @type {HTMLSelectElement} */ (byId("lists"));
  #filter = /** @type {HTMLInputElement} */ (byId("filter"));
  #columnsPanel = byId("columns-menu");
  #menuPanel = byId("list-menu");
  #menu;
  #columns;

  /** @param {ToolHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#lists.addEventListener("change", () => handlers.onList(this.#lists.value));
    // A field that is emptied by a program, or by an aid of the viewer's, may report `change` only.
    for (const name of ["input", "change"]) this.#filter.addEventListener(name, () => handlers.onFilter(this.#filter.value));
    this.#filter.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#filter.value === "") return;
      this.#filter.value = "";
      handlers.onFilter("");
    });
    this.#columns = new Disclosure(byId("columns-open"), this.#columnsPanel, () => this.#fillColumns());
    this.#menu = new Disclosure(byId("list-open"), this.#menuPanel, () => this.#fillMenu());
  }

  /** Shows the names of the lists. */
  refresh() {
    const { lists, active } = this.#handlers.lists();
    const names = lists.map((list) => element("option", { value: list.id }, nameOf(list)));
    const isSame = names.length === this.#lists.options.length
      && names.every((option, index) => option.value === this.#lists.options[index].value && option.text === this.#lists.options[index].text);
    if (!isSame) this.#lists.replaceChildren(...names);
    this.#lists.value = active;
  }

  /** Rewrites the texts, as after a switch of the language. */
  relabel() {
    this.refresh();
    if (this.#columns.isOpen) this.#fillColumns();
    if (this.#menu.isOpen) this.#fillMenu();
  }

  #fillColumns() {
    const shown = this.#handlers.columns();
    const ordered = [...shown, ...COLUMNS.map(({ key }) => key).filter((key) => !shown.includes(key))];
    const rows = ordered.flatMap((key) => {
      const column = COLUMNS.find((each) => each.key === key);
      return column ? [this.#columnRow(key, t(column.label), shown)] : [];
    });
    const fit = element("button", { type: "button", "data-column": "fit" }, t("Those that fit"));
    fit.addEventListener("click", () => this.#setColumns(null, "fit"));
    this.#columnsPanel.replaceChildren(element("ul", {}, ...rows), fit);
  }

  /** @param {string} key @param {string} label @param {string[]} shown */
  #columnRow(key, label, shown) {
    const at = shown.indexOf(key);
    const box = element("input", { type: "checkbox", "data-column": key });
    box.checked = at >= 0;
    box.disabled = at >= 0 && shown.length === 1;
    box.addEventListener("change", () => this.#setColumns(box.checked ? [...shown, key] : shown.filter((each) => each !== key), key));
    const row = element("li", {}, element("label", {}, box, label));
    for (const [by, sign, name] of /** @type {const} */ ([[-1, "\u2191", t("Move {column} to the left", { column: label })], [1, "\u2193", t("Move {column} to the right", { column: label })]])) {
      const button = element("button", { type: "button", "data-column": `${key}${by}`, "aria-label": name }, sign);
      button.disabled = at < 0 || at + by < 0 || at + by >= shown.length;
      button.addEventListener("click", () => this.#setColumns(shown.toSpliced(at, 1).toSpliced(at + by, 0, key), `${key}${by}`));
      row.append(button);
    }
    return row;
  }

  /** @param {string[] | null} keys @param {string} focused the control that keeps the focus */
  #setColumns(keys, focused) {
    this.#handlers.onColumns(keys);
    this.#fillColumns();
    const control = this.#columnsPanel.querySelector(`[data-column="${focused}"]:enabled`) ?? this.#columnsPanel.querySelector(":enabled");
    /** @type {HTMLElement | null} */ (control)?.focus();
  }

  #fillMenu() {
    const { lists, active } = this.#handlers.lists();
    const { hasSections, isSorted, canUndo } = this.#handlers.state();
    const name = element("input", { type: "text", id: "list-name", maxlength: String(NAME_CHARS_MAX), autocomplete: "off" });
    name.value = lists.find((list) => list.id === active)?.name ?? "";
    name.placeholder = t("Watchlist");
    name.addEventListener("change", () => this.#handlers.onRename(name.value));
    const item = (/** @type {Action} */ action, /** @type {string} */ label, isEnabled = true, /** @type {boolean | null} */ isOn = null) => {
      const button = element("button", { type: "button", "data-action": action }, label);
      button.disabled = !isEnabled;
      if (isOn !== null) button.ariaPressed = String(isOn);
      button.addEventListener("click", () => {
        this.#menu.close(true);
        this.#handlers.onAction(action);
        if (action === "new") this.openName();
      });
      return button;
    };
    this.#menuPanel.replaceChildren(
      element("label", { for: "list-name" }, t("Name of the list")), name,
      item("new", t("New list")), item("delete", t("Delete this list"), lists.length > 1), element("hr"),
      item("sections", t("Sections by sector"), true, hasSections), item("own", t("Back to own order"), isSorted), item("undo", t("Undo the last change"), canUndo),
      element("hr"), item("copy", t("Copy the rows")), item("csv", t("Download as CSV")), item("link", t("Copy a link to this page")),
    );
  }

  /** Opens the menu with the name of the list, to be typed over. */
  openName() {
    this.#menu.open();
    /** @type {HTMLInputElement | null} */ (this.#menuPanel.querySelector("#list-name"))?.select();
  }
}

/** @param {List} list */
export function nameOf(list) {
  if (list.name !== "") return list.name;
  return list.id === LINK_ID ? t("From the link") : t("Watchlist");
}
