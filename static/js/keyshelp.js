// @ts-check
/**
 * The keys of the live page, as a dialog; loaded when it is asked for.
 *
 * Owns: the dialog. Does not own: the keys.
 */

import { element } from "./element.js";
import { t } from "./i18n.js";

/** Opens the dialog. */
export function openKeys() {
  const keys = [
    ["/", t("find a symbol to add")], ["?", t("these keys")],
    ["← →", t("chart: read bar by bar")], ["Home, End", t("chart: to the oldest and the newest bar")], ["Page Up, Page Down", t("chart: 50 bars back and forth")],
    ["+ −", t("chart: zoom")], ["↑ ↓", t("list: from row to row")], ["Enter", t("list: chart the row")], ["Delete", t("list: remove the row")],
    ["Alt + ↑ ↓", t("list: move the row")], ["Ctrl + Z", t("list: undo")],
    ...(document.documentElement.dataset.feed === "replay" ? [[t("Space"), t("replay: pause and go on")]] : []),
  ];
  const dialog = element("dialog", { id: "keys", "aria-labelledby": "keys-title", closedby: "any" },
    element("form", { method: "dialog", class: "dialog-head" }, element("h2", { id: "keys-title" }, t("Keys")), element("button", { type: "submit", class: "close", "aria-label": t("Dismiss") }, "\u00D7")),
    element("dl", {}, ...keys.flatMap(([key, meaning]) => [element("dt", {}, key), element("dd", {}, meaning)])));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
