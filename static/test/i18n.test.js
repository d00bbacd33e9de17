// @ts-check
// Checks that every phrase of every page has a translation, that no translation is unused, and that placeholders agree.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nodesOf, t } from "../js/i18n.js";
import { modulesOf } from "./modules.js";

/** Returns a file of the pages, with its parts put in. @param {string} name @returns {string} */
const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8").replace(/<!-- include (\S+) -->/g, (_, part) => read(part));
const PAGES = [
  ["compare.html", "js/compare/page.js", "js/korean/compare.js"],
  ["index.html", "js/app.js", "js/korean/live.js"],
  ["handshake.html", "js/handshake/page.js", "js/korean/handshake.js"],
  ["admin.html", "js/admin/page.js", "js/korean/admin.js"],
];
/** @type {Record<string, string>} */
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": "\"", "&nbsp;": "\u00A0" };

/** @param {string} html */
function plain(html) {
  const text = html.replace(/<\/?code>/g, "`").replace(/<\/?strong>/g, "*");
  assert.doesNotMatch(text, /</, `a phrase has no markup but code and strong: ${html}`);
  return text.replace(/&\w+;/g, (entity) => ENTITIES[entity]).replace(/\s+/g, " ").trim();
}

/** Returns the phrases that a page marks. @param {string} html */
function phrasesOfPage(html) {
  const body = html.slice(html.indexOf("<body>"));
  const contents = [...body.matchAll(/<(\w+)(?=[^>]*\sdata-i18n[\s>])[^>]*>([\s\S]*?)<\/\1>/g)].map((match) => plain(match[2]));
  const attributes = [...body.matchAll(/<[^>]*\sdata-i18n-attrs="([^"]+)"[^>]*>/g)].flatMap(([tag, names]) =>
    names.split(" ").map((name) => plain(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)[1])));
  return [...contents, ...attributes];
}

/** Returns the phrases that a module writes. @param {string} source @returns {string[]} */
function phrasesOfModule(source) {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(/\b(?:t|mark)\(\s*("(?:[^"\\]|\\.)*")/g)].map((match) => JSON.parse(match[1]));
}

/** @param {string} text */
const marksOf = (text) => (text.match(/`[^`]+`|\*[^*]+\*|\{\w+\}/g) ?? []).map((each) => each.replace(/\*[^*]+\*/, "*")).sort();

for (const [page, entry, dictionary] of PAGES) {
  const modules = modulesOf(entry).filter((name) => !name.includes("node_modules"));
  const phrases = new Set([...phrasesOfPage(read(page)), ...modules.flatMap((name) => phrasesOfModule(read(name)))]);

  test(`every phrase of ${page} has a translation, and no translation is unused`, async () => {
    const { korean } = await import(`../${dictionary}`);
    const sectors = [...readFileSync(new URL("../../config/symbols.toml", import.meta.url), "utf8").matchAll(/^sector = "(.+)"$/gm)];
    const data = new Set(dictionary.includes("live") ? sectors.map((match) => match[1]) : []);
    assert.deepEqual([...phrases, ...data].filter((phrase) => !(phrase in korean)), [], "without Korean");
    assert.deepEqual(Object.keys(korean).filter((phrase) => !phrases.has(phrase) && !data.has(phrase)), [], "left over");
    assert.ok(phrases.size > 50);
  });

  test(`the Korean of ${page} has the placeholders and the code of the English, and its polite form`, async () => {
    const { korean } = await import(`../${dictionary}`);
    for (const [english, text] of Object.entries(korean)) {
      assert.deepEqual(marksOf(text), marksOf(english), english);
      assert.match(text, /[가-힣{]/u, english);
      if (/[^.…]\.$/.test(english) && english.includes(" ")) assert.match(text, /(니다(\([^)]*\))?|십시오|: \{reason\})\.$/u, text);
      assert.doesNotMatch(text, /(해요|예요|이에요|어요|한다\.|이다\.)/u, text);
    }
  });

  test(`${page} has the switch and links every page`, () => {
    const html = read(page);
    assert.match(html, /<button type="button" id="language" lang="ko">한국어<\/button>/);
    // The listener of the operators has no other page.
    for (const path of page === "admin.html" ? [] : ["./", "compare", "handshake"]) assert.ok(html.includes(`<a href="${path}"`), path);
  });
}

test("a phrase without a dictionary stays English and is filled in", () => {
  assert.equal(t("{count} bytes", { count: 3 }), "3 bytes");
  assert.equal(t("{count} of {sum}", { count: 3 }), "3 of {sum}");
});

test("code and emphasis become elements, and text is never parsed as HTML", () => {
  Object.assign(globalThis, { document: { createElement: (/** @type {string} */ tag) => ({ tag, textContent: "" }) } });
  try {
    const nodes = nodesOf("Send `{text}` *now*.", { text: "<b>" });
    assert.deepEqual(nodes, ["Send ", { tag: "code", textContent: "<b>" }, " ", { tag: "strong", textContent: "now" }, "."]);
  } finally {
    delete globalThis.document;
  }
});
