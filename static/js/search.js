// @ts-check
/**
 * A field that finds a symbol: a combobox with a list of matches.
 *
 * Owns: the field, its list, its keys. Does not own: what becomes of a choice (`watchpanel.js`, `alertform.js`).
 */

/** @typedef {import("./protocol.js").Listing} Listing */

import { initialsOf, isInitials, lettersOf } from "./hangul.js";
import { currentLanguage, t } from "./i18n.js";
import { companies } from "./korean/companies.js";
import { say } from "./say.js";

const MATCHES_MAX = 50;
/** The `keyCode` of keys that an input method has consumed (UI Events, section 7.3.1). */
const COMPOSING = 229;

/** Returns a text in the form for comparison: full-width letters as plain ones, upper case, one blank between words. @param {string} text */
function folded(text) {
  // NFKC would make other characters of consonants that stand alone.
  return text.replace(/[^ㄱ-ㆎ]+/gu, (part) => part.normalize("NFKC")).toUpperCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/**
 * Returns the listings that match the typed text, best first: equal symbol, prefix of the symbol, prefix of the name, prefix of a
 * word of the name, part of any field. Punctuation and the width of letters are ignored: `brk-b` and `brkb` find BRK.B, `coca cola`
 * finds Coca-Cola. Korean names match by their letters as they are typed, or by the first consonants: `엔ㅂ` and `ㅇㅂㄷㅇ` find 엔비디아.
 * @param {Listing[]} listings
 * @param {string} typed
 * @param {(sector: string) => string} [sectorName] translates a sector
 */
export function findMatches(listings, typed, sectorName = (sector) => sector) {
  const rank = rankerOf(typed, sectorName);
  return listings
    .map((listing) => ({ listing, rank: rank(listing) }))
    .filter((match) => match.rank >= 0)
    .sort((left, right) => left.rank - right.rank)
    .slice(0, MATCHES_MAX)
    .map((match) => match.listing);
}

/** Returns the symbol that a text means: its own, or that of the only listing that matches it; else null. @param {Listing[]} listings @param {string} typed */
export function symbolIn(listings, typed) {
  if (typed.trim() === "") return null;
  const matches = findMatches(listings, typed);
  return matches.find(({ symbol }) => folded(symbol) === folded(typed))?.symbol ?? (matches.length === 1 ? matches[0].symbol : null);
}

/**
 * Returns a function that ranks a listing by how well it matches the typed text: 0 is best, negative no match.
 * @param {string} typed
 * @param {(sector: string) => string} sectorName translates a sector
 * @returns {(listing: Listing) => number}
 */
export function rankerOf(typed, sectorName) {
  const wanted = folded(typed);
  const joined = wanted.replaceAll(" ", "");
  if (joined === "" && typed.trim() !== "") return () => -1;
  const letters = lettersOf(joined);
  return ({ symbol, name, sector }) => {
    const korean = folded(Object.hasOwn(companies, symbol) ? companies[symbol] : "").replaceAll(" ", "");
    if (letters !== joined && korean !== "") {
      const place = lettersOf(korean).indexOf(letters);
      if (place >= 0) return place === 0 ? 2 : 3;
    }
    if (isInitials(letters)) {
      const place = initialsOf(korean).indexOf(letters);
      if (place >= 0) return place === 0 ? 2 : 3;
    }
    const ticker = folded(symbol).replaceAll(" ", "");
    const title = folded(name);
    if (ticker === joined) return 0;
    if (ticker.startsWith(joined)) return 1;
    if (title.startsWith(wanted)) return 2;
    if (title.includes(` ${wanted}`)) return 3;
    const all = `${folded(symbol)} ${title} ${folded(sector)} ${folded(sectorName(sector))}`;
    return all.includes(wanted) || all.replaceAll(" ", "").includes(joined) ? 4 : -1;
  };
}

/**
 * Returns the name of a company in the page's language; nothing if the server knows no other than the symbol, as of a file that is replayed.
 * @param {string} symbol
 * @param {string} name English
 */
export function nameIn(symbol, name) {
  if (currentLanguage() === "ko" && Object.hasOwn(companies, symbol)) return companies[symbol];
  return name === symbol ? "" : name;
}

export class Search {
  #input;
  #list;
  #handlers;
  /** @type {Listing[]} */
  #matches = [];
  #active = -1;

  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {{ listings: () => Listing[], isListed: (symbol: string) => boolean, onChoose: (symbol: string) => void }} handlers
   */
  constructor(input, list, handlers) {
    this.#input = input;
    this.#list = list;
    this.#handlers = handlers;
    input.addEventListener("input", () => this.#open());
    input.addEventListener("click", () => this.#open());
    input.addEventListener("keydown", (event) => this.#onKey(event));
    input.addEventListener("blur", () => this.#close());
    // If the list took the focus, the field would close it before the click arrives.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
      if (option) this.#choose([...list.children].indexOf(option));
    });
  }

  #open() {
    const matches = findMatches(this.#handlers.listings(), this.#input.value, t);
    // Without a text nothing matches better: those that can be added come first.
    if (this.#input.value.trim() === "") matches.sort((left, right) => Number(this.#handlers.isListed(left.symbol)) - Number(this.#handlers.isListed(right.symbol)));
    this.#matches = matches;
    this.#list.replaceChildren(...this.#matches.map((listing, index) => this.#optionOf(listing, index)));
    if (this.#matches.length === 0) {
      const none = document.createElement("li");
      none.className = "none";
      const count = this.#handlers.listings().length;
      none.textContent = count > 0 ? t("No such symbol: this server has {count}.", { count }) : t("The symbol list is not loaded yet");
      this.#list.append(none);
      say(none.textContent);
    }
    this.#list.hidden = false;
    this.#list.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-expanded", "true");
    this.#activate(this.#input.value.trim() && this.#matches.length > 0 ? 0 : -1);
  }

  /** Updates the matches if the list is open. Call it when the symbols have been loaded. */
  refresh() {
    if (!this.#list.hidden) this.#open();
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#activate(-1);
  }

  /** @param {Listing} listing @param {number} index */
  #optionOf({ symbol, name, sector }, index) {
    const option = document.createElement("li");
    option.id = `${this.#list.id}-${index}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.symbol = symbol;
    const parts = { symbol, name: nameIn(symbol, name), sector: this.#handlers.isListed(symbol) ? t("in the list") : t(sector) };
    for (const [part, text] of Object.entries(parts)) {
      const span = document.createElement("span");
      span.className = part;
      span.textContent = text;
      option.append(span, " ");
    }
    return option;
  }

  /** @param {number} index of the option, -1 for none */
  #activate(index) {
    this.#active = index;
    [...this.#list.children].forEach((option, at) => {
      if (option.getAttribute("role") === "option") option.setAttribute("aria-selected", String(at === index));
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index >= 0) this.#input.setAttribute("aria-activedescendant", `${this.#list.id}-${index}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  #choose(index) {
    const match = this.#matches[index];
    if (!match) return;
    this.#input.value = "";
    this.#close();
    this.#handlers.onChoose(match.symbol);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // Enter that ends a composition (Hangul, kana) must not choose a match. Safari sends it after the end of the composition, with
    // this code.
    if (event.isComposing || event.keyCode === COMPOSING) return;
    const isOpen = !this.#list.hidden;
    const count = this.#matches.length;
    switch (event.key) {
      case "ArrowDown":
        if (!isOpen) this.#open();
        if (this.#matches.length > 0) this.#activate((this.#active + 1) % this.#matches.length);
        break;
      case "ArrowUp":
        if (!isOpen) this.#open();
        else if (count > 0) this.#activate((Math.max(this.#active, 0) - 1 + count) % count);
        break;
      case "Enter":
        // Without a match the form around the field, if there is one, says what is wrong.
        if (!isOpen || count === 0) return this.#close();
        this.#choose(this.#active);
        break;
      case "Escape":
        // A menu around the field stays open.
        if (isOpen) event.stopPropagation();
        if (isOpen) this.#close();
        else this.#input.value = "";
        break;
      default:
        return;
    }
    event.preventDefault();
  }
}
