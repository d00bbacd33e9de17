// @ts-check
/**
 * One large figure for each transport, the median latency, with the cost of an event below it; and the last measured comparison, which
 * the page shows before a run.
 *
 * Owns: `#headline` and `#source`. Does not own: the figures (`figures.js`, `measured.js`), the table (`table.js`).
 */

/** @typedef {import("./figures.js").Figures} Figures */
/** @typedef {import("./transports.js").Transport} Transport */

import { byId, element } from "../element.js";
import { t } from "../i18n.js";
import { setText } from "../write.js";
import { writeBytes, writeCount, writeSpan } from "./figures.js";
import { MEASURED } from "./measured.js";
import { forEach, TRANSPORTS } from "./transports.js";

/** @typedef {{ [Name in keyof Figures]: number | null }} Shown null: unknown */

/** What a measurement with many clients does not have. @type {Pick<Shown, "merged" | "repeated" | "reconnected" | "payload" | "framing" | "headers" | "tls" | "staleness">} */
const NONE = { merged: null, repeated: null, reconnected: null, payload: null, framing: null, headers: null, tls: null, staleness: null };

/** Returns the figures of the last measured comparison. @returns {Record<Transport, Shown>} */
export function measuredFigures() {
  return forEach((transport) => ({ ...NONE, ...MEASURED.transports[transport] }));
}

/** Writes where the shown figures come from: the last measured comparison, or, with a run, this page. @param {boolean} isRun */
export function paintSource(isRun) {
  const { date, clients, rate, seconds, machine } = MEASURED;
  const values = { date, clients: writeCount(clients), rate, seconds, cpu: machine.cpu, cores: machine.cores };
  const phrase = t("Measured on {date}: {clients} clients, {rate} events a second each, {seconds} s, {cpu} with {cores} cores. Start a run to measure here.", values);
  setText(byId("source"), isRun ? t("Measured by this page, in this run.") : phrase);
}

/** @param {Record<Transport, Shown>} figures @param {number} error_us of the clocks */
export function paintHeadline(figures, error_us) {
  const list = byId("headline");
  if (list.childElementCount === 0) {
    list.append(...TRANSPORTS.map((transport) => element("li", { "data-transport": transport },
      element("b", { class: "figure" }), element("span", { class: "caption" }), element("span", { class: "cost" }))));
  }
  TRANSPORTS.forEach((transport, index) => {
    const [figure, caption, cost] = list.children[index].children;
    const { p50, bytes_per_event, requests, events } = figures[transport];
    setText(figure, writeSpan(p50, error_us));
    setText(caption, t("median latency, {transport}", { transport: t(NAMES[transport]) }));
    const perEvent = requests !== null && events ? (requests / events).toFixed(requests > 0 && requests < events * 0.995 ? 2 : 0) : "–";
    setText(cost, t("{bytes} and {requests} requests for each event", { bytes: writeBytes(bytes_per_event), requests: perEvent }));
  });
}

/** @type {Record<Transport, string>} */
const NAMES = { websocket: "WebSocket", sse: "Server-sent events", long_poll: "Long poll", short_poll: "Short poll" };
