// @ts-check
// Checks the script that runs before the first paint, for stored values and addresses of any form.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const SOURCE = readFileSync(new URL("../js/first.js", import.meta.url), "utf8");

/**
 * Runs the script in a page and returns what it has done.
 * @param {{ search?: string, stored?: string | Error, page?: string, width?: number, language?: string }} [page]
 */
function run({ search = "", stored, page = "live", width = 1_280, language = "en-US" } = {}) {
  /** @type {string[]} */
  const urls = [];
  const root = { lang: "en", dataset: /** @type {Record<string, string>} */ ({ page }) };
  const globals = {
    URLSearchParams, AbortSignal, location: { search }, navigator: { language }, innerWidth: width, document: { documentElement: root }, matchMedia: () => ({ matches: false }),
    localStorage: {
      getItem(/** @type {string} */ key) {
        if (stored instanceof Error) throw stored;
        return key === "tickcast.page" ? (stored ?? null) : null;
      },
    },
    fetch: (/** @type {string} */ url) => {
      urls.push(url);
      return Promise.reject(new TypeError("Failed to fetch"));
    },
  };
  const context = vm.createContext(globals);
  vm.runInContext(SOURCE, context);
  return { urls, root, early: /** @type {{ early_?: import("../js/rest.js").Early }} */ (context).early_ };
}

/** Returns symbol, interval and limit of the request; null if there is none. @param {Parameters<typeof run>[0]} page */
function asked(page) {
  const { urls, early } = run(page);
  assert.equal(urls.length, early ? 1 : 0);
  if (!early) return null;
  const { symbol, interval, limit } = early;
  assert.equal(urls[0], `api/v1/bars?symbol=${symbol}&interval=${interval}&limit=${limit}`);
  return [symbol, interval, limit];
}

test("the bars of the first chart are requested before any other script is there", () => {
  assert.deepEqual(asked({}), ["AAPL", "1m", 240]);
  assert.deepEqual(asked({ width: 3_840 }), ["AAPL", "1m", 600]);
  assert.deepEqual(asked({ stored: JSON.stringify({ charted: "TSLA", interval: "5m" }) }), ["TSLA", "5m", 240]);
  assert.deepEqual(asked({ search: "?chart=brk.b,KO&interval=1h,1d", stored: JSON.stringify({ charted: "TSLA", interval: "5m" }) }), ["BRK.B", "1h", 240]);
  assert.deepEqual(asked({ search: "?symbols=KO,TSLA", stored: JSON.stringify({ charted: "TSLA" }) }), ["TSLA", "1m", 240]);
  assert.deepEqual(asked({ search: "?symbols=KO,MSFT", stored: JSON.stringify({ charted: "TSLA" }) }), ["KO", "1m", 240]);
  assert.equal(asked({ page: "handshake" }), null);
});

test("addresses and stored values of any form request nothing strange and choose no language or theme", () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `S${index}`).join();
  assert.deepEqual(asked({ search: `?symbols=${many}` }), ["S0", "1m", 240]);
  assert.deepEqual(asked({ search: "?interval=2m" }), ["AAPL", "1m", 240]);
  for (const symbol of ["<b>", "A&x=1", "../x", "A".repeat(17), "%00"]) assert.equal(asked({ search: `?chart=${encodeURIComponent(symbol)}` }), null, symbol);
  for (const stored of ["", "{", "null", "7", "[]", '{"charted":7,"interval":{},"theme":[],"colours":3,"language":"<script>"}', new Error("SecurityError")]) {
    const { root } = run({ stored, search: "?lang=<script>alert(1)</script>&theme=javascript:alert(1)" });
    assert.deepEqual([root.lang, root.dataset], ["en", { page: "live", scheme: "light", colours: "auto" }], String(stored));
    assert.deepEqual(asked({ stored }), ["AAPL", "1m", 240], String(stored));
  }
  assert.deepEqual(run({ language: "ko-KR" }).root.lang, "ko");
  assert.deepEqual(run({ language: "ko-KR", search: "?lang=en" }).root.lang, "en");
  assert.deepEqual(run({ language: "ko-KR", search: "?lang=<script>" }).root.lang, "ko");
});
