// @ts-check
/**
 * Shows the state of the connection by a shape, words and a colour, and the reason why it was closed.
 *
 * Owns: the status element, the reason below it, the retry button. Does not own: the status (`link.js`). Screen readers announce each
 * change of state, but not the countdown.
 */

/** @typedef {import("./link.js").Status} Status */

import { formatCount } from "./format.js";
import { t } from "./i18n.js";
import { setData, setText } from "./write.js";

export class Connection {
  #status = document.querySelector("#status");
  #label = document.querySelector("#status-label");
  #detail = document.querySelector("#status-detail");
  #reason = document.querySelector("#status-reason");
  #retry = document.querySelector("#retry");

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#retry?.addEventListener("click", onRetry);
  }

  /** @param {Status} status @param {number} now_ms as `performance.now()` counts */
  paint(status, now_ms) {
    setData(this.#status, "state", status.state);
    const [label, detail] = describe(status, now_ms);
    setText(this.#label, label);
    setText(this.#detail, detail);
    setText(this.#reason, describeReason(status));
    if (this.#retry instanceof HTMLElement) {
      const isWaiting = status.state === "closed" || (status.state === "reconnecting" && status.retry_at_ms !== null);
      if (this.#retry.hidden === isWaiting) this.#retry.hidden = !isWaiting;
    }
  }
}

/**
 * Returns the text of a status: the part that screen readers announce, and the part that is only visible.
 * @param {Status} status
 * @param {number} now_ms
 */
export function describe(status, now_ms) {
  switch (status.state) {
    case "connecting": return [t("Connecting"), ""];
    case "live": {
      // The words tell whoever runs a proxy what to mend; the prices are live all the same.
      if (status.fallback === null) return [t("Live"), ""];
      return [t("WebSocket refused"), status.fallback === "sse" ? t("live by server-sent events") : t("live by long polling")];
    }
    case "closed": return [t("Disconnected"), ""];
    case "reconnecting": {
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

/** Returns the reason why there is no connection; empty if there is one, or if the reason is unknown. @param {Status} status */
export function describeReason(status) {
  if (status.state === "closed") {
    return t("{reason}. It would do so again, so this page does not reconnect by itself. Reload the page.", { reason: t(status.reason) });
  }
  if (status.state === "live" && status.fallback !== null) return refused();
  if (status.state !== "reconnecting") return "";
  if (status.isRefused) return refused();
  return status.reason === "" ? "" : t(status.reason);
}

/** Returns the reason why no WebSocket gets through. */
function refused() {
  return t("The server answers, but no WebSocket gets through: a proxy in front of it may change Host or not pass Upgrade on.");
}
