// @ts-check
/**
 * The bar of a replay below the chart: that it is one, of which files, the recorded time, and for operators pause, step, speed and a slider.
 *
 * Owns: its elements and its style sheet. Does not own: how far the replay is (`model.js`), the requests (`../feed.js`). Loaded on demand.
 */

/** @typedef {import("../feed.js").ReplayStatus} ReplayStatus */

import { byId, element } from "../element.js";
import { formatCount } from "../format.js";
import { mark, t } from "../i18n.js";
import { AnswerError } from "../rest.js";
import { setData, setText } from "../write.js";
import { zone } from "../zone.js";
import { ReplayModel, STEP_LONG, speedsWith } from "./model.js";
import { clockOf, dateOf, endOf, ownOf, spokenOf } from "./times.js";

const PAINT_MS = 200;
/** A key that is held on the slider goes to one time, not to each on the way. */
const SETTLE_MS = 300;
/** How long the answer to a refused order is shown. */
const REFUSED_MS = 6_000;
/** A movement of the slider that ends where it began tells nothing else. */
const BROKEN_OFF_MS = 50;
const SVG = "http://www.w3.org/2000/svg";
const ACTIONS = {
  pause: { icon: "M4 2.5v11M12 2.5v11", label: mark("Pause"), order: () => "pause" },
  resume: { icon: "M4 2.5v11l9-5.5z", label: mark("Resume"), order: () => "resume" },
  again: { icon: "M3 3v4h4M3.4 7A5 5 0 1 1 3.5 10", label: mark("From the beginning"), order: (/** @type {ReplayStatus} */ { from }) => `seek?ts=${from}` },
};
const STEP_ICON = "M3.5 2.5v11l7-5.5zM13 2.5v11";

/** Loads the style sheet; resolves also if it cannot be loaded. @returns {Promise<void>} */
export function styled() {
  return new Promise((resolve) => {
    const link = element("link", { rel: "stylesheet", href: import.meta.url.replace(/js\/.*$/, "css/replay.css") });
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
}

export class ReplayBar {
  /** @type {ReplayModel | null} */
  #model = null;
  #order;
  /** Whether the server has refused an order because the viewer is no operator. */
  #isRefused = false;
  #refusal = { text: "", until_ms: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;

  #badge = element("span", {});
  #date = element("span", { class: "replay-date" });
  #clock = element("b", { class: "replay-clock" });
  #place = element("span", { class: "replay-place" });
  #own = element("span", { class: "replay-own" });
  #files = element("p", { id: "replay-files" });
  #note = element("p", { id: "replay-note", role: "status" });
  #counts = element("p", { id: "replay-counts" });
  #pause_icon = icon("");
  #pause_text = element("span", {});
  #pause = element("button", { type: "button", id: "replay-pause", "aria-keyshortcuts": "Space" }, this.#pause_icon, this.#pause_text);
  #step_text = element("span", {});
  #step = element("button", { type: "button", id: "replay-step" }, icon(STEP_ICON), this.#step_text);
  #speed = element("select", { id: "replay-speed" });
  #slider = element("input", { id: "replay-slider", type: "range", min: "0", "aria-describedby": "replay-note" });
  #from = element("span", { class: "replay-from" });
  #to = element("span", { class: "replay-to" });
  #controls = element("div", { class: "replay-controls" }, this.#pause, this.#step, this.#speed,
    element("div", { class: "replay-line" }, this.#slider, element("p", { "aria-hidden": "true" }, this.#from, this.#to)));
  #root = element("section", { id: "replay", "aria-labelledby": "replay-badge" },
    element("div", { class: "replay-facts" },
      element("p", { id: "replay-badge" }, element("span", { class: "shape", "aria-hidden": "true" }), this.#badge),
      element("p", { id: "replay-time" }, this.#date, " ", this.#clock, " ", this.#place, " ", this.#own), this.#files, this.#note, this.#counts),
    this.#controls);

  /** @param {(order: string) => Promise<void>} order gives an order to the server */
  constructor(order) {
    this.#order = order;
    this.#root.hidden = true;
    byId("stage").append(this.#root);
    this.#pause.addEventListener("click", () => this.toggle());
    this.#step.addEventListener("click", ({ shiftKey }) => void this.#send(`step?events=${shiftKey ? STEP_LONG : 1}`));
    this.#speed.addEventListener("change", () => void this.#send(`speed?x=${this.#speed.value === "0" ? "max" : this.#speed.value}`));
    this.#slider.addEventListener("input", () => {
      clearTimeout(this.#settling);
      this.#model?.wish(this.#model.timeOf(this.#slider.valueAsNumber));
      this.#paint();
    });
    this.#slider.addEventListener("change", () => {
      this.#model?.choose(this.#model.timeOf(this.#slider.valueAsNumber));
      this.#paint();
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => void this.#seek(), SETTLE_MS);
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) {
      this.#slider.addEventListener(name, () => setTimeout(() => this.#model?.drop(), BROKEN_OFF_MS));
    }
    zone.subscribe(() => this.#paint());
    document.addEventListener("visibilitychange", () => this.#paint());
    this.relabel();
  }

  /** Shows a state; null hides the bar, as with another kind of feed. @param {ReplayStatus | null} status */
  take(status) {
    this.#root.hidden = status === null;
    if (status === null) {
      this.#model = null;
      return;
    }
    const now_ms = performance.now();
    if (this.#model) this.#model.take(status, now_ms);
    else this.#model = new ReplayModel(status, now_ms);
    this.#paint();
    // A time that was chosen while the replay was on its way to another one.
    if (this.#settling === undefined) void this.#seek();
  }

  /** Pauses, goes on, or begins again. Returns whether the viewer may do that. */
  toggle() {
    const action = this.#model?.action;
    if (!this.#model || !action || this.#controls.hidden) return false;
    void this.#send(ACTIONS[action].order(this.#model.status));
    return true;
  }

  /** Rewrites the texts after the language was switched. */
  relabel() {
    setText(this.#badge, t("Replay"));
    setText(this.#place, t("New York"));
    setText(this.#step_text, t("Step"));
    this.#step.title = t("Publishes the next event; with Shift the next {count}", { count: STEP_LONG });
    this.#speed.ariaLabel = t("Speed of the replay");
    this.#slider.ariaLabel = t("Recorded time");
    this.#paint();
  }

  async #seek() {
    this.#settling = undefined;
    const ts = this.#model?.takeWish() ?? null;
    if (ts !== null && !(await this.#send(`seek?ts=${ts}`))) this.#model?.drop(true);
  }

  /** Returns whether the server obeys. @param {string} order */
  async #send(order) {
    this.#refusal.until_ms = 0;
    try {
      await this.#order(order);
      return true;
    } catch (err) {
      this.#refuse(err);
      return false;
    }
  }

  /** @param {unknown} err */
  #refuse(err) {
    const status = err instanceof AnswerError ? err.status : 0;
    this.#isRefused ||= status === 403 || status === 404;
    const text = this.#isRefused ? t("Only an operator of the server can control the replay.")
      : err instanceof AnswerError ? t("The server refuses that: {detail}", { detail: err.message }) : t("The server does not answer. Try again.");
    this.#refusal = { text, until_ms: performance.now() + REFUSED_MS };
    this.#paint();
  }

  #paint() {
    clearTimeout(this.#timer);
    const model = this.#model;
    if (!model || document.hidden) return;
    const now_ms = performance.now();
    const { status } = model;
    const ts = model.timeAt(now_ms);
    setData(this.#root, "state", model.isMoving ? "seeking" : status.state);
    setText(this.#date, dateOf(ts));
    setText(this.#clock, clockOf(ts, status.state === "paused" && !model.isMoving));
    const own = ownOf(ts);
    setText(this.#own, own === "" ? "" : `· ${own}`);
    setText(this.#files, [status.files.join(", "), ...(status.loop ? [t("repeats")] : [])].join(" · "));
    if (this.#files.title !== status.files.join("\n")) this.#files.title = status.files.join("\n");
    setText(this.#note, now_ms < this.#refusal.until_ms ? this.#refusal.text : noteOf(model, !this.#mayControl(status)));
    setText(this.#counts, countsOf(status));
    this.#paintControls(model, ts);
    if (status.state === "running" || now_ms < this.#refusal.until_ms) this.#timer = setTimeout(() => this.#paint(), PAINT_MS);
  }

  /** @param {ReplayStatus} status */
  #mayControl({ operator }) {
    return operator !== false && !this.#isRefused;
  }

  /** @param {ReplayModel} model @param {number} ts */
  #paintControls(model, ts) {
    const { status, action } = model;
    this.#controls.hidden = !this.#mayControl(status);
    if (this.#controls.hidden) return;
    const { icon: path, label } = ACTIONS[action ?? "pause"];
    setData(this.#pause, "action", action ?? "");
    setText(this.#pause_text, t(label));
    if (this.#pause_icon.firstElementChild?.getAttribute("d") !== path) this.#pause_icon.firstElementChild?.setAttribute("d", path);
    this.#pause.disabled = action === null;
    this.#step.disabled = !model.canStep;
    this.#paintSpeeds(status.speed);
    const { step_s, max_s } = model.scale;
    if (this.#slider.max !== String(max_s)) Object.assign(this.#slider, { max: String(max_s), step: String(step_s) });
    const value = model.valueOf(ts);
    if (Math.abs(this.#slider.valueAsNumber - value) > step_s / 2) this.#slider.valueAsNumber = value;
    if (this.#slider.getAttribute("aria-valuetext") !== spokenOf(ts)) this.#slider.setAttribute("aria-valuetext", spokenOf(ts));
    setText(this.#from, endOf(status.from));
    setText(this.#to, endOf(status.to));
  }

  /** @param {number} speed */
  #paintSpeeds(speed) {
    const speeds = speedsWith(speed);
    const texts = speeds.map(speedText);
    const wanted = texts.join();
    if (this.#speed.dataset.filled !== wanted) {
      this.#speed.dataset.filled = wanted;
      this.#speed.replaceChildren(...speeds.map((each, index) => element("option", { value: String(each) }, texts[index])));
    }
    if (this.#speed.value !== String(speed)) this.#speed.value = String(speed);
  }
}

/** Writes a speed. @param {number} speed */
export function speedText(speed) {
  return speed === 0 ? t("max") : `${speed}×`;
}

/** Says what the recorded time does not. @param {ReplayModel} model @param {boolean} isWatching whether the viewer has no controls, which would say the speed */
export function noteOf(model, isWatching) {
  if (model.isMoving) return t("Going to another time");
  switch (model.status.state) {
    case "paused": return t("Paused");
    case "ended": return t("The files have ended.");
    case "failed": return t("The replay has failed: {complaint}", { complaint: model.status.complaint ?? "?" });
    default: return isWatching ? t("Speed {speed}", { speed: speedText(model.status.speed) }) : "";
  }
}

/** Says what the readers of the files have changed or left out; empty if nothing. @param {Pick<ReplayStatus, "counted">} status */
export function countsOf({ counted: { rounded, skipped, reordered } }) {
  return [
    ...(rounded > 0 ? [t("{count} figures rounded", { count: formatCount(rounded) })] : []),
    ...(skipped > 0 ? [t("{count} records left out", { count: formatCount(skipped) })] : []),
    ...(reordered > 0 ? [t("{count} rows put in order", { count: formatCount(reordered) })] : []),
  ].join(", ");
}

/** @param {string} d the path */
function icon(d) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", width: "13", height: "13", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({ d, fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round" })) path.setAttribute(name, value);
  svg.append(path);
  return svg;
}
