// @ts-check
/**
 * The page that compares the four transports: controls, state, plots, summary, downloads.
 *
 * Owns: the elements of `compare.html` except the table (`table.js`). Does not own: the run (`run.js`) or its figures (`figures.js`).
 */

import { startAccess } from "../access.js";
import { download } from "../download.js";
import { byId, element } from "../element.js";
import { onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/compare.js";
import { startLook } from "../look.js";
import { setData, setText } from "../write.js";
import { inCommon } from "./agreement.js";
import { describeCause } from "./failure.js";
import { FeedNote } from "./feednote.js";
import { figuresOf, writeBytes, writeSpan } from "./figures.js";
import { measuredFigures, paintHeadline, paintSource } from "./headline.js";
import { Plot, smoothed } from "./plot.js";
import { csvOf, isTruncated, rawData } from "./raw.js";
import { Run, serverNow } from "./run.js";
import { lasting, summarize } from "./summary.js";
import { makeCells, makePrices, paintMeasured, paintTable } from "./table.js";
import { forEach, TRANSPORTS } from "./transports.js";

/** @typedef {ReturnType<typeof figures>} All */

const PAINT_MS = 250;

startLook();
void startAccess(async () => await import("./entrance.js"));
startLanguage(korean);

/** @type {Run | null} */
let run = null;
const plots = { latency: new Plot(byId("latency"), (us) => writeSpan(us)), bytes: new Plot(byId("bytes"), writeBytes) };
/** The number of samples that the plots show. */
let plotted = NaN;
let timer = 0;
const feed = new FeedNote();

/** Returns the values of the controls. */
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
  const begun = new Run(settings(), paint, (state) => feed.take(state));
  run = begun;
  makePrices(byId("prices"), begun.settings.symbols);
  plotted = NaN;
  clearInterval(timer);
  timer = window.setInterval(paint, PAINT_MS);
  void begun.go().then(async () => {
    clearInterval(timer);
    paint();
    await feed.look();
    paint();
  });
  void feed.look();
}

function isUnderWay() {
  return run !== null && ["starting", "running", "stopping"].includes(run.state);
}

/** @param {Run} of */
function figures(of) {
  const at = of.ended || serverNow(of);
  return forEach((transport) => figuresOf(of.tallies[transport], of.costs?.[transport], at));
}

function paint() {
  feed.paint(run?.hasChanged ?? false);
  paintState();
  paintSource(run !== null);
  if (!run) {
    const measured = measuredFigures();
    paintMeasured(byId("table"), measured);
    paintHeadline(measured, 0);
    return;
  }
  const now = figures(run);
  paintHeadline(now, run.clock?.error_us ?? 0);
  paintTable(byId("table"), run, now);
  paintPlots(run);
  paintSummary(run, now);
}

/** Paints the state. Screen readers announce its changes, but not the running figures. */
function paintState() {
  const state = run?.state ?? "idle";
  const [label, detail] = wordsOf(state);
  setData(byId("run"), "state", state);
  setText(byId("run-label"), label);
  setText(byId("run-detail"), detail);
  byId("hidden").hidden = !run?.wasHidden;
  byId("truncated").hidden = !run || !isTruncated(run);
  byId("start").toggleAttribute("disabled", isUnderWay());
  byId("stop").toggleAttribute("disabled", state !== "starting" && state !== "running");
  for (const id of ["json", "csv"]) byId(id).toggleAttribute("disabled", state !== "done");
}

/** @param {import("./run.js").State} state */
function wordsOf(state) {
  const values = {
    seconds: run ? Math.max(0, run.secondsAt(serverNow(run))).toFixed(0) : "0",
    all: run?.settings.seconds ?? 0,
    error: writeSpan(run?.clock?.error_us ?? null),
  };
  switch (state) {
    case "idle": return [t("Ready"), ""];
    case "starting": return [t("Reading the server's clock"), ""];
    case "running": return [t("Running"), t("{seconds} of {all} s, clock known to ±{error}", values)];
    case "stopping": return [t("Reading the last figures"), ""];
    case "done": return [t("Done"), t("after {seconds} s, clock known to ±{error}", values)];
    case "failed": return [t("Failed: {reason}", { reason: run?.problem ? describeCause(run.problem) : "" }), ""];
  }
}

/** @param {Run} of */
function paintPlots({ samples, settings: { seconds, interval_ms } }) {
  if (plotted === samples.length) return;
  plotted = samples.length;
  // With less than three polls in a run there is nothing to average.
  const window_s = Math.max(1, Math.min(Math.ceil(interval_ms / 1_000), Math.floor(seconds / 3)));
  plots.latency.draw(TRANSPORTS.map((name) => ({
    name,
    points: samples.map((sample) => ({ x: sample.second, y: sample[name].latency_us })),
    every_s: name === "short_poll" ? interval_ms / 1_000 : 0,
  })), seconds);
  plots.bytes.draw(TRANSPORTS.map((name) => ({
    name,
    points: smoothed(samples.map((sample) => ({ x: sample.second, y: sample[name].bytes_per_second })), window_s),
    every_s: 0,
  })), seconds);
}

/** @param {Run} of @param {All} now */
function paintSummary(of, now) {
  const list = byId("summary");
  const isDone = of.state === "done";
  byId("summary-empty").hidden = isDone;
  if (!isDone) return list.replaceChildren();
  const { failures, tallies, clock, settings: { interval_ms, max_hz } } = of;
  const seconds = of.secondsAt(of.ended);
  const voids = Object.fromEntries(TRANSPORTS.flatMap((name) => tallies[name].voids.slice(0, 1).map(({ at_us }) => [name, of.secondsOf(at_us)])));
  const common = inCommon(lasting(failures).map((name) => tallies[name]));
  const sentences = summarize({ figures: now, common, failures, voids, isLatest: max_hz !== null, interval_ms, seconds, error_us: clock?.error_us ?? null });
  // No line break between a number and its unit.
  const joined = sentences.map((sentence) => sentence.replaceAll(/(?<=\d) (?=(ms|s|B|kB|MB)\b)/g, "\u00a0"));
  list.replaceChildren(...joined.map((sentence) => element("li", {}, sentence)));
}

makeCells(byId("table"));
byId("controls").addEventListener("submit", start);
byId("stop").addEventListener("click", () => run?.stop());
byId("json").addEventListener("click", () => {
  if (run) download(`${run.client}.json`, "application/json", JSON.stringify({ ...rawData(run), replay: feed.replay }));
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
void feed.look().then(paint);
