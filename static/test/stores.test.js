// @ts-check
// Checks the stores of the page's state: settings in the browser's storage, and the address.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { CHARTS_MAX, readAddress, SYMBOLS_MAX, writeAddress } from "../js/address.js";
import { linkedOptions, linkOf, optionsOf } from "../js/chart/options.js";
import { orderOf, orderText } from "../js/order.js";
import { KEY, oneOf, Settings } from "../js/settings.js";
import { lookForUpdate, versionIn } from "../js/version.js";

/** @type {Record<"compare" | "kind" | "indicators" | "log" | "sort", string | null>} */
const unnamed = { compare: null, kind: null, indicators: null, log: null, sort: null };

/** A storage with a limit of characters. */
class FakeStorage {
  /** @type {Map<string, string>} */
  items = new Map();
  chars_max = Number.POSITIVE_INFINITY;
  /** @param {string} key */
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  /** @param {string} key @param {string} text */
  setItem(key, text) {
    if (text.length > this.chars_max) throw new Error("QuotaExceededError");
    this.items.set(key, text);
  }
  /** @param {string} key */
  removeItem(key) {
    this.items.delete(key);
  }
}

/** @param {string} [text] what is stored */
function storeOf(text) {
  const storage = new FakeStorage();
  if (text !== undefined) storage.items.set(KEY, text);
  const open = () => new Settings(() => /** @type {Storage} */ (/** @type {unknown} */ (storage)));
  return { storage, open };
}
const theme = oneOf(["system", "light", "dark"]);

test("settings are kept, and a page leaves alone those that it does not know", () => {
  const { storage, open } = storeOf('{"watch":["AAPL"],"charted":"AAPL","of_a_newer_page":7}');
  const setting = open().define("theme", theme);
  assert.equal(setting.get(), "system");
  setting.set("dark");
  assert.equal(open().define("theme", theme).get(), "dark");
  assert.deepEqual(JSON.parse(storage.items.get(KEY) ?? ""), { watch: ["AAPL"], charted: "AAPL", of_a_newer_page: 7, theme: "dark" });
});

test("storage that holds anything else, or is denied, gives the defaults", () => {
  for (const text of ["", "{", "null", "7", "[]", '"dark"', '{"theme":7}', '{"theme":null}', '{"theme":{"toString":1}}', '{"__proto__":{"theme":"dark"}}']) {
    assert.equal(storeOf(text).open().define("theme", theme).get(), "system", text);
  }
  const denied = new Settings(() => {
    throw new Error("SecurityError");
  });
  const setting = denied.define("theme", theme);
  setting.set("light");
  assert.equal(setting.get(), "light", "it lasts as long as the page");
  assert.equal(denied.isKept, false);
  denied.reload();
  assert.equal(setting.get(), "light");
});

test("a setting that did not fit is saved as soon as there is room", () => {
  const { storage, open } = storeOf("{}");
  const settings = open();
  const setting = settings.define("theme", theme);
  const note = settings.define("note", String);
  storage.chars_max = 10;
  setting.set("light");
  assert.equal(settings.isKept, false);
  storage.chars_max = 1_000;
  note.set("hello");
  assert.equal(settings.isKept, true);
  assert.deepEqual(JSON.parse(storage.items.get(KEY) ?? ""), { theme: "light", note: "hello" });
});

test("tabs that change different settings keep each other's changes", () => {
  const { open } = storeOf();
  const [left, right] = [open(), open()];
  const [leftTheme, rightTheme] = [left, right].map((tab) => tab.define("theme", theme));
  const rightNote = right.define("note", (stored) => stored ?? "");
  /** @type {unknown[]} */
  const told = [];
  const stop = rightTheme.subscribe((value) => told.push(value, rightNote.get()));
  leftTheme.set("dark");
  rightNote.set("");
  right.reload();
  right.reload();
  assert.deepEqual(told, ["dark", ""], "once");
  rightNote.set("x");
  left.reload();
  assert.equal(left.define("note", (stored) => stored).get(), "x");
  assert.equal(leftTheme.get(), "dark");
  stop();
  rightTheme.set("light");
  assert.equal(told.length, 2);
});

test("an export restores the settings, and nothing else is taken for one", () => {
  const from = storeOf().open();
  from.define("theme", theme).set("dark");
  const text = from.exportText();
  const to = storeOf().open();
  const setting = to.define("theme", theme);
  /** @type {string[]} */
  const told = [];
  setting.subscribe((value) => told.push(value));
  for (const wrong of ["", "{", "[]", "null", "{}", '{"settings":{"theme":"light"}}', '{"tickcast":1}', '{"tickcast":1,"settings":[]}', `{"tickcast":1,"settings":{"a":"${"x".repeat(1e6)}"}}`]) {
    assert.equal(to.importText(wrong), false, wrong.slice(0, 40));
  }
  assert.equal(to.importText(text), true);
  to.reset();
  assert.deepEqual(told, ["dark", "system"]);
});

test("an address keeps its state, and the parameters of others", () => {
  const search = writeAddress("?utm=1&lang=en", { symbols: ["AAPL", "BRK.B"], charts: ["AAPL", "MSFT"], intervals: ["1m", "1h"], hz: 0.5, theme: "dark" });
  assert.equal(search, "?utm=1&lang=en&symbols=AAPL,BRK.B&chart=AAPL,MSFT&interval=1m,1h&hz=0.5&theme=dark");
  assert.deepEqual(readAddress(search), {
    symbols: ["AAPL", "BRK.B"], charts: ["AAPL", "MSFT"], intervals: ["1m", "1h"], hz: 0.5, lang: "en", theme: "dark", transport: null, ...unnamed,
  });
  assert.deepEqual(readAddress("?chart=aapl,%20MSFT&interval=5m").intervals, ["5m", "5m"], "one interval for all charts");
  assert.equal(writeAddress(search, { symbols: null, charts: [], intervals: [null], hz: null, lang: null, theme: null }), "?utm=1");
  assert.equal(writeAddress("?lang=en", { lang: null }), "");
  assert.deepEqual(readAddress("?symbols=").symbols, [], "an empty watchlist");
  assert.equal(readAddress("?hz=all").hz, "all");
});

test("a link has the whole view: comparison, kind, lines, scale and order", () => {
  const options = { ...optionsOf(null), kind: /** @type {const} */ ("area"), isLog: true, indicators: ["sma20", "vwap"], compared: "MSFT" };
  const search = writeAddress("", { ...linkOf(options), sort: orderText({ key: "percent", direction: "ascending" }) });
  assert.equal(search, "?compare=MSFT&kind=area&indicators=sma20,vwap&log=1&sort=percent-up");
  assert.deepEqual({ ...optionsOf(null), ...linkedOptions(readAddress(search)) }, options);
  assert.deepEqual(orderOf(readAddress(search).sort), { key: "percent", direction: "ascending" });
  // One without a comparison, lines and an order says so, or the stored ones would be there.
  const bare = writeAddress("", { ...linkOf(optionsOf(null)), sort: orderText({ key: null, direction: "descending" }) });
  assert.equal(bare, "?compare=&kind=candles&indicators=&log=0&sort=");
  assert.deepEqual({ ...options, ...linkedOptions(readAddress(bare)) }, optionsOf(null));
  assert.equal(orderOf(readAddress(bare).sort)?.key, null);
  assert.equal(writeAddress(search, linkOf({ kind: "line" })), search.replace("area", "line"), "a part of the options");
  const wrong = readAddress("?compare=<b>&kind=pie&indicators=x&log=2&sort=constructor-up");
  assert.deepEqual([linkedOptions(wrong), orderOf(wrong.sort), linkedOptions(readAddress(""))], [{}, null, {}]);
  for (const text of ["percent", "percent-x", "-up", undefined, null, 7, {}]) assert.equal(orderOf(text), null, String(text));
});

test("wrong parts of an address count as missing", () => {
  /** @type {import("../js/address.js").Address} */
  const none = { symbols: null, charts: [], intervals: [null], hz: null, lang: null, theme: null, transport: null, ...unnamed };
  assert.deepEqual(readAddress(""), none);
  assert.deepEqual(readAddress("?%%%&=&&lang=<script>alert(1)</script>&theme=javascript:0&interval=2m&hz=1e9&chart=<b>&transport=x"), none);
  for (const hz of ["", "0", "-1", "NaN", "Infinity", "x", "61", " "]) assert.equal(readAddress(`?hz=${hz}`).hz, null, hz);
  assert.deepEqual(readAddress("?chart=AAPL,MSFT&interval=1m,2m").intervals, ["1m", null]);
  assert.deepEqual(readAddress("?symbols=KO,KO&chart=KO,KO,KO,KO,KO").charts, ["KO", "KO", "KO", "KO"], "charts of the same symbol, four at most");
  assert.deepEqual(readAddress("?symbols=AAPL,,<img>,aapl,A%00B,../x,BRK-B").symbols, ["AAPL", "BRK-B"]);
});

test("an address with ten thousand symbols is cut", () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `S${index}`);
  assert.equal(readAddress(`?symbols=${many}`).symbols?.length, SYMBOLS_MAX);
  assert.deepEqual(readAddress(`?chart=${many}`).charts, ["S0", "S1", "S2", "S3"]);
  assert.equal(readAddress(`?chart=${many}&interval=${"1m,".repeat(10_000)}`).intervals.length, CHARTS_MAX);
  assert.equal(readAddress(writeAddress("", { symbols: many })).symbols?.length, SYMBOLS_MAX);
  // A link that a proxy would refuse is of no use.
  const long = Array.from({ length: 1_000 }, (_, index) => `LONGSYMBOL${String(index).padStart(6, "0")}`);
  const link = writeAddress("", { symbols: long });
  assert.ok(link.length < 7_100 && link.length > 6_900, String(link.length));
  assert.deepEqual(readAddress(link).symbols, long.slice(0, readAddress(link).symbols?.length), "whole symbols");
  assert.equal(writeAddress("?symbols=KO", { symbols: [] }), "?symbols=");
});

test("the version of a page is that of its files", async () => {
  assert.equal(versionIn("https://host/below/static/0123456789abcdef/js/app.js"), "0123456789abcdef");
  assert.equal(versionIn('<!doctype html><script src="static/fedcba9876543210/js/first.js"></script>'), "fedcba9876543210");
  assert.equal(versionIn("https://host/static/js/app.js"), undefined);
  // Without a version of its own the page does not ask.
  globalThis.fetch = async () => assert.fail("asked");
  for (const epoch of ["a", "a", "b"]) await lookForUpdate(epoch);
});

test("a server with another version of the page is noticed, and one that does not answer is not", async () => {
  // The module knows its version from its own address.
  const folder = mkdtempSync(join(tmpdir(), "tickcast-"));
  const js = join(folder, "static", "0123456789abcdef", "js");
  mkdirSync(js, { recursive: true });
  for (const name of ["version.js", "element.js"]) copyFileSync(new URL(`../js/${name}`, import.meta.url), join(js, name));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const line = { hidden: true };
  Object.assign(globalThis, { document: { getElementById: () => line, querySelector: () => line } });
  try {
    /** @type {typeof import("../js/version.js")} */
    const own = await import(pathToFileURL(join(js, "version.js")).href);
    const page = (/** @type {string} */ version) => new Response(`<script src="static/${version}/js/first.js"></script>`);
    /** @type {[string, (() => Response) | null, boolean][]} the run of the server, its answer (null: it is not asked), and whether the line is hidden */
    const steps = [
      ["a", null, true],
      ["a", null, true],
      ["b", () => page("0123456789abcdef"), true],
      ["b", null, true],
      ["c", () => page("fedcba9876543210"), false],
      ["d", () => page("0123456789abcdef"), true],
      ["e", () => new Response("static/fedcba9876543210/", { status: 503 }), true],
      ["f", () => { throw new TypeError("Failed to fetch"); }, true],
      ["g", () => new Response("<html>some other program"), true],
    ];
    for (const [epoch, answer, isHidden] of steps) {
      let asked = 0;
      globalThis.fetch = async () => {
        asked += 1;
        return (answer ?? (() => new Response("")))();
      };
      await own.lookForUpdate(epoch);
      assert.deepEqual([asked, line.hidden], [answer ? 1 : 0, isHidden], epoch);
    }
  } finally {
    delete globalThis.document;
    rmSync(folder, { recursive: true });
  }
});
