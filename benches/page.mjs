// @ts-check
// Measures the live page in a real Chromium against a real server, on this machine. Called by hand; nothing depends on it.
//
//     node benches/page.mjs load [--runs N]                          seconds, requests and bytes to the first chart, 150 ms and 1.6 Mbit/s away
//     node benches/page.mjs busy [--rows N] [--events N] [--seconds N] [--hz N]   load of the main thread and its longest task
//     node benches/page.mjs flat [--rows N] [--events N] [--seconds N] [--hz N]   the heap and the nodes as time passes
//
// Each takes --server FILE, else target/release/tickcast, and --browser FILE, else chromium.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Child, endAll } from "./compare/child.mjs";
import { median } from "./compare/medians.mjs";
import { TARGET } from "./compare/paths.mjs";
import { Chromium } from "./page/chromium.mjs";

const OPTIONS = /** @type {const} */ ({
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
  browser: { type: "string", default: "chromium" },
  runs: { type: "string", default: "5" },
  rows: { type: "string", default: "30" },
  events: { type: "string", default: "5000" },
  seconds: { type: "string", default: "30" },
  hz: { type: "string" },
});
const START_MS_MAX = 20_000;
/** The time until caches are warm and the first snapshots are painted. */
const SETTLE_MS = 10_000;
const SAMPLE_MS = 20_000;
/** The symbols that the server has by itself. */
const BUILT_IN = 30;
/** A link of 1.6 Mbit/s with a round trip of 150 ms. */
const LINK = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 94_000 };
/** Runs before the page's scripts: when the first chart was on the screen, and each task and frame of 50 ms or more. */
const WATCH = `
  globalThis.watched_ = { chart_ms: null, long: [] };
  for (const type of ["longtask", "long-animation-frame"]) {
    new PerformanceObserver((list) => watched_.long.push(...list.getEntries().map(({ duration }) => [type, duration]))).observe({ type, buffered: true });
  }
  const look = () => {
    if (!(Number(document.querySelector("#chart")?.dataset.bars) > 0)) return requestAnimationFrame(look);
    // The frame in which the bars are drawn, and the next one, which comes after it has been shown.
    requestAnimationFrame(() => { watched_.chart_ms = performance.now(); });
  };
  requestAnimationFrame(look);`;

process.on("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** @typedef {{ server: string, browser: string, runs: string, rows: string, events: string, seconds: string, hz?: string }} Chosen */

/** Starts a server and returns its address. @param {Chosen} chosen */
async function start({ server, rows, events }) {
  const more = Math.max(0, Number(rows) - BUILT_IN);
  const child = new Child(server, ["--port", "0"], { TICKCAST__FEED__EVENTS_PER_SECOND: events, TICKCAST__FEED__EXTRA_SYMBOLS: String(more) });
  for (const limit = Date.now() + START_MS_MAX; Date.now() < limit && child.isAlive; await sleep(20)) {
    const found = child.errors.match(/listening url=(http:\/\/127\.0\.0\.1:\d+\/)/);
    if (found) return found[1];
  }
  throw new Error(`the server does not listen: ${child.errors}`);
}

/** Opens the page with the first symbols as its list, and waits until it is live. @param {Chosen} chosen */
async function live(chosen) {
  const url = await start(chosen);
  /** @type {{ symbols: { symbol: string }[] }} */
  const { symbols } = JSON.parse(await (await fetch(`${url}api/v1/symbols`)).text());
  const names = symbols.slice(0, Number(chosen.rows)).map(({ symbol }) => symbol);
  const browser = new Chromium(chosen.browser);
  await browser.open(1920, 1080);
  await browser.send("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });
  await browser.visit(`${url}?symbols=${names.join()}${chosen.hz ? `&hz=${chosen.hz}` : ""}`);
  await browser.until("document.querySelector('#status')?.dataset.state === 'live' && Number(document.querySelector('#chart').dataset.bars) > 100");
  await sleep(SETTLE_MS);
  return browser;
}

/** Loads the page from an empty and from a full cache. @param {Chosen} chosen */
async function load(chosen) {
  const url = await start({ ...chosen, rows: String(BUILT_IN) });
  /** @type {Record<"cold" | "warm", { chart_ms: number, requests: number, bytes: number }[]>} */
  const results = { cold: [], warm: [] };
  for (let run = 0; run < Number(chosen.runs); run += 1) {
    const browser = new Chromium(chosen.browser);
    await browser.open(1280, 800);
    await browser.send("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });
    await browser.send("Network.emulateNetworkConditions", LINK);
    for (const kind of /** @type {const} */ (["cold", "warm"])) {
      // Requests until the chart is there, and the bytes of the whole response.
      const sent = new Set();
      let bytes = 0;
      browser.onEvent = (method, { requestId, encodedDataLength }) => {
        if (method === "Network.requestWillBeSent") sent.add(requestId);
        if (method === "Network.requestServedFromCache") sent.delete(requestId);
        if (method === "Network.loadingFinished" && sent.has(requestId)) bytes += encodedDataLength;
      };
      await browser.visit(url);
      await browser.until("globalThis.watched_?.chart_ms > 0");
      results[kind].push({ chart_ms: Number(await browser.value("watched_.chart_ms")), requests: sent.size, bytes });
      browser.onEvent = null;
      await browser.until("document.querySelector('#status').dataset.state === 'live'");
      await browser.visit("about:blank");
    }
    await browser.close();
  }
  for (const [kind, runs] of Object.entries(results)) {
    const figure = (/** @type {"chart_ms" | "requests" | "bytes"} */ name) => median(runs.map((run) => run[name])) ?? Number.NaN;
    const all = runs.map(({ chart_ms }) => (chart_ms / 1_000).toFixed(2)).join(" ");
    console.log(`${kind}: first chart after ${(figure("chart_ms") / 1_000).toFixed(2)} s (${all}), ${figure("requests")} requests, ${(figure("bytes") / 1_000).toFixed(1)} kB`);
  }
}

/** @param {Chosen} chosen */
async function busy(chosen) {
  const browser = await live(chosen);
  await browser.value("watched_.long.length = 0");
  const [before, begun] = [await browser.metrics(), performance.now()];
  await sleep(Number(chosen.seconds) * 1_000);
  const [after, seconds] = [await browser.metrics(), (performance.now() - begun) / 1_000];
  const long = /** @type {[string, number][]} */ (await browser.value("watched_.long"));
  const longest = (/** @type {string} */ type) => Math.max(0, ...long.filter(([each]) => each === type).map(([, duration]) => duration));
  const share = (/** @type {string} */ name) => `${((100 * (after[name] - before[name])) / seconds).toFixed(1)} %`;
  console.log(`${chosen.rows} rows, ${chosen.events} events/s: main thread ${share("TaskDuration")} busy (script ${share("ScriptDuration")}, layout ${share("LayoutDuration")}, `
    + `style ${share("RecalcStyleDuration")}); ${long.length} tasks or frames of 50 ms or more in ${seconds.toFixed(0)} s, longest task ${longest("longtask").toFixed(0)} ms, `
    + `longest frame ${longest("long-animation-frame").toFixed(0)} ms; ${await browser.value("document.querySelector('#bytes').textContent")}, ${await browser.value("document.querySelector('#rate').textContent")}`);
  await browser.close();
}

/** @param {Chosen} chosen */
async function flat(chosen) {
  const browser = await live(chosen);
  for (const begun = performance.now(), until = begun + Number(chosen.seconds) * 1_000; ; await sleep(SAMPLE_MS)) {
    await browser.send("HeapProfiler.collectGarbage");
    const { JSHeapUsedSize, Nodes, JSEventListeners } = await browser.metrics();
    console.log(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(4)} s: heap ${(JSHeapUsedSize / 1e6).toFixed(2)} MB, ${Nodes} nodes, ${JSEventListeners} listeners`);
    if (performance.now() >= until) break;
  }
  await browser.close();
}

const { values: chosen, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
const measure = new Map([["load", load], ["busy", busy], ["flat", flat]]).get(positionals[0] ?? "");
if (!measure) {
  console.error("page: say load, busy or flat");
  process.exit(2);
}
try {
  await measure(chosen);
  process.exit(0);
} catch (err) {
  console.error(`page: ${err instanceof Error ? err.message : err}`);
  process.exit(1);
}
