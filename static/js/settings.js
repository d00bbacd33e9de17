// @ts-check
/**
 * Keeps the viewer's settings between visits, in step between tabs.
 *
 * A module that has a setting defines it with a function that turns what is stored into a valid value, because storage may hold values of
 * an older or a newer page, or of another program. If storage is denied or full, a setting lasts as long as the page.
 *
 * Owns: one entry of `localStorage`. Does not own: the meaning of any setting. Values are JSON.
 */

/**
 * One setting.
 * @template T
 * @typedef {object} Setting
 * @property {() => T} get
 * @property {(value: T) => void} set changes and saves it, and calls every listener
 * @property {(listener: (value: T) => void) => () => void} subscribe calls a listener after every change, also one in another tab; returns
 *   a function that removes the listener
 */
/** @typedef {{ json: string, value: unknown, read: (stored: unknown) => unknown, listeners: Set<(value: any) => void> }} Entry */

export const KEY = "tickcast.page";
/** The greatest accepted text of an import. Browsers store about five million characters for each site. */
const IMPORT_CHARS_MAX = 1_000_000;

export class Settings {
  #storage;
  /** Every stored value, also those that this page does not know, so that a newer page finds them again. @type {Record<string, unknown>} */
  #stored = {};
  /** Values that could not be saved yet. @type {Record<string, unknown>} */
  #unsaved = {};
  /** @type {Map<string, Entry>} */
  #entries = new Map();

  /** @param {() => Storage} storage may throw, as `localStorage` does where it is denied */
  constructor(storage) {
    this.#storage = storage;
    this.#load();
  }

  /** Whether storage holds every value, so that the next visit finds it. */
  get isKept() {
    return Object.keys(this.#unsaved).length === 0;
  }

  /**
   * Defines a setting. Defining one again returns the first.
   * @template T
   * @param {string} name
   * @param {(stored: unknown) => T} read returns a valid value for anything; for undefined, the default
   * @returns {Setting<T>}
   */
  define(name, read) {
    if (!this.#entries.has(name)) {
      const value = read(this.#valueOf(name));
      this.#entries.set(name, { json: JSON.stringify(value), value, read, listeners: new Set() });
    }
    const entry = /** @type {Entry} */ (this.#entries.get(name));
    return {
      get: () => /** @type {T} */ (entry.value),
      set: (value) => this.#save({ [name]: value }),
      subscribe(listener) {
        entry.listeners.add(listener);
        return () => entry.listeners.delete(listener);
      },
    };
  }

  /** Takes over what another tab has saved. */
  reload() {
    this.#load();
    this.#notify();
  }

  /** Returns all settings as a text that `importText` accepts. */
  exportText() {
    return JSON.stringify({ tickcast: 1, settings: { ...this.#stored, ...this.#unsaved } }, null, 2);
  }

  /** Takes over exported settings. Returns whether the text was one of `exportText`. @param {string} text */
  importText(text) {
    if (text.length > IMPORT_CHARS_MAX) return false;
    try {
      const read = JSON.parse(text);
      if (read?.tickcast !== 1 || !isRecord(read.settings)) return false;
      this.#save(read.settings);
      return true;
    } catch {
      return false;
    }
  }

  /** Restores the default of every setting. */
  reset() {
    this.#stored = {};
    this.#unsaved = {};
    try {
      this.#storage().removeItem(KEY);
    } catch {
      // Denied: nothing was stored.
    }
    this.#notify();
  }

  /** @param {string} name */
  #valueOf(name) {
    if (Object.hasOwn(this.#unsaved, name)) return this.#unsaved[name];
    return Object.hasOwn(this.#stored, name) ? this.#stored[name] : undefined;
  }

  #load() {
    try {
      const stored = JSON.parse(this.#storage().getItem(KEY) ?? "{}");
      this.#stored = isRecord(stored) ? stored : {};
    } catch {
      this.#stored = {};
    }
  }

  /** Saves values without overwriting others, which another tab may have changed since. @param {Record<string, unknown>} values */
  #save(values) {
    this.#unsaved = { ...this.#unsaved, ...values };
    this.#load();
    const all = { ...this.#stored, ...this.#unsaved };
    try {
      this.#storage().setItem(KEY, JSON.stringify(all));
      this.#stored = all;
      this.#unsaved = {};
    } catch {
      // Denied or full: the values stay in this page, and the next change tries again to save them.
    }
    this.#notify();
  }

  /** Calls the listeners of every setting whose value has changed. All values are new before the first listener is called. */
  #notify() {
    /** @type {Entry[]} */
    const changed = [];
    for (const [name, entry] of this.#entries) {
      const value = entry.read(this.#valueOf(name));
      const json = JSON.stringify(value);
      if (json === entry.json) continue;
      Object.assign(entry, { json, value });
      changed.push(entry);
    }
    for (const entry of changed) {
      for (const listener of [...entry.listeners]) listener(entry.value);
    }
  }
}

/** The settings of this page. */
export const settings = new Settings(() => localStorage);
globalThis.addEventListener?.("storage", (event) => {
  // The key is null after `localStorage.clear()`.
  if (event.key === KEY || event.key === null) settings.reload();
});

/**
 * Returns a `read` function for `define`: one of the allowed values, else the first.
 * @template T
 * @param {readonly T[]} allowed
 * @returns {(stored: unknown) => T}
 */
export function oneOf(allowed) {
  return (stored) => allowed.find((value) => value === stored) ?? allowed[0];
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
