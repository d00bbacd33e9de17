// @ts-check
/**
 * The form that sets an alert: a symbol by the same search as that of the watchlist, what is watched, and the level with its distance from
 * the present figure.
 *
 * Owns: its fields and its note. Does not own: the alerts (`alertpanel.js`), the search (`search.js`).
 */

/** @typedef {import("./alerts.js").Kind} Kind */
/** @typedef {import("./protocol.js").Listing} Listing */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { figureOf, levelOf, textOf } from "./alerts.js";
import { element } from "./element.js";
import { formatPercent } from "./format.js";
import { t } from "./i18n.js";
import { fetchSnapshots } from "./rest.js";
import { Search, symbolIn } from "./search.js";
import { fromSnapshot } from "./ticker.js";
import { setData, setText } from "./write.js";

/** A level farther from the present price, in percent, is marked: it may be that of another symbol. */
const FAR_PERCENT = 25;

/**
 * @typedef {object} FormHandlers
 * @property {() => string | null} charted
 * @property {() => Listing[]} listings
 * @property {(symbol: string, kind: Kind, level: number, ticker: Ticker | undefined) => { refused?: string, done?: string }} onAdd
 */

export class AlertForm {
  element;
  #tickers;
  #handlers;
  #symbol = element("input", {
    id: "alert-symbol", type: "text", required: "", role: "combobox", "aria-expanded": "false", "aria-controls": "alert-symbols", "aria-autocomplete": "list",
    "aria-haspopup": "listbox", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
  });
  #list = element("ul", { id: "alert-symbols", class: "search-list", role: "listbox", "aria-label": t("Symbols"), hidden: "" });
  #kind = element("select", { id: "alert-kind" },
    element("option", { value: "price" }, t("price crosses")), element("option", { value: "move" }, t("day's move reaches ±%")), element("option", { value: "spread" }, t("spread reaches")));
  #level = element("input", { id: "alert-level", type: "number", min: "0.0001", step: "any", required: "" });
  #hint = element("p", { id: "alert-hint", class: "note" });
  #note = element("p", { id: "alert-note", class: "note", role: "status" });
  /** Whether the viewer has typed the level, which stays with another symbol then. */
  #isTyped = false;
  /** The figures of a symbol that the page does not follow. @type {Ticker | undefined} */
  #fetched;
  #shown = "";

  /** @param {ReadonlyMap<string, Ticker>} tickers @param {FormHandlers} handlers */
  constructor(tickers, handlers) {
    this.#tickers = tickers;
    this.#handlers = handlers;
    new Search(this.#symbol, this.#list, {
      listings: handlers.listings,
      isListed: () => false,
      onChoose: (symbol) => this.#take(symbol),
    });
    this.#symbol.addEventListener("change", () => this.#take(symbolIn(handlers.listings(), this.#symbol.value) ?? this.#symbol.value));
    this.#kind.addEventListener("change", () => this.#take(this.#symbol.value));
    this.#level.addEventListener("input", () => {
      this.#isTyped = this.#level.value !== "";
      this.tick();
    });
    const field = (/** @type {HTMLElement} */ control, /** @type {string} */ label, /** @type {HTMLElement[]} */ ...more) =>
      element("div", {}, element("label", { for: control.id }, label), control, ...more);
    this.element = element("form", { class: "alert-form", novalidate: "" },
      field(this.#symbol, t("Symbol"), this.#list), field(this.#kind, t("What is watched")), field(this.#level, t("Level")), this.#hint,
      element("button", { type: "submit", id: "alert-add" }, t("Set the alert")), this.#note);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#take(handlers.charted() ?? "");
  }

  /** Rewrites the distance from the present figure. */
  tick() {
    const kind = this.#watched;
    const level = this.#level.valueAsNumber;
    const figure = this.#ticker && figureOf(kind, this.#ticker);
    const distance = kind === "price" && figure !== undefined && level > 0 ? ((level - figure) / figure) * 100 : 0;
    const value = figure === undefined ? "" : textOf(kind, figure);
    setText(this.#hint, value === "" ? "" : kind !== "price" ? t("now {value}", { value }) : t("last {price} ({distance})", { price: value, distance: formatPercent(distance) }));
    setData(this.#hint, "far", String(kind === "price" && Math.abs(distance) > FAR_PERCENT));
  }

  get #watched() {
    return /** @type {Kind} */ (this.#kind.value);
  }

  get #ticker() {
    const symbol = this.#symbol.value.trim().toUpperCase();
    return this.#tickers.get(symbol) ?? (this.#fetched?.symbol === symbol ? this.#fetched : undefined);
  }

  /** Takes a symbol or another thing to watch: the level is that of its figure, unless the viewer has typed one. @param {string} symbol */
  #take(symbol) {
    this.#symbol.value = symbol;
    this.#fail(null, "");
    if (!this.#ticker) void this.#fetch(symbol);
    this.#refill();
  }

  #refill() {
    const shown = `${this.#symbol.value} ${this.#watched} ${this.#ticker?.price !== undefined}`;
    if (!this.#isTyped && shown !== this.#shown) this.#level.value = levelOf(this.#watched, this.#ticker);
    this.#shown = shown;
    this.tick();
  }

  /** Fetches the figures of a symbol that the page does not follow. @param {string} symbol */
  async #fetch(symbol) {
    if (!this.#handlers.listings().some((listing) => listing.symbol === symbol)) return;
    try {
      const [snapshot] = await fetchSnapshots([symbol]);
      if (snapshot?.symbol !== this.#symbol.value) return;
      this.#fetched = fromSnapshot(snapshot);
      this.#refill();
    } catch {
      // The viewer types the level.
    }
  }

  #submit() {
    const listings = this.#handlers.listings();
    const symbol = symbolIn(listings, this.#symbol.value);
    if (symbol === null) return this.#fail(this.#symbol, t("No such symbol: this server has {count}.", { count: listings.length }));
    if (symbol !== this.#symbol.value) this.#take(symbol);
    const level = this.#level.valueAsNumber;
    if (!(level > 0)) return this.#fail(this.#level, t("The level must be above zero."));
    const { refused, done } = this.#handlers.onAdd(symbol, this.#watched, level, this.#ticker);
    if (refused) return this.#fail(this.#symbol, refused);
    this.#isTyped = false;
    this.#fail(null, done ?? "");
  }

  /** Says what is wrong with a field, and brings the viewer to it; or, without one, that nothing is. @param {HTMLElement | null} field @param {string} text */
  #fail(field, text) {
    for (const each of [this.#symbol, this.#level]) {
      const isWrong = each === field;
      each.ariaInvalid = isWrong ? "true" : null;
      const hint = each === this.#level ? "alert-hint" : "";
      const described = [isWrong ? "alert-note" : "", hint].filter(Boolean).join(" ");
      if (described) each.setAttribute("aria-describedby", described);
      else each.removeAttribute("aria-describedby");
    }
    this.#note.textContent = text;
    field?.focus();
  }
}
