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
export function outcomeOf({ ready_ms, failure }) {
  if (failure === null) return ready_ms === null ? t("is being tried") : t("in use");
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
    const { attempts, clock, status } = this.#link;
    const rows = attempts.map((attempt) => {
      // On the server's clock where it is known, as that of the viewer may be wrong.
      const at_ms = performance.timeOrigin + (attempt.ready_ms ?? attempt.at_ms) + (clock.best?.offset_us ?? 0) / 1_000;
      return [formatTime(at_ms / 1_000, "second"), transportName(attempt.transport), outcomeOf(attempt)];
    });
    setText(byId("connection-now"), whyStale(status) || (rows[0]?.slice(1).join(": ") ?? ""));
    const key = JSON.stringify(rows);
    if (key === this.#shown) return;
    this.#shown = key;
    byId("connection-tried").replaceChildren(...rows.map(([at, name, outcome]) =>
      element("li", {}, element("time", {}, at), " ", element("b", {}, name), " ", element("span", {}, outcome))));
  }
}
