// @ts-check
/**
 * The alerts of the viewer: their list, and what is shown, sounded and notified when one is due.
 *
 * Owns: these elements, and the stored alerts. Does not own: the form (`alertform.js`), when an alert is due (`alerts.js`), the
 * subscriptions (`app.js`).
 */

/** @typedef {import("./alerts.js").Alert} Alert */
/** @typedef {import("./alerts.js").Kind} Kind */
/** @typedef {import("./ticker.js").Ticker} Ticker */

import { AlertForm } from "./alertform.js";
import { ALERTS_MAX, armed, dueAt, soundAlerts, textOf, watchedBy } from "./alerts.js";
import { Disclosure } from "./disclosure.js";
import { byId, element } from "./element.js";
import { t } from "./i18n.js";
import { settings } from "./settings.js";
import { formatTime } from "./zone.js";

const alertSetting = settings.define("alerts", soundAlerts);
const soundSetting = settings.define("alertSound", (stored) => stored === true);
const noticeSetting = settings.define("alertNotice", (stored) => stored === true);
/** The tones of the sound, in hertz, and the length of each. */
const TONES = [880, 1_175];
const TONE_S = 0.14;
/** The alerts that are shown at once. */
const SHOWN_MAX = 3;

/**
 * @typedef {object} AlertHandlers
 * @property {() => string | null} charted
 * @property {() => import("./protocol.js").Listing[]} listings
 * @property {(symbol: string) => void} onChart
 * @property {() => void} onChange other symbols are watched
 */

export class AlertPanel {
  #tickers;
  #handlers;
  #button = byId("alerts-open");
  #panel = byId("alerts-menu");
  #shown = byId("alert-shown");
  /** What has happened and was not dismissed, the newest first. @type {string[]} */
  #due = [];
  #list = element("ul", { class: "alerts" });
  #menu;
  /** @type {AlertForm | null} */
  #form = null;
  /** @type {AudioContext | null} */
  #audio = null;
  /** The armed alerts of each symbol. @type {Map<string, Alert[]>} */
  #armed = new Map();

  /** @param {ReadonlyMap<string, Ticker>} tickers @param {AlertHandlers} handlers */
  constructor(tickers, handlers) {
    this.#tickers = tickers;
    this.#handlers = handlers;
    this.#menu = new Disclosure(this.#button, this.#panel, () => this.#fill());
    byId("alert-close").addEventListener("click", () => this.#dismiss());
    byId("alert-chart").addEventListener("click", () => {
      this.#dismiss();
      if (this.#shown.dataset.symbol) handlers.onChart(this.#shown.dataset.symbol);
    });
    alertSetting.subscribe(() => {
      this.#refresh();
      handlers.onChange();
    });
    this.#refresh();
  }

  /** What must be received in full. */
  get watched() {
    return watchedBy(alertSetting.get());
  }

  /** @param {string} symbol */
  hasAlert(symbol) {
    return this.#armed.has(symbol);
  }

  /** Looks whether an alert is due. @param {Ticker} ticker @param {Ticker} [before] the figures before a snapshot */
  take(ticker, before) {
    for (const alert of this.#armed.get(ticker.symbol) ?? []) {
      if (alert.kind === "price" && alert.isAbove === null && ticker.price !== undefined && ticker.price !== alert.level) this.#replace(armed(alert, ticker));
      const value = dueAt(alert, ticker, before);
      if (value !== null) this.#fire(alert, value);
    }
  }

  /** Rewrites what follows the prices. Call it a few times a second. */
  tick() {
    if (this.#menu.isOpen) this.#form?.tick();
  }

  /** Rewrites the texts, as after a switch of the language. */
  relabel() {
    this.#refresh();
    if (this.#menu.isOpen) this.#fill();
  }

  /** @param {Alert} alert @param {number} value */
  #fire(alert, value) {
    // Another tab may have shown it: storage tells at once, its event comes later.
    settings.reload();
    const present = alertSetting.get().find(({ id }) => id === alert.id);
    if (!present || present.fired) return;
    const fired = { at_ms: Date.now(), value };
    this.#replace({ ...present, fired });
    const text = describeFired(alert, fired);
    this.#due = [text, ...this.#due].slice(0, SHOWN_MAX);
    byId("alert-text").textContent = this.#due.join("\n");
    this.#shown.dataset.symbol = alert.symbol;
    this.#shown.hidden = false;
    if (soundSetting.get()) this.#sound();
    if (noticeSetting.get() && globalThis.Notification?.permission === "granted") notify(text, alert.id);
  }

  #dismiss() {
    this.#shown.hidden = true;
    this.#due = [];
  }

  /** @param {Alert} alert */
  #replace(alert) {
    alertSetting.set(alertSetting.get().map((each) => (each.id === alert.id ? alert : each)));
  }

  #refresh() {
    this.#armed.clear();
    for (const alert of alertSetting.get()) {
      if (!alert.fired) this.#armed.set(alert.symbol, [...(this.#armed.get(alert.symbol) ?? []), alert]);
    }
    const count = [...this.#armed.values()].flat().length;
    this.#button.textContent = count > 0 ? t("Alerts ({count})", { count }) : t("Alerts");
    this.#list.replaceChildren(...alertSetting.get().map((alert) => this.#rowOf(alert)));
  }

  #fill() {
    this.#form = new AlertForm(this.#tickers, {
      charted: this.#handlers.charted,
      listings: this.#handlers.listings,
      onAdd: (symbol, kind, level, ticker) => this.#add(symbol, kind, level, ticker),
    });
    this.#panel.replaceChildren(this.#form.element, this.#list, this.#choices());
  }

  /** Returns why nothing was added, or what was. @param {string} symbol @param {Kind} kind @param {number} level @param {Ticker | undefined} ticker */
  #add(symbol, kind, level, ticker) {
    if (alertSetting.get().length >= ALERTS_MAX) return { refused: t("{count} alerts is the most.", { count: ALERTS_MAX }) };
    const id = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
    const alert = armed({ id, symbol, kind, level, isAbove: null, fired: null }, ticker);
    alertSetting.set([...alertSetting.get(), alert]);
    return { done: t("Alert set: {alert}", { alert: describe(alert) }) };
  }

  /** @param {Alert} alert */
  #rowOf(alert) {
    const state = alert.fired ? t("fired {time} at {value}", { value: textOf(alert.kind, alert.fired.value), time: formatTime(alert.fired.at_ms / 1_000, "second") }) : t("armed");
    const row = element("li", { "data-alert": alert.id, "data-fired": String(alert.fired !== null) }, element("span", {}, describe(alert)), element("small", {}, state));
    if (alert.fired) {
      const again = element("button", { type: "button", "data-action": "arm" }, t("Set again"));
      again.addEventListener("click", () => this.#replace(armed(alert, this.#tickers.get(alert.symbol))));
      row.append(again);
    }
    const remove = element("button", { type: "button", "data-action": "drop", "aria-label": t("Delete the alert: {alert}", { alert: describe(alert) }) }, "\u00D7");
    remove.addEventListener("click", () => alertSetting.set(alertSetting.get().filter((each) => each.id !== alert.id)));
    row.append(remove);
    return row;
  }

  #choices() {
    const choice = (/** @type {string} */ id, /** @type {string} */ label, /** @type {boolean} */ isOn, /** @type {(isOn: boolean) => void} */ onChange) => {
      const box = element("input", { type: "checkbox", id });
      box.checked = isOn;
      box.addEventListener("change", () => onChange(box.checked));
      return element("label", { class: "choice" }, box, label);
    };
    const hasNotices = "Notification" in globalThis;
    return element("div", {},
      choice("alert-sound", t("With a sound"), soundSetting.get(), (isOn) => {
        soundSetting.set(isOn);
        // A browser permits sounds only after a gesture of the viewer's.
        if (isOn) this.#sound();
      }),
      ...(hasNotices ? [choice("alert-notice", t("With a notification"), noticeSetting.get() && Notification.permission === "granted", (isOn) => void this.#setNotice(isOn))] : []));
  }

  /** @param {boolean} isOn */
  async #setNotice(isOn) {
    const isGranted = isOn && (Notification.permission === "granted" || (await Notification.requestPermission()) === "granted");
    noticeSetting.set(isGranted);
    this.#fill();
  }

  #sound() {
    try {
      this.#audio ??= new AudioContext();
      void this.#audio.resume();
      const { currentTime, destination } = this.#audio;
      for (const [index, tone] of TONES.entries()) {
        const oscillator = this.#audio.createOscillator();
        const gain = this.#audio.createGain();
        oscillator.frequency.value = tone;
        gain.gain.setValueAtTime(0.2, currentTime + index * TONE_S);
        gain.gain.exponentialRampToValueAtTime(0.001, currentTime + (index + 1) * TONE_S);
        oscillator.connect(gain).connect(destination);
        oscillator.start(currentTime + index * TONE_S);
        oscillator.stop(currentTime + (index + 1) * TONE_S);
      }
    } catch {
      // There is no audio device.
    }
  }
}

/** @param {string} text @param {string} tag the same one is shown once, however many tabs there are */
function notify(text, tag) {
  try {
    const notification = new Notification("tickcast", { body: text, tag });
    notification.onclick = () => window.focus();
  } catch {
    // Some phones permit notifications to service workers only.
  }
}

/** @param {Alert} alert */
function describe(alert) {
  const { symbol, kind, isAbove } = alert;
  if (kind === "move") return t("{symbol} moves ±{level}%", { symbol, level: alert.level });
  const level = textOf(kind, alert.level);
  if (kind === "spread") return t("{symbol} spread {level}", { symbol, level });
  if (isAbove === null) return t("{symbol} crosses {level}", { symbol, level });
  return isAbove ? t("{symbol} rises to {level}", { symbol, level }) : t("{symbol} falls to {level}", { symbol, level });
}

/** Says what has happened and when: the figure may be another one by the time that it is read. @param {Alert} alert @param {import("./alerts.js").Fired} fired */
export function describeFired(alert, { at_ms, value }) {
  const values = { symbol: alert.symbol, value: textOf(alert.kind, value), time: formatTime(at_ms / 1_000, "second") };
  if (alert.kind === "move") return t("{symbol} moved {value} at {time}", values);
  if (alert.kind === "spread") return t("{symbol} spread reached {value} at {time}", values);
  return alert.isAbove ? t("{symbol} rose to {value} at {time}", values) : t("{symbol} fell to {value} at {time}", values);
}
