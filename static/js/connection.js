// @ts-check
/**
 * Shows the state of the connection by a shape, words and a colour, and the reason why it was closed.
 *
 * Owns: the status element, the reason below it, the retry button. Does not own: the status (`link.js`). Screen readers announce each
 * change of state, but not the countdown.
 */

/** @typedef {import("./feed.js").Kind} Kind */
/** @typedef {import("./link.js").Status} Status */

import { ConnectionPanel, transportName } from "./connectionpanel.js";
import { formatCount } from "./format.js";
import { t } from "./i18n.js";
import { setData, setText } from "./write.js";
import { formatTime } from "./zone.js";

export class Connection {
  #status = document.querySelector("#status");
  #label = document.querySelector("#status-label");
  #detail = document.querySelector("#status-detail");
  #since = document.querySelector("#status-since");
  #reason = document.querySelector("#status-reason");
  #retry = document.querySelector("#retry");

  #link;
  #panel;

  /** @param {import("./link.js").Link} link */
  constructor(link) {
    this.#link = link;
    this.#panel = new ConnectionPanel(link);
    this.#retry?.addEventListener("click", () => link.retryNow());
  }

  /** @param {number} now_ms as `performance.now()` counts @param {Kind | null} feed null while it is not known */
  paint(now_ms, feed) {
    const { status, clock } = this.#link;
    this.#panel.paint();
    setData(this.#status, "state", status.state);
    const [label, detail] = describe(status, now_ms, feed);
    setText(this.#label, label);
    setText(this.#detail, detail);
    setText(this.#since, describeSince(status, (clock.best?.offset_us ?? 0) / 1_000));
    setText(this.#reason, describeReason(status));
    if (this.#retry instanceof HTMLElement) {
      const isWaiting = status.state === "closed" || (status.state === "reconnecting" && status.retry_at_ms !== null && !status.isKeyless);
      if (this.#retry.hidden === isWaiting) this.#retry.hidden = !isWaiting;
    }
  }
}

/**
 * Returns the text of a status: the part that screen readers announce, and the part that is only visible.
 * @param {Status} status
 * @param {number} now_ms
 * @param {Kind | null} [feed] null while it is not known, so that a replay is never called live
 */
export function describe(status, now_ms, feed = "simulated") {
  switch (status.state) {
    case "connecting": return [t("Connecting"), ""];
    case "moving": return [t("Replay"), t("to another time")];
    case "live": {
      if (feed === null) return [t("Connecting"), ""];
      if (feed === "replay") return [t("Replay"), describeDelay(status.delay_ms) || (status.transport ? transportName(status.transport) : "")];
      // The words tell whoever runs a proxy what to mend; the prices are live all the same.
      if (status.fallback === null) return [describeDelay(status.delay_ms) || t("Live"), status.transport ? transportName(status.transport) : ""];
      return [status.isMute ? t("WebSocket silent") : t("WebSocket refused"), describeDelay(status.delay_ms) || (status.fallback === "sse" ? t("live by server-sent events") : t("live by long polling"))];
    }
    case "closed": return [t("Disconnected"), ""];
    case "reconnecting": {
      if (status.isKeyless) return [t("Key needed"), ""];
      const label = status.isRefused ? t("WebSocket refused") : t("Reconnecting");
      if (status.retry_at_ms === null) return [label, t("now")];
      const seconds = Math.max(1, Math.ceil((status.retry_at_ms - now_ms) / 1_000));
      return [label, t("in {seconds} s", { seconds })];
    }
    case "stale": {
      if (status.silent_since_ms === null) {
        return [t("Stale"), t("{count} events skipped", { count: formatCount(status.skipped) })];
      }
      return [t("Stale"), t("nothing for {seconds} s", { seconds: Math.round((now_ms - status.silent_since_ms) / 1_000) })];
    }
  }
}

/** Returns how old the prices of the viewer's key are; empty if they are of the present. */
function describeDelay(delay_ms = 0) {
  if (delay_ms === 0) return "";
  return delay_ms % 60_000 === 0 ? t("Delayed {minutes} min", { minutes: delay_ms / 60_000 }) : t("Delayed {seconds} s", { seconds: delay_ms / 1_000 });
}

/** Returns since when the connection is there, by the server's clock, as that of the viewer may be wrong. @param {Status} status @param {number} ahead_ms of the server's clock */
function describeSince(status, ahead_ms) {
  if (status.state !== "live" || status.since_ms === undefined) return "";
  return t("since {time}", { time: formatTime((performance.timeOrigin + status.since_ms + ahead_ms) / 1_000, "minute") });
}

/** Returns the reason why there is no connection; empty if there is one, or if the reason is unknown. @param {Status} status */
export function describeReason(status) {
  if (status.state === "closed") {
    return t("{reason}. It would do so again, so this page does not reconnect by itself. Reload the page.", { reason: t(status.reason) });
  }
  if (status.state === "live" && status.fallback !== null) {
    return status.isMute ? t("The WebSocket was open, but no prices came over it, twice in a row. It is tried again from time to time.") : refused();
  }
  if (status.state !== "reconnecting") return "";
  if (status.isKeyless) return t("This server asks for a key");
  if (status.isRefused) return refused();
  if (globalThis.navigator?.onLine === false) return t("this device has no network");
  return status.reason === "" ? "" : t(status.reason);
}

/** Returns the reason why no WebSocket gets through. */
function refused() {
  return t("The server answers, but no WebSocket gets through: a proxy in front of it may change Host or not pass Upgrade on.");
}
