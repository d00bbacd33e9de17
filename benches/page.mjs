// @ts-check
// Measures the live page in a real Chromium against a real server, on this machine. Called by hand; nothing depends on it.
//
//     node benches/page.mjs load [--runs N]                          seconds, requests and bytes to the first chart, 150 ms and 1.6 Mbit/s away
//     node benches/page.mjs busy [--rows N] [--events N] [--seconds N] [--hz N]   load of the main thread, its tasks and frames of 50 ms or
//                                                                                 more, and the longest of all
//     node benches/page.mjs flat [--rows N] [--events N] [--seconds N] [--hz N]   the heap and the nodes as time passes
//
// Each takes --server FILE, else target/release/tickcast, and --browser FILE, else chromium.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Browser, Page } from "../static/pictures/browser.mjs";
import { Server } from "../static/pictures/server.mjs";
import { median } from "./compare/medians.mjs";
import { TARGET } from "./compare/paths.mjs";

const OPTIONS = /** @type {const} */ ({
  server: { type: "string", default: join(TARGET, "release", "tickcast") },
  browser: { type: "string", default: "chromium" },
  runs: { type: "string", default: "5" },
  rows: { type: "string", default: "30" },
  events: { type: "string", default: "5000" },
  seconds: { type: "string", default: "30" },
  hz: { type: "string" },
});
const FLAGS = ["--disable-quic", "--enable-precise-memory-info"];
/** The time until caches are warm and the first snapshots are painted. */
const SETTLE_MS = 10_000;
const SAMPLE_MS = 20_000;
/** The time in which each task is measured, apart from the rest, because that takes time itself. */
const TRACE_MS = 10_000;
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

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** @typedef {{ server: string, browser: string, runs: string, rows: string, events: string, seconds: string, hz?: string }} Chosen */

/** Starts a server and returns its address. @param {Chosen} chosen */
async function start({ server, rows, events }) {
  const more = Math.max(0, Number(rows) - BUILT_IN);
  return (await Server.start(server, { TICKCAST__FEED__EVENTS_PER_SECOND: events, TICKCAST__FEED__EXTRA_SYMBOLS: String(more) })).url;
}

/** Opens an empty page of this size, in the browser's own profile, so that it has a cache on the disk. @param {Browser} browser @param {number} width @param {number} height */
async function open(browser, width, height) {
  const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page(browser, sessionId, targetId);
  for (const domain of ["Page", "Runtime", "Network", "HeapProfiler"]) await page.send(`${domain}.enable`);
  // The processor's time, which other programs on the machine do not lengthen.
  await page.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.shape(width, height);
  await page.send("Emulation.setFocusEmulationEnabled", { enabled: true });
  await page.send("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });
  return page;
}

/** Returns the page's counters: seconds of work, bytes, numbers of things. @param {Page} page @returns {Promise<Record<string, number>>} */
async function metricsOf(page) {
  const { metrics } = await page.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

/** Opens the page with the first symbols as its list, and waits until it is live. @param {Chosen} chosen */
async function live(chosen) {
  const url = await start(chosen);
  /** @type {{ symbols: { symbol: string }[] }} */
  const { symbols } = JSON.parse(await (await fetch(`${url}api/v1/symbols`)).text());
  const names = symbols.slice(0, Number(chosen.rows)).map(({ symbol }) => symbol);
  const browser = new Browser(chosen.browser, FLAGS);
  const page = await open(browser, 1920, 1080);
  await page.go(`${url}?symbols=${names.join()}${chosen.hz ? `&hz=${chosen.hz}` : ""}`);
  await page.until("document.querySelector('#status')?.dataset.state === 'live' && Number(document.querySelector('#chart').dataset.bars) > 100");
  await sleep(SETTLE_MS);
  return { browser, page };
}

/** Loads the page from an empty and from a full cache. @param {Chosen} chosen */
async function load(chosen) {
  const url = await start({ ...chosen, rows: String(BUILT_IN) });
  /** @type {Record<"cold" | "warm", { chart_ms: number, requests: number, bytes: number }[]>} */
  const results = { cold: [], warm: [] };
  for (let run = 0; run < Number(chosen.runs); run += 1) {
    const browser = new Browser(chosen.browser, FLAGS);
    const page = await open(browser, 1280, 800);
    await page.send("Network.emulateNetworkConditions", LINK);
    for (const kind of /** @type {const} */ (["cold", "warm"])) {
      // Requests until the chart is there, and the bytes of the whole response.
      const sent = new Set();
      let bytes = 0;
      browser.onEvent = (method, { requestId, encodedDataLength }) => {
        if (method === "Network.requestWillBeSent") sent.add(requestId);
        if (method === "Network.requestServedFromCache") sent.delete(requestId);
        if (method === "Network.loadingFinished" && sent.has(requestId)) bytes += encodedDataLength;
      };
      await page.send("Page.navigate", { url });
      await page.until("globalThis.watched_?.chart_ms > 0");
      results[kind].push({ chart_ms: Number(await page.value("watched_.chart_ms")), requests: sent.size, bytes });
      browser.onEvent = null;
      await page.until("document.querySelector('#status').dataset.state === 'live'");
      await page.send("Page.navigate", { url: "about:blank" });
    }
    await browser.close();
  }
  for (const [kind, runs] of Object.entries(results)) {
    const figure = (/** @type {"chart_ms" | "requests" | "bytes"} */ name) => median(runs.map((run) => run[name])) ?? Number.NaN;
    const all = runs.map(({ chart_ms }) => (chart_ms / 1_000).toFixed(2)).join(" ");
    console.log(`${kind}: first chart after ${(figure("chart_ms") / 1_000).toFixed(2)} s (${all}), ${figure("requests")} requests, ${(figure("bytes") / 1_000).toFixed(1)} kB`);
  }
}

/**
 * Returns the longest task of the page's main thread, in milliseconds, by the clock and by the time that the processor gave it, which
 * other programs on the machine do not lengthen.
 * @param {Browser} browser
 */
async function longestTask(browser) {
  await browser.send("Tracing.start", { transferMode: "ReturnAsStream", traceConfig: { includedCategories: ["toplevel"] } });
  await sleep(TRACE_MS);
  /** @type {Promise<string>} */
  const ended = new Promise((resolve) => {
    browser.onEvent = (method, { stream }) => {
      if (method === "Tracing.tracingComplete") resolve(stream);
    };
  });
  await browser.send("Tracing.end");
  const handle = await ended;
  let text = "";
  for (let isEnd = false; !isEnd;) {
    const { data, eof } = await browser.send("IO.read", { handle });
    text += data;
    isEnd = eof;
  }
  /** @type {{ traceEvents: { name: string, pid: number, tid: number, dur?: number, tdur?: number, args: { name?: string } }[] }} */
  const { traceEvents } = JSON.parse(text);
  // Chromium keeps a spare renderer, which does nothing.
  const mains = new Set(traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid }) => name === "ThreadControllerImpl::RunTask" && mains.has(`${pid} ${tid}`));
  if (tasks.length === 0) throw new Error("the trace has no task");
  const most = (/** @type {"dur" | "tdur"} */ of) => Math.max(...tasks.map((task) => task[of] ?? 0)) / 1_000;
  return { clock_ms: most("dur"), processor_ms: most("tdur") };
}

/** @param {Chosen} chosen */
async function busy(chosen) {
  const { browser, page } = await live(chosen);
  await page.value("watched_.long.length = 0");
  const [before, begun] = [await metricsOf(page), performance.now()];
  await sleep(Number(chosen.seconds) * 1_000);
  const [after, seconds] = [await metricsOf(page), (performance.now() - begun) / 1_000];
  const long = /** @type {[string, number][]} */ (await page.value("watched_.long"));
  const { clock_ms, processor_ms } = await longestTask(browser);
  const of = (/** @type {string} */ type) => {
    const durations = long.filter(([each]) => each === type).map(([, duration]) => duration);
    return durations.length === 0 ? `no ${type}` : `${durations.length} of ${type}, the longest ${Math.max(...durations).toFixed(0)} ms`;
  };
  const share = (/** @type {string} */ name) => `${((100 * (after[name] - before[name])) / seconds).toFixed(1)} %`;
  console.log(`${chosen.rows} rows, ${chosen.events} events/s: main thread ${share("TaskDuration")} busy (script ${share("ScriptDuration")}, layout ${share("LayoutDuration")}, `
    + `style ${share("RecalcStyleDuration")}); in ${seconds.toFixed(0)} s ${of("longtask")}, ${of("long-animation-frame")}; in a trace of ${TRACE_MS / 1_000} s the longest `
    + `task took ${clock_ms.toFixed(0)} ms, ${processor_ms.toFixed(0)} ms of them on the processor; ${await page.value("document.querySelector('#bytes').textContent")}, ${await page.value("document.querySelector('#rate').textContent")}`);
  await browser.close();
}

/** @param {Chosen} chosen */
async function flat(chosen) {
  const { browser, page } = await live(chosen);
  for (const begun = performance.now(), until = begun + Number(chosen.seconds) * 1_000; ; await sleep(SAMPLE_MS)) {
    await page.send("HeapProfiler.collectGarbage");
    const { JSHeapUsedSize, Nodes, JSEventListeners } = await metricsOf(page);
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
