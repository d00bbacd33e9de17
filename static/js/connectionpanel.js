// @ts-check
/**
 * The details of the connection behind the badge: by which transport and since when, what was tried before, and the viewer's choice of
 * a transport.
 *
 * Owns: the panel and the setting. Does not own: the connection (`link.js`), the badge (`connection.js`).
 */

/** @typedef {import("./link.js").Attempt} Attempt */
/** @typedef {import("./link.js").Choice} Choice */
/** @typedef {import("./link.js").Link} Link */

import { address } from "./address.js";
import { byId, element } from "./element.js";
import { mark, t } from "./i18n.js";
import { phraseOf, silenceOf } from "./reconnect.js";
import { oneOf, settings } from "./settings.js";
import { setText } from "./write.js";
import { formatTime } from "./zone.js";

/** @type {readonly Choice[]} */
const CHOICES = ["auto", "websocket", "sse", "poll"];
const NAMES = { websocket: mark("WebSocket"), sse: mark("server-sent events"), poll: mark("long polling") };
const chosen = settings.define("transport", oneOf(CHOICES));

/** Returns the name of a transport. @param {import("./link.js").Attempt["transport"]} transport */
export function transportName(transport) {
  return t(NAMES[transport]);
}

/**
 * Returns what became of an attempt, in words.
 * @param {Attempt} attempt
 */
export function outcomeOf({ ready_ms, failure, silent_s }) {
  if (failure === null) return ready_ms === null ? t("is being tried") : t("in use");
  if (silent_s !== undefined) return t("no answer for {seconds} s, closed by this page", { seconds: silent_s });
  switch (failure.cause) {
    case "refused": return t("refused with status {status}", { status: failure.status ?? 0 });
    case "unreachable": return failure.isBlocked ? t("does not get through") : t("the server cannot be reached");
    case "buffered": return t("held back by a proxy");
    case "closed": return t(phraseOf(failure.code ?? 1006));
    case "asked": return t("replaced by this page");
    default: return ready_ms === null ? t("no answer") : t(silenceOf(failure));
  }
}

/** Returns why the prices are stale; empty if they are not. @param {import("./link.js").Status} status */
export function whyStale(status) {
  if (status.state !== "stale") return "";
  return status.silent_since_ms === null
    ? t("This page or its network was too slow, so the server has skipped events. It has sent the newest prices instead.")
    : t("Nothing comes any more, not even answers to this page's pings: the server or the network stands still. If it stays so, the page connects anew.");
}

/** Returns the rows of attempts with those that are alike as one, in the place of the newest. @param {readonly string[][]} rows time, transport and outcome, the newest first */
export function folded(rows) {
  /** @type {Map<string, { row: readonly string[], count: number }>} */
  const kept = new Map();
  for (const row of rows) {
    const key = row.slice(1).join();
    const known = kept.get(key);
    if (known) known.count += 1;
    else kept.set(key, { row, count: 1 });
  }
  return [...kept.values()].map(({ row: [time, name, outcome], count }) => [time, name, count > 1 ? `${outcome} (×${count})` : outcome]);
}

export class ConnectionPanel {
  #link;
  #panel = byId("connection-panel");
  #shown = "";

  /** @param {Link} link */
  constructor(link) {
    this.#link = link;
    const radios = [...this.#panel.querySelectorAll("input")];
    const apply = () => {
      const choice = address.get().transport ?? chosen.get();
      for (const radio of radios) radio.checked = radio.value === choice;
      link.choose(choice);
    };
    for (const radio of radios) {
      radio.addEventListener("change", () => {
        const choice = oneOf(CHOICES)(radio.value);
        if (address.get().transport !== null) address.replace({ transport: choice });
        chosen.set(choice);
        apply();
      });
    }
    chosen.subscribe(apply);
    address.onBack(apply);
    this.#panel.addEventListener("toggle", () => this.paint());
    apply();
  }

  /** Repaints the panel if it is open. */
  paint() {
    if (!this.#panel.matches(":popover-open")) return;
    const { attempts, clock, outage, status } = this.#link;
    // On the server's clock where it is known, as that of the viewer may be wrong.
    const timeAt = (/** @type {number} */ at_ms) => formatTime((performance.timeOrigin + at_ms) / 1_000 + (clock.best?.offset_us ?? 0) / 1e6, "second");
    const rows = folded(attempts.map((attempt) => [timeAt(attempt.ready_ms ?? attempt.at_ms), transportName(attempt.transport), outcomeOf(attempt)]));
    const first = outage ? t("{time}: {cause}; tries since: {count}", { time: timeAt(outage.at_ms), cause: outcomeOf(outage.attempt), count: outage.tries }) : "";
    setText(byId("connection-now"), whyStale(status) || first || (rows[0]?.slice(1).join(": ") ?? ""));
    const key = JSON.stringify(rows);
    if (key === this.#shown) return;
    this.#shown = key;
    byId("connection-tried").replaceChildren(...rows.map(([at, name, outcome]) =>
      element("li", {}, element("time", {}, at), " ", element("b", {}, name), " ", element("span", {}, outcome))));
  }
}
