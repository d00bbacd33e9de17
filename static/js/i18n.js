// @ts-check
/**
 * The language of the page: English, which is the source text, or Korean from a dictionary whose keys are the English phrases.
 * `?lang=` decides, else the choice of the last visit, else the browser's language; a button switches at any time.
 *
 * In HTML, `data-i18n` marks an element whose content is one phrase, and `data-i18n-attrs="title aria-label"` attributes
 * that are phrases. In scripts, `t("…")` translates a phrase, and `mark("…")` marks one that is passed to `t` later; both take
 * literals, so that a test can check that every phrase has a translation. In a phrase, `{name}` is a placeholder, text between
 * backticks is code, and text between asterisks is emphasized.
 *
 * Owns: the choice, the marked elements, the switch in the masthead. Does not own: the dictionaries (`korean/`).
 */

/** @typedef {"en" | "ko"} Language */
/** @typedef {Record<string, string | number>} Values */

import { address } from "./address.js";
import { settings } from "./settings.js";

/** @type {readonly Language[]} */
const LANGUAGES = ["en", "ko"];
/** Where pages before the settings kept the language. */
const OLD_KEY = "tickcast.language";
/** Null: the browser's language. */
const choice = settings.define("language", (stored) => languageNamed(stored) ?? null);
/** Locales for dates; figures are written alike in both. */
const LOCALES = { en: "en-GB", ko: "ko-KR" };
/** The label of the switch: the other language, in that language. */
const OTHER = /** @type {const} */ ({ en: ["ko", "한국어"], ko: ["en", "English"] });
const MARKUP = /`([^`]+)`|\*([^*]+)\*/g;

/** @type {Language} */
let language = "en";
/** @typedef {Readonly<Record<string, string>>} Dictionary from English to Korean */
/** @type {Dictionary | null} */
let korean = null;
/** @type {() => Promise<Dictionary>} */
let load = async () => ({});
/** @type {(() => void)[]} */
const listeners = [];
/** The English phrases of marked elements. @type {WeakMap<Element, string>} */
const contents = new WeakMap();
/** The English phrases of marked attributes. @type {WeakMap<Element, Map<string, string>>} */
const attributes = new WeakMap();

/** Returns the active language. */
export function currentLanguage() {
  return language;
}

/** Returns the locale for dates of the active language. */
export function currentLocale() {
  return LOCALES[language];
}

/**
 * Translates a phrase into the active language. A phrase without a translation stays English.
 * @param {string} phrase English
 * @param {Values} [values] for its placeholders
 */
export function t(phrase, values) {
  const text = language === "ko" ? (korean?.[phrase] ?? phrase) : phrase;
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Marks a phrase that is passed to `t` later. @param {string} phrase */
export function mark(phrase) {
  return phrase;
}

/**
 * Returns a translated phrase as nodes, with its code and its emphasis as elements.
 * @param {string} phrase English
 * @param {Values} [values]
 */
export function nodesOf(phrase, values) {
  const text = t(phrase, values);
  /** @type {(Node | string)[]} */
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(MARKUP)) {
    const element = document.createElement(match[1] === undefined ? "strong" : "code");
    element.textContent = match[1] ?? match[2];
    nodes.push(text.slice(end, match.index), element);
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}

/**
 * Chooses the language and translates the page.
 * @param {Dictionary | (() => Promise<Dictionary>)} dictionary a function loads it if it is needed
 */
export function startLanguage(dictionary) {
  if (typeof dictionary === "function") load = dictionary;
  else korean = dictionary;
  const asked = languageNamed(new URLSearchParams(location.search).get("lang"));
  if (asked) choice.set(asked);
  language = asked ?? saved() ?? languageNamed(navigator.language.slice(0, 2)) ?? "en";
  document.querySelector("#language")?.addEventListener("click", () => switchLanguage(OTHER[language][0]));
  // Another tab, or an import of settings.
  choice.subscribe((chosen) => {
    if (chosen && chosen !== language) switchLanguage(chosen);
  });
  if (language === "en" || korean) apply();
  else void translate();
}

/** Translates the page, and calls every listener, when the dictionary is there. Without one the page stays English, until the next switch. */
async function translate() {
  if (language === "ko") korean ??= await load().catch(/** @returns {null} */ () => null);
  // The server may be a newer one, which does not have the file any more.
  if (!korean) language = "en";
  apply();
  for (const listener of listeners) listener();
}

/** Calls a listener after every switch of the language. @param {() => void} listener */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** @param {Language} to */
export function switchLanguage(to) {
  if (to === language) return;
  language = to;
  choice.set(to);
  if (address.get().lang !== null) address.replace({ lang: to });
  void translate();
}

/** Translates every marked element and attribute. */
function apply() {
  document.documentElement.lang = language;
  const [other, name] = OTHER[language];
  const button = document.querySelector("#language");
  button?.setAttribute("lang", other);
  if (button) button.textContent = name;
  translateMarked(document);
  delete document.documentElement.dataset.untranslated;
}

/** Translates the marked elements and attributes below a root, as one that was made from a template. @param {ParentNode} root */
export function translateMarked(root) {
  for (const element of root.querySelectorAll("[data-i18n]")) {
    const phrase = contents.get(element) ?? phraseOf(element);
    contents.set(element, phrase);
    element.replaceChildren(...nodesOf(phrase));
  }
  for (const element of root.querySelectorAll("[data-i18n-attrs]")) {
    const phrases = attributes.get(element) ?? attributePhrases(element);
    attributes.set(element, phrases);
    for (const [name, phrase] of phrases) element.setAttribute(name, t(phrase));
  }
}

/** Returns the English phrase of a marked element. @param {Element} element */
function phraseOf(element) {
  const parts = [...element.childNodes].map((node) => {
    if (node.nodeName === "CODE") return `\`${node.textContent}\``;
    return node.nodeName === "STRONG" ? `*${node.textContent}*` : node.textContent;
  });
  return parts.join("").replace(/\s+/g, " ").trim();
}

/** @param {Element} element */
function attributePhrases(element) {
  const names = element.getAttribute("data-i18n-attrs")?.split(" ") ?? [];
  return new Map(names.map((name) => [name, element.getAttribute(name) ?? ""]));
}

/** @param {unknown} name @returns {Language | undefined} */
function languageNamed(name) {
  return LANGUAGES.find((known) => known === name);
}

/** Returns the language that the viewer has chosen on an earlier visit. */
function saved() {
  try {
    return choice.get() ?? languageNamed(localStorage.getItem(OLD_KEY));
  } catch {
    return choice.get();
  }
}
