// @ts-check
/**
 * The dialog of settings. Every change takes effect at once.
 *
 * Owns: the dialog, the file of exported settings. Does not own: the settings; each is defined by the module that it concerns.
 */

import { byId } from "./element.js";
import { numbers } from "./format.js";
import { currentLanguage, mark, onLanguage, switchLanguage, t } from "./i18n.js";
import { colours, theme } from "./look.js";
import { settings } from "./settings.js";
import { setText } from "./write.js";
import { zone } from "./zone.js";

/** By the name in `data-setting`. The options of each field are the valid values. */
const FIELDS = /** @type {Readonly<Record<string, import("./settings.js").Setting<string>>>} */ (/** @type {unknown} */ ({ theme, colours, numbers, zone }));
const FILE_NAME = "tickcast-settings.json";
/** The greatest file that is read. */
const FILE_BYTES_MAX = 1_000_000;

let isStarted = false;

/** Opens the dialog. */
export function openSettings() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("settings"));
  if (!isStarted) start(dialog);
  isStarted = true;
  dialog.dispatchEvent(new Event("open"));
  dialog.showModal();
}

/** @param {HTMLDialogElement} dialog */
function start(dialog) {
  const language = /** @type {HTMLSelectElement} */ (byId("set-language"));
  const file = /** @type {HTMLInputElement} */ (byId("settings-file"));
  const [reset, sure] = [byId("settings-reset"), byId("settings-sure")];
  let note = "";

  /** @param {string} phrase for `t()` */
  const show = (phrase) => {
    note = phrase;
    setText(byId("settings-note"), phrase === "" ? "" : t(phrase));
  };
  const warn = () => show(settings.isKept ? "" : mark("This browser keeps no settings: they last until the page is closed."));
  const refresh = () => {
    language.value = currentLanguage();
    show(note);
  };

  for (const select of dialog.querySelectorAll("select[data-setting]")) {
    if (!(select instanceof HTMLSelectElement)) continue;
    const setting = FIELDS[select.dataset.setting ?? ""];
    select.value = setting.get();
    select.addEventListener("change", () => {
      setting.set(select.value);
      warn();
    });
    setting.subscribe((value) => {
      select.value = value;
    });
  }
  language.addEventListener("change", () => {
    switchLanguage(language.value === "ko" ? "ko" : "en");
    warn();
  });
  onLanguage(refresh);
  dialog.addEventListener("open", () => {
    refresh();
    askReset(false);
  });
  byId("settings-export").addEventListener("click", () => save(settings.exportText()));
  byId("settings-import").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    // Every part of the page depends on settings, so it starts anew.
    if (chosen.size <= FILE_BYTES_MAX && settings.importText(await chosen.text())) location.reload();
    else show(mark("This file holds no settings of tickcast."));
  });

  /** @param {boolean} isAsked */
  const askReset = (isAsked) => {
    sure.hidden = !isAsked;
    reset.hidden = isAsked;
    if (isAsked) sure.focus();
  };
  reset.addEventListener("click", () => askReset(true));
  sure.addEventListener("click", () => {
    settings.reset();
    location.reload();
  });
}

/** Lets the viewer save a text as a file. @param {string} text */
function save(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = FILE_NAME;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
