// @ts-check
// Checks the format of figures and times, the search, the sorting of columns, and rules for the files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { describe } from "../js/connection.js";
import { whyStale } from "../js/connectionpanel.js";
import { directionOf, formatPercent, formatPrice, formatShares, formatSigned, formatVolume, formatVolumeShort, numbers } from "../js/format.js";
import { nextOrder, sorted } from "../js/order.js";
import { findMatches, nameIn, symbolIn } from "../js/search.js";
import { companies } from "../js/korean/companies.js";
import { fromSnapshot } from "../js/ticker.js";
import { snapshot } from "./messages.js";

process.env.TZ = "America/New_York";
const { formatTime, tickWeight, zone, zoneName } = await import("../js/zone.js");

test("a symbol without a name of its own is not shown twice", () => {
  assert.equal(nameIn("SPY", "SPY"), "");
  assert.equal(nameIn("AAPL", "Apple Inc."), "Apple Inc.");
});

test("prices have two decimals, four below a dollar", () => {
  assert.equal(formatPrice(1234.5), "1,234.50");
  assert.equal(formatPrice(0.1234), "0.1234");
});

test("changes carry a sign, except zero", () => {
  assert.equal(formatSigned(1.625), "+1.63");
  assert.equal(formatSigned(-0.4), "\u22120.40");
  assert.equal(formatSigned(-0.001), "0.00");
  assert.equal(formatPercent(-1.2), "\u22121.20%");
  assert.equal(directionOf(-0.001), "flat");
  assert.equal(directionOf(-0.01), "down");
});

test("volumes are abbreviated above ten million", () => {
  assert.equal(formatVolume(999_999), "999,999");
  assert.equal(formatVolume(0.000001), "0.000001");
  assert.equal(formatVolume(12.3456), "12.35");
  assert.equal(formatVolume(1_234.5), "1,235");
  assert.equal(formatShares(1_234.500001), "1,234.500001");
  assert.equal(formatVolumeShort(0.25), "0.25");
  assert.equal(formatVolume(7_941_514), "7.94M");
  assert.equal(formatVolume(12_345_678), "12.35M");
  assert.equal(formatVolumeShort(950), "950");
  assert.equal(formatVolumeShort(4_000), "4.0K");
  assert.equal(formatVolumeShort(123_456_789), "123M");
});

test("in Korean, volumes are counted in ten thousands and hundred millions", () => {
  numbers.set("korean");
  const volumes = [950, 9_999, 12_345, 9_999_999, 12_345_678, 1_234_567_890];
  assert.deepEqual(volumes.map(formatVolume), ["950", "9,999", "1.2만", "1,000만", "1,234.6만", "12.3억"]);
  assert.deepEqual(volumes.map(formatVolumeShort), ["950", "9999", "1.23만", "1000만", "1230만", "12.3억"]);
  assert.ok(volumes.every((volume) => formatVolumeShort(volume).length <= 6));
  numbers.set("western");
  assert.equal(formatVolume(12_345_678), "12.35M");
  numbers.set("auto");
});

test("times and days are those of the chosen zone", () => {
  const midnight = Date.UTC(2026, 6, 14, 15) / 1_000;
  zone.set("Asia/Seoul");
  assert.equal(tickWeight(midnight - 60, midnight, false), 50);
  assert.equal(formatTime(midnight, "minute"), "00:00");
  assert.equal(formatTime(midnight, "minute", true), "15:00");
  assert.equal(zoneName(), "KST");
  zone.set("America/New_York");
  const summer = Date.UTC(2026, 2, 8, 7) / 1_000;
  assert.equal(formatTime(summer - 60, "minute"), "01:59");
  assert.equal(formatTime(summer, "minute"), "03:00");
  assert.equal(tickWeight(summer - 60, summer, false), 31, "three o'clock");
  zone.set("UTC");
  assert.equal(tickWeight(midnight - 60, midnight, false), 31);
  assert.equal(formatTime(midnight, "minute"), "15:00");
  zone.set("local");
});

test("a day begins at midnight of the viewer's time zone", () => {
  const midnight = Date.UTC(2026, 0, 15, 5) / 1_000;
  assert.equal(tickWeight(midnight - 60, midnight, false), 50);
  assert.equal(tickWeight(midnight - 60, midnight, true), 30);
  assert.equal(formatTime(midnight, "minute"), "00:00");
  assert.equal(formatTime(midnight, "minute", true), "05:00");
});

test("the weight of a boundary depends on the unit that begins", () => {
  /** @param {Parameters<typeof Date.UTC>} parts */
  const at = (...parts) => Date.UTC(...parts) / 1_000;
  assert.equal(tickWeight(at(2025, 11, 31), at(2026, 0, 1), true), 70);
  assert.equal(tickWeight(at(2026, 0, 31), at(2026, 1, 1), true), 60);
  assert.equal(tickWeight(at(2026, 1, 3, 9, 59), at(2026, 1, 3, 10), true), 30);
  assert.equal(tickWeight(at(2026, 1, 3, 9, 59, 1), at(2026, 1, 3, 9, 59, 2), true), 10);
});

test("the hour repeated by the end of summer time keeps its order", () => {
  const first = Date.UTC(2026, 10, 1, 5, 30) / 1_000;
  assert.equal(formatTime(first, "minute"), "01:30");
  assert.equal(formatTime(first + 3_600, "minute"), "01:30");
  assert.equal(formatTime(first + 7_200, "minute"), "02:30");
});

test("a search puts symbols before names", () => {
  const listings = [
    { symbol: "MSFT", name: "Microsoft Corporation", sector: "Technology" },
    { symbol: "F", name: "Ford Motor Company", sector: "Consumer" },
    { symbol: "C", name: "Citigroup Inc.", sector: "Financials" },
    { symbol: "CVX", name: "Chevron Corporation", sector: "Energy" },
    { symbol: "KO", name: "Coca-Cola Company", sector: "Consumer" },
  ];
  /** @param {string} typed */
  const found = (typed) => findMatches(listings, typed).map((listing) => listing.symbol);
  assert.deepEqual(found("c"), ["C", "CVX", "KO", "MSFT", "F"]);
  assert.deepEqual(found(" ford "), ["F"]);
  assert.deepEqual(found("energy"), ["CVX"]);
  assert.deepEqual(found("zzz"), []);
  assert.deepEqual(found("coca cola"), ["KO"]);
  assert.deepEqual(found("cocacola"), ["KO"]);
  assert.deepEqual(found("ＣＶＸ"), ["CVX"], "full-width letters");
  assert.deepEqual(found("..."), []);
  assert.deepEqual(["ko", "코카콜라", " coca ", "c", "company", "zzz", ""].map((typed) => symbolIn(listings, typed)), ["KO", "KO", "KO", "C", null, null, null]);
  const berkshire = [{ symbol: "BRK.B", name: "Berkshire Hathaway Inc.", sector: "Financials" }];
  for (const typed of ["brk-b", "brkb", "BRK B", "brk.b", "ｂｒｋ．ｂ"]) {
    assert.equal(findMatches(berkshire, typed).length, 1, typed);
  }
  /** @param {string} sector */
  const inKorean = (sector) => (sector === "Energy" ? "에너지" : sector);
  assert.deepEqual(findMatches(listings, "에너지", inKorean).map((listing) => listing.symbol), ["CVX"]);
  assert.equal(found("").length, 5);
});

test("a Korean name is found by its letters as they are typed, and by its first consonants", () => {
  const listings = ["AAPL", "MSFT", "NVDA", "BRK.B", "JPM"].map((symbol) => ({ symbol, name: `${symbol} Inc.`, sector: "Financials" }));
  /** @param {string} typed */
  const found = (typed) => findMatches(listings, typed).map((listing) => listing.symbol);
  assert.deepEqual(found("애플"), ["AAPL"]);
  for (const typed of ["ㅇ", "에", "엔", "엔ㅂ", "엔비", "엔빋", "엔비디", "엔비디아"]) assert.ok(found(typed).includes("NVDA"), typed);
  assert.deepEqual(found("엔빋"), ["NVDA"]);
  assert.deepEqual(found("ㅇㅂㄷㅇ"), ["NVDA"]);
  assert.deepEqual(found("ㅁㅇㅋㄹㅅ"), ["MSFT"]);
  assert.deepEqual(found("ㄹㅅㅍ"), ["MSFT"]);
  assert.deepEqual(found("ㅋㄽㅍ"), ["MSFT"], "an input method joins two consonants");
  assert.deepEqual(found("해서웨이"), ["BRK.B"]);
  assert.deepEqual(found("버크셔 해서"), ["BRK.B"], "blanks do not count");
  assert.deepEqual(found("jp모건"), ["JPM"]);
  assert.deepEqual(found("삼성"), []);
});

test("every built-in symbol has a Korean name", () => {
  const symbols = [...readFileSync(new URL("../../config/symbols.toml", import.meta.url), "utf8").matchAll(/^ticker = "(.+)"$/gm)].map((match) => match[1]);
  assert.deepEqual(Object.keys(companies), symbols);
});

test("columns sort descending, and ascending after a second click", () => {
  /** @param {number} price @param {number} prev_close */
  const ticker = (price, prev_close) => fromSnapshot(snapshot({}, { price, prev_close }));
  const tickers = new Map([["A", ticker(10, 11)], ["B", ticker(30, 29)], ["C", ticker(20, 20)]]);
  const down = nextOrder({ key: null, direction: "descending" }, "last");
  assert.deepEqual(sorted(["X", "A", "B", "C"], tickers, down), ["B", "C", "A", "X"]);
  const up = nextOrder(down, "last");
  assert.deepEqual(sorted(["X", "A", "B", "C"], tickers, up), ["A", "C", "B", "X"]);
  assert.deepEqual(sorted(["A", "B", "C"], tickers, nextOrder(up, "percent")), ["B", "C", "A"]);
  assert.deepEqual(sorted(["C", "A"], tickers, nextOrder(up, "symbol")), ["A", "C"]);
});

test("every state of the connection has its own words", () => {
  assert.deepEqual(describe({ state: "live", fallback: null }, 0), ["Live", ""]);
  assert.deepEqual(describe({ state: "live", fallback: "sse" }, 0), ["WebSocket refused", "live by server-sent events"]);
  assert.deepEqual(describe({ state: "live", fallback: "sse", isMute: true }, 0), ["WebSocket silent", "live by server-sent events"]);
  assert.deepEqual(describe({ state: "live", fallback: "poll" }, 0), ["WebSocket refused", "live by long polling"]);
  assert.deepEqual(describe({ state: "reconnecting", retry_at_ms: 2_100, reason: "" }, 0), ["Reconnecting", "in 3 s"]);
  assert.deepEqual(describe({ state: "reconnecting", retry_at_ms: null, reason: "" }, 0), ["Reconnecting", "now"]);
  assert.deepEqual(describe({ state: "reconnecting", retry_at_ms: 2_100, reason: "", isRefused: true, isKeyless: true }, 0), ["Key needed", ""]);
  assert.deepEqual(describe({ state: "closed", reason: "the server rejected what this page sent" }, 0), ["Disconnected", ""]);
  assert.deepEqual(describe({ state: "stale", silent_since_ms: 1_000, skipped: 0 }, 32_000), ["Stale", "nothing for 31 s"]);
  assert.deepEqual(describe({ state: "stale", silent_since_ms: null, skipped: 312 }, 0), ["Stale", "312 events skipped"]);
  assert.match(whyStale({ state: "stale", silent_since_ms: 1_000, skipped: 0 }), /not even answers to this page's pings/);
  assert.match(whyStale({ state: "stale", silent_since_ms: null, skipped: 312 }), /too slow/);
  assert.equal(whyStale({ state: "live", fallback: null }), "");
});

test("every script is type-checked, and none opts out of it", () => {
  const root = new URL("../../", import.meta.url);
  const scripts = ["static/js", "static/test", "static/pictures", "benches", "clients/js", "tests/clients"].flatMap((folder) => readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.m?js$/.test(name) && !name.includes("node_modules"))
    .map((name) => `${folder}/${name}`));
  assert.ok(scripts.length > 100);
  for (const name of scripts) {
    const text = readFileSync(new URL(name, root), "utf8");
    assert.ok(text.startsWith("// @ts-check\n"), name);
    assert.doesNotMatch(text, /@ts-(?:ignore|nocheck|expect-error)\b|[{<,|] ?any ?[}>,|[]/, name);
  }
});

test("the lock file names no registry", () => {
  assert.ok(!readFileSync(new URL("../package-lock.json", import.meta.url), "utf8").includes("resolved"));
});
