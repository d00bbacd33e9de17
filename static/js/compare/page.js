// @ts-check
/**
 * The page that compares the four transports: controls, the table while a run goes on, plots, summary, downloads.
 *
 * Owns: the elements of `compare.html`. Does not own: the run (`run.js`) or its figures (`figures.js`).
 */

import { byId, element } from "../element.js";
import { formatPrice } from "../format.js";
import { onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/compare.js";
import { setData, setText } from "../write.js";
import { figuresOf, writeBytes, writeCount, writeSpan } from "./figures.js";
import { drawPlot } from "./plot.js";
import { csvOf, download, rawData } from "./raw.js";
import { Run, serverNow } from "./run.js";
import { inCommon } from "./statistics.js";
import { summarize } from "./summary.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./transports.js").Transport} Transport */

const PAINT_MS = 250;
/** So many symbols are shown with their prices. */
const PRICES_MAX = 5;
/** How each row of the table is written. @type {Record<string, (value: number | null) => string>} */
const WRITERS = {
  events: writeCount, requests: writeCount, connections: writeCount, missed: writeCount, merged: writeCount,
  up: writeBytes, down: writeBytes, payload: writeBytes, framing: writeBytes, headers: writeBytes, tls: writeBytes,
  bytes_per_event: writeBytes, p50: writeSpan, p99: writeSpan, staleness: writeSpan, cpu: writeSpan,
};

startLanguage(korean);

/** @type {Run | null} */
let run = null;
let timer = 0;

/** Returns what the controls say. */
function settings() {
  const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
  const symbols = field("symbols").value.toUpperCase().split(/[\s,]+/).filter((symbol) => symbol !== "");
  const rate = Number(field("rate").value);
  return {
    symbols: [...new Set(symbols)],
    channels: field("channels").value.split(","),
    max_hz: rate > 0 ? rate : null,
    interval_ms: field("interval").valueAsNumber,
    extra: field("extra").valueAsNumber,
    seconds: Number(field("seconds").value),
  };
}

/** @param {SubmitEvent} event */
function start(event) {
  event.preventDefault();
  if (isUnderWay()) return;
  const begun = new Run(settings(), paint);
  run = begun;
  makePrices(begun.settings.symbols.slice(0, PRICES_MAX));
  clearInterval(timer);
  timer = window.setInterval(paint, PAINT_MS);
  void begun.go().then(() => {
    clearInterval(timer);
    paint();
  });
}

function isUnderWay() {
  return run !== null && ["starting", "running", "stopping"].includes(run.state);
}

/** @param {string[]} symbols */
function makePrices(symbols) {
  const rows = symbols.map((symbol) => {
    const cells = TRANSPORTS.map((transport) => element("td", { "data-transport": transport }, "–"));
    return element("tr", { "data-symbol": symbol }, element("th", { scope: "row" }, symbol), ...cells);
  });
  byId("prices").replaceChildren(...rows);
}

/** @returns {Record<Transport, Figures> | null} */
function figures() {
  if (!run) return null;
  const [{ tallies, costs }, at] = [run, run.ended || serverNow(run)];
  const of = (/** @type {Transport} */ transport) => figuresOf(tallies[transport], costs?.[transport], at);
  return { websocket: of("websocket"), sse: of("sse"), long_poll: of("long_poll"), short_poll: of("short_poll") };
}

function paint() {
  const now = figures();
  paintState();
  if (!run || !now) return;
  for (const row of document.querySelectorAll("#table [data-row]")) {
    const name = /** @type {HTMLElement} */ (row).dataset.row ?? "";
    for (const transport of TRANSPORTS) {
      const cell = row.querySelector(`[data-transport="${transport}"]`);
      const value = now[transport][/** @type {keyof Figures} */ (name)];
      setText(cell, WRITERS[name](value));
      setData(cell, "value", value === null ? "" : String(value));
    }
  }
  for (const transport of TRANSPORTS) {
    const failure = run.failures[transport];
    setText(document.querySelector(`#failures [data-transport="${transport}"]`), failure === undefined ? "" : t("ended: {reason}", { reason: failure }));
    const { extra } = run.settings;
    const crowd = run.crowd && extra > 0 ? t("{running} of {asked}", { running: run.crowd.running[transport], asked: extra }) : "–";
    setText(document.querySelector(`#crowd [data-transport="${transport}"]`), crowd);
    for (const row of document.querySelectorAll("#prices tr")) {
      const price = run.tallies[transport].prices.get(/** @type {HTMLElement} */ (row).dataset.symbol ?? "");
      setText(row.querySelector(`[data-transport="${transport}"]`), price === undefined ? "–" : formatPrice(price));
    }
  }
  paintPlots();
  paintSummary(now);
}

function paintState() {
  const state = run?.state ?? "idle";
  const seconds = run ? Math.max(0, run.secondsAt(serverNow(run))).toFixed(0) : "0";
  const all = run?.settings.seconds ?? 0;
  const error = writeSpan(run?.clock?.error_us ?? null);
  const words = {
    idle: t("Ready"),
    starting: t("Reading the server's clock"),
    running: t("Running: {seconds} of {all} s; clock known to ±{error}", { seconds, all, error }),
    stopping: t("Reading the last figures"),
    done: t("Done after {seconds} s; clock known to ±{error}", { seconds, error }),
    failed: t("Failed: {reason}", { reason: run?.problem ?? "" }),
  };
  setData(byId("run"), "state", state);
  setText(byId("run"), words[state]);
  byId("hidden").hidden = !run?.wasHidden;
  byId("start").toggleAttribute("disabled", isUnderWay());
  byId("stop").toggleAttribute("disabled", state !== "running");
  for (const id of ["json", "csv"]) byId(id).toggleAttribute("disabled", state !== "done");
}

function paintPlots() {
  if (!run) return;
  const { samples, settings: { seconds } } = run;
  for (const [id, key, write] of /** @type {const} */ ([["latency", "latency_us", writeSpan], ["bytes", "bytes", writeBytes]])) {
    const series = TRANSPORTS.map((name) => ({ name, points: samples.map((sample) => ({ x: sample.second, y: sample[name][key] ?? 0 })) }));
    const svg = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (byId(id)));
    if (svg.dataset.samples === String(samples.length) && samples.length > 0) continue;
    svg.dataset.samples = String(samples.length);
    drawPlot(svg, series, Math.max(seconds, 1), write);
  }
}

/** @param {Record<Transport, Figures>} now */
function paintSummary(now) {
  const list = byId("summary");
  byId("summary-empty").hidden = run?.state === "done";
  if (run?.state !== "done") return list.replaceChildren();
  const common = inCommon(TRANSPORTS.map((transport) => /** @type {Run} */ (run).tallies[transport]));
  const { interval_ms, max_hz } = run.settings;
  const sentences = summarize(now, common, { isLatest: max_hz !== null, interval_ms, error_us: run.clock?.error_us ?? null });
  list.replaceChildren(...sentences.map((sentence) => element("li", {}, sentence)));
}

byId("controls").addEventListener("submit", start);
byId("stop").addEventListener("click", () => run?.stop());
byId("json").addEventListener("click", () => {
  if (run) download(`${run.client}.json`, "application/json", JSON.stringify(rawData(run)));
});
byId("csv").addEventListener("click", () => {
  if (run) download(`${run.client}.csv`, "text/csv", csvOf(run.tallies));
});
const retitle = () => {
  document.title = t("tickcast: WebSocket against HTTP");
};
onLanguage(() => {
  retitle();
  paint();
});
retitle();
paint();
