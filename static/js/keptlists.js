// @ts-check
/**
 * The watchlists that are kept between visits and in step between tabs, and that of a link, which is not kept.
 *
 * Owns: loading and saving them, and the symbols in the address. Does not own: the lists (`watch.js`), storage (`storage.js`).
 */

import { address } from "./address.js";
import { loadChoices, saveChoice } from "./storage.js";
import { FIRST_TEN, firstTen, LINK_ID, singleList, Watch } from "./watch.js";

export class KeptLists {
  watch = new Watch();
  #isFirstVisit = false;

  /** Shows the list of the address, or of the last visit. Returns the symbol to chart. */
  start() {
    const { lists, list, charted } = loadChoices();
    const { symbols, charts } = address.get();
    this.#isFirstVisit = lists === null && symbols === null;
    this.watch.adopt(lists ?? singleList(FIRST_TEN), list ?? undefined);
    if (symbols !== null) this.show(symbols);
    const { own } = this.watch;
    return charts[0] ?? own.find((symbol) => symbol === charted) ?? own[0] ?? null;
  }

  /** Shows the symbols of an address; those of the last visit if it has none. @param {readonly string[] | null} symbols */
  show(symbols) {
    const kept = this.watch.lists.filter((list) => list.id !== LINK_ID);
    if (symbols === null) return this.watch.adopt(kept, loadChoices().list ?? undefined);
    const [linked] = singleList(symbols);
    this.watch.adopt([...kept, { ...linked, id: LINK_ID, name: "" }], LINK_ID);
  }

  /** On a first visit, replaces those of the first symbols that the server does not trade. Returns whether it is one. @param {readonly string[]} known */
  replaceFirst(known) {
    if (this.#isFirstVisit) this.watch.adopt(singleList(firstTen(known)));
    return this.#isFirstVisit;
  }

  /** Takes over the lists from storage, which another tab may have changed. */
  adopt() {
    const { lists } = loadChoices();
    const linked = this.watch.lists.filter((list) => list.id === LINK_ID);
    if (lists) this.watch.adopt([...lists, ...linked]);
  }

  /** Edits the lists and saves them. @param {() => void} edit */
  change(edit) {
    this.adopt();
    this.#isFirstVisit = false;
    edit();
    const { lists, list } = this.watch;
    saveChoice({ lists: lists.filter((each) => each.id !== LINK_ID), ...(list.id === LINK_ID ? {} : { list: list.id }) });
  }

  /** Shows another list. @param {string} id */
  choose(id) {
    this.watch.choose(id);
    if (id === LINK_ID) return;
    saveChoice({ list: id });
    address.replace({ symbols: null });
  }

  /** Writes the symbols into the address, if they are those of a link. */
  tell() {
    if (this.watch.list.id === LINK_ID) address.replace({ symbols: [...this.watch.own] });
  }
}
