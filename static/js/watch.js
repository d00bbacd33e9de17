// @ts-check
/**
 * The viewer's watchlists: named lists of symbols in the viewer's own order, which sorting does not change.
 *
 * Owns: the lists, which one is shown, and the last changes, which can be undone. Does not own: storage (`storage.js`), the shown order
 * (`listview.js`), rows (`watchlist.js`). Pure.
 */

/** @typedef {{ id: string, name: string, symbols: readonly string[] }} List `name` is empty for the list of a first visit */
/** @typedef {(lists: readonly List[]) => readonly List[]} Edit */

/** The watchlist of a first visit. */
export const FIRST_TEN = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "V", "XOM"];
/** The most symbols of a list. */
export const WATCH_MAX = 5_000;
export const LISTS_MAX = 20;
export const NAME_CHARS_MAX = 40;
/** The most changes that can be undone. */
const UNDO_MAX = 50;
const FIRST_ID = "first";
/** The list of a link, which is not stored. */
export const LINK_ID = "link";
/** The length of a symbol that this or a later server may trade; longer texts are no symbols. */
const SYMBOL_CHARS_MAX = 24;

/** Returns the watchlist of a first visit, with other symbols of `known` in place of those that are not in it. @param {readonly string[]} known */
export function firstTen(known) {
  const first = FIRST_TEN.filter((symbol) => known.includes(symbol));
  return [...first, ...known.filter((symbol) => !first.includes(symbol))].slice(0, FIRST_TEN.length);
}

/** Returns the lists of a single one, as older pages stored it. @param {readonly string[]} symbols @returns {List[]} */
export function singleList(symbols) {
  return [{ id: FIRST_ID, name: "", symbols: soundSymbols(symbols) ?? [] }];
}

/** Returns stored lists without what is not sound, or null if nothing is left. @param {unknown} stored @returns {List[] | null} */
export function soundLists(stored) {
  if (!Array.isArray(stored)) return null;
  /** @type {List[]} */
  const lists = [];
  for (const item of stored.slice(0, LISTS_MAX)) {
    const symbols = soundSymbols(item?.symbols);
    if (symbols === null || typeof item.id !== "string" || lists.some((list) => list.id === item.id)) continue;
    lists.push({ id: item.id, name: soundName(item.name), symbols });
  }
  return lists.length > 0 ? lists : null;
}

/** @param {unknown} stored */
export function soundSymbols(stored) {
  if (!Array.isArray(stored)) return null;
  const symbols = stored.filter((item) => typeof item === "string" && item !== "" && item.length <= SYMBOL_CHARS_MAX);
  return /** @type {string[]} */ ([...new Set(symbols)].slice(0, WATCH_MAX));
}

/** @param {unknown} name */
function soundName(name) {
  return typeof name === "string" ? name.trim().slice(0, NAME_CHARS_MAX) : "";
}

export class Watch {
  /** @type {readonly List[]} */
  lists = singleList([]);
  #active = FIRST_ID;
  /** What undoes each of the last changes. @type {{ id: string, edit: Edit }[]} */
  #undone = [];

  /** The shown list. @returns {List} */
  get list() {
    return this.lists.find((list) => list.id === this.#active) ?? this.lists[0];
  }

  /** The symbols of the shown list, in the viewer's own order. */
  get own() {
    return this.list.symbols;
  }

  get canUndo() {
    return this.#undone.length > 0;
  }

  /** Takes over lists from storage, or from another tab. @param {readonly List[]} lists @param {string} [active] the id of the shown one */
  adopt(lists, active = this.#active) {
    this.lists = lists;
    this.#active = active;
    this.#active = this.list.id;
  }

  /**
   * Appends symbols that are not listed yet, up to the most symbols of a list.
   * @param {readonly string[]} symbols
   * @returns {{ added: string[], refused: string[] }}
   */
  add(symbols) {
    const listed = new Set(this.own);
    const fresh = [...new Set(symbols)].filter((symbol) => !listed.has(symbol));
    const added = fresh.slice(0, Math.max(WATCH_MAX - this.own.length, 0));
    if (added.length > 0) this.#edit((own) => [...own, ...added], (own) => own.filter((symbol) => !added.includes(symbol)));
    return { added, refused: fresh.slice(added.length) };
  }

  /** @param {string} symbol */
  remove(symbol) {
    const at = this.own.indexOf(symbol);
    if (at < 0) return;
    const without = (/** @type {readonly string[]} */ own) => own.filter((listed) => listed !== symbol);
    this.#edit(without, (own) => (own.includes(symbol) || own.length >= WATCH_MAX ? own : own.toSpliced(Math.min(at, own.length), 0, symbol)));
  }

  /**
   * Moves a symbol next to another one. Returns whether that changes the order.
   * @param {string} symbol
   * @param {string} target
   * @param {boolean} isAfter
   */
  move(symbol, target, isAfter) {
    const from = this.own.indexOf(symbol);
    const rest = this.own.filter((listed) => listed !== symbol);
    const at = rest.indexOf(target);
    if (from < 0 || at < 0 || at + Number(isAfter) === from) return false;
    const place = (/** @type {readonly string[]} */ own, /** @type {number} */ index) =>
      own.includes(symbol) ? own.filter((listed) => listed !== symbol).toSpliced(index, 0, symbol) : own;
    this.#edit((own) => place(own, at + Number(isAfter)), (own) => place(own, from));
    return true;
  }

  /** Shows a list. @param {string} id */
  choose(id) {
    this.#active = id;
    this.#active = this.list.id;
  }

  /** Adds an empty list and shows it. Returns false if there are too many. @param {string} id unused so far @param {string} name */
  create(id, name) {
    if (this.lists.length >= LISTS_MAX) return false;
    const before = this.#active;
    this.lists = [...this.lists, { id, name: soundName(name), symbols: [] }];
    this.#active = id;
    this.#remember(before, (lists) => (lists.length > 1 ? lists.filter((list) => list.id !== id) : lists));
    return true;
  }

  /** Renames the shown list. @param {string} name */
  rename(name) {
    const { id, name: before } = this.list;
    const named = (/** @type {string} */ to) => (/** @type {readonly List[]} */ lists) => lists.map((list) => (list.id === id ? { ...list, name: to } : list));
    this.lists = named(soundName(name))(this.lists);
    this.#remember(id, named(before));
  }

  /** Deletes the shown list and shows the one before it. Returns false for the only one. */
  drop() {
    if (this.lists.length === 1) return false;
    const dropped = this.list;
    const at = this.lists.indexOf(dropped);
    this.lists = this.lists.toSpliced(at, 1);
    this.#active = this.lists[Math.max(at - 1, 0)].id;
    this.#remember(dropped.id, (lists) => (lists.length < LISTS_MAX ? lists.toSpliced(at, 0, dropped) : lists));
    return true;
  }

  /** Undoes the last change. Returns false if there is none. */
  undo() {
    const last = this.#undone.pop();
    if (!last) return false;
    this.lists = last.edit(this.lists);
    this.choose(last.id);
    return true;
  }

  /** @param {(own: readonly string[]) => readonly string[]} change @param {(own: readonly string[]) => readonly string[]} back */
  #edit(change, back) {
    const { id } = this.list;
    const apply = (/** @type {typeof change} */ edit) => (/** @type {readonly List[]} */ lists) =>
      lists.map((list) => (list.id === id ? { ...list, symbols: edit(list.symbols) } : list));
    this.lists = apply(change)(this.lists);
    this.#remember(id, apply(back));
  }

  /** @param {string} id of the list to show after the change is undone @param {Edit} edit */
  #remember(id, edit) {
    this.#undone.push({ id, edit });
    if (this.#undone.length > UNDO_MAX) this.#undone.shift();
  }
}
