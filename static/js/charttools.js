// @ts-check
/**
 * The controls above the charts: kind, indicators, comparison, number of charts, log scale, fit, picture, full screen.
 *
 * Owns: these controls. Does not own: their effect (`stage.js`), what is valid (`chart/options.js`).
 */

/** @typedef {import("./chart/options.js").Options} Options */

import { INDICATORS, KINDS, PANES_MAX } from "./chart/options.js";
import { byId, element } from "./element.js";
import { t } from "./i18n.js";

/**
 * @typedef {object} ToolHandlers
 * @property {(change: Partial<Omit<Options, "panes">>) => void} onChange
 * @property {(count: number) => void} onCount another number of charts
 * @property {() => void} onFit
 * @property {() => void} onPicture
 * @property {() => void} onTable
 * @property {() => string[]} symbols those that can be compared
 * @property {(symbol: string) => string} nameOf
 * @property {() => string | null} charted it cannot be compared with itself
 */

export class ChartTools {
  #kind = /** @type {HTMLSelectElement} */ (byId("chart-kind"));
  #count = /** @type {HTMLSelectElement} */ (byId("chart-count"));
  #compared = /** @type {HTMLSelectElement} */ (byId("chart-compare"));
  #menu = /** @type {HTMLDetailsElement} */ (byId("indicators"));
  #log = byId("chart-log");
  #screen = byId("chart-screen");
  #handlers;
  /** @type {Options | null} */
  #shown = null;

  /** @param {HTMLElement} panel what fills the screen @param {ToolHandlers} handlers */
  constructor(panel, handlers) {
    this.#handlers = handlers;
    this.#kind.addEventListener("change", () => handlers.onChange({ kind: KINDS.find((kind) => kind === this.#kind.value) ?? "candles" }));
    this.#count.addEventListener("change", () => handlers.onCount(Number(this.#count.value)));
    this.#compared.addEventListener("change", () => handlers.onChange({ compared: this.#compared.value || null }));
    this.#compared.addEventListener("pointerdown", () => this.#list());
    this.#compared.addEventListener("focus", () => this.#list());
    this.#menu.addEventListener("change", () => handlers.onChange({ indicators: INDICATORS.filter((name) => this.#box(name)?.checked) }));
    this.#menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#menu.open) return;
      this.#menu.open = false;
      this.#menu.querySelector("summary")?.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (event.target instanceof Node && !this.#menu.contains(event.target)) this.#menu.open = false;
    });
    this.#log.addEventListener("click", () => handlers.onChange({ isLog: !this.#shown?.isLog }));
    byId("chart-fit").addEventListener("click", handlers.onFit);
    byId("chart-picture").addEventListener("click", handlers.onPicture);
    byId("chart-table").addEventListener("click", handlers.onTable);
    this.#screen.hidden = !document.fullscreenEnabled;
    this.#screen.addEventListener("click", () => {
      // The browser may refuse; then the page stays as it is.
      void (document.fullscreenElement ? document.exitFullscreen() : panel.requestFullscreen()).catch(() => {});
    });
    document.addEventListener("fullscreenchange", () => this.#screen.setAttribute("aria-pressed", String(document.fullscreenElement !== null)));
  }

  /** Shows what is chosen. @param {Options} options */
  show(options) {
    this.#shown = options;
    this.#kind.value = options.kind;
    this.#count.value = String(options.panes.length + 1);
    this.#log.setAttribute("aria-pressed", String(options.isLog));
    for (const name of INDICATORS) {
      const box = this.#box(name);
      if (box) box.checked = options.indicators.includes(name);
    }
    byId("indicators-count").textContent = options.indicators.length > 0 ? String(options.indicators.length) : "";
    this.#list();
  }

  /** Renews the symbols that can be compared. */
  #list() {
    const charted = this.#handlers.charted();
    const compared = this.#shown?.compared ?? null;
    const chosen = compared === charted ? null : compared;
    fillSymbols(this.#compared, chosen === null ? t("Compare…") : t("No comparison"), this.#handlers.symbols(), chosen, this.#handlers.nameOf);
    for (const option of this.#compared.options) option.disabled = option.value !== "" && option.value === charted;
  }

  /** @param {string} name */
  #box(name) {
    return /** @type {HTMLInputElement | null} */ (this.#menu.querySelector(`input[value="${name}"]`));
  }
}

/**
 * Fills a list of symbols, with a first option that stands for none, and marks the chosen one.
 * @param {HTMLSelectElement} select @param {string} none @param {readonly string[]} symbols @param {string | null} chosen
 * @param {(symbol: string) => string} [nameOf] is shown beside the symbol
 */
export function fillSymbols(select, none, symbols, chosen, nameOf = () => "") {
  const all = chosen === null || symbols.includes(chosen) ? symbols : [chosen, ...symbols];
  const texts = all.map((symbol) => [symbol, nameOf(symbol)].filter(Boolean).join(" · "));
  const wanted = [none, ...texts].join("\n");
  if (select.dataset.filled !== wanted) {
    select.dataset.filled = wanted;
    select.replaceChildren(element("option", { value: "" }, none), ...all.map((symbol, index) => element("option", { value: symbol }, texts[index])));
  }
  select.value = chosen ?? "";
}

/** The most charts. */
export const CHARTS_MAX = PANES_MAX + 1;
