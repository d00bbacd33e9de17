// @ts-check
/**
 * The viewer's alerts: when one is due, and what must be received for it to be exact.
 *
 * Owns: this rule, what is valid of stored alerts, and the first level of a new one. Does not own: how an alert is shown (`alertpanel.js`), the figures (`market.js`).
 * Pure.
 */

/** @typedef {import("./protocol.js").Channel} Channel */
/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {"price" | "move" | "spread"} Kind `price`: dollars; `move`: percent since the previous close, up or down; `spread`: dollars between bid and ask */
/** @typedef {{ at_ms: number, value: number }} Fired when, as `Date.now()` counts, and at which figure */
/**
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} symbol
 * @property {Kind} kind
 * @property {number} level
 * @property {boolean | null} isAbove of a price: whether it is crossed upwards; null while its side is not known
 * @property {Fired | null} fired null while it is armed
 */

import { formatPercent, formatPrice } from "./format.js";
import { changeOf } from "./ticker.js";

export const ALERTS_MAX = 50;
/** @type {readonly Kind[]} */
const KINDS = ["price", "move", "spread"];
const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;

/** Returns stored alerts without what is not sound. @param {unknown} stored @returns {Alert[]} */
export function soundAlerts(stored) {
  if (!Array.isArray(stored)) return [];
  /** @type {Alert[]} */
  const alerts = [];
  for (const item of stored) {
    const kind = KINDS.find((known) => known === item?.kind);
    const isSound = typeof item?.id === "string" && SYMBOL.test(item.symbol) && kind && Number.isFinite(item.level) && item.level > 0;
    if (!isSound || alerts.length >= ALERTS_MAX || alerts.some((alert) => alert.id === item.id)) continue;
    const fired = Number.isFinite(item.fired?.at_ms) && Number.isFinite(item.fired?.value) ? { at_ms: item.fired.at_ms, value: item.fired.value } : null;
    alerts.push({ id: item.id, symbol: item.symbol, kind, level: item.level, isAbove: typeof item.isAbove === "boolean" ? item.isAbove : null, fired });
  }
  return alerts;
}

/** Returns what must be received in full. @param {readonly Alert[]} alerts @returns {Map<string, Channel[]>} by symbol */
export function watchedBy(alerts) {
  /** @type {Map<string, Channel[]>} */
  const watched = new Map();
  for (const { symbol, kind, fired } of alerts) {
    if (fired) continue;
    /** @type {Channel} */
    const channel = kind === "spread" ? "quotes" : "trades";
    watched.set(symbol, [...new Set([...(watched.get(symbol) ?? []), channel])]);
  }
  return watched;
}

/** Returns an alert that is armed anew. A price is crossed from the side on which it is. @param {Alert} alert @param {Ticker | undefined} ticker @returns {Alert} */
export function armed(alert, ticker) {
  const price = ticker?.price;
  return { ...alert, isAbove: price !== undefined && price !== alert.level ? price < alert.level : null, fired: null };
}

/**
 * Returns the figure at which an alert is due, or null.
 * @param {Alert} alert
 * @param {Ticker} ticker after the event
 * @param {Ticker} [before] before a snapshot: what it tells of a time without events
 */
export function dueAt({ kind, level, isAbove, fired }, ticker, before) {
  if (fired) return null;
  const value = figureOf(kind, ticker);
  if (value === undefined) return null;
  // Compares as people read: differences of prices are not exact in binary.
  if (kind !== "price") return (kind === "move" ? Math.abs(value) : value) >= level - 1e-9 ? value : null;
  if (isAbove === null) return null;
  if (isAbove ? value >= level : value <= level) return value;
  if (!before || before.day_us !== ticker.day_us) return null;
  // A new extreme of the day was traded in between.
  const { high, low } = ticker;
  if (isAbove) return high !== undefined && before.high !== undefined && high >= level && before.high < level ? high : null;
  return low !== undefined && before.low !== undefined && low <= level && before.low > level ? low : null;
}

/** Returns the level that a new alert begins with, as text; empty where only the viewer knows one. @param {Kind} kind @param {Ticker | undefined} ticker */
export function levelOf(kind, ticker) {
  const price = ticker?.price;
  return kind === "price" && price !== undefined ? price.toFixed(price < 1 ? 4 : 2) : "";
}

/** Returns the present figure of what is watched; undefined if there is none yet. @param {Kind} kind @param {Ticker} ticker @returns {number | undefined} */
export function figureOf(kind, ticker) {
  const { price, bid, ask } = ticker;
  if (kind === "price") return price;
  if (kind === "move") return changeOf(ticker).percent;
  return bid === undefined || ask === undefined ? undefined : ask - bid;
}

/** Writes such a figure; a spread without the zeros of a price below a dollar. @param {Kind} kind @param {number} value */
export function textOf(kind, value) {
  if (kind === "price") return formatPrice(value);
  return kind === "move" ? formatPercent(value) : String(Number(value.toFixed(4)));
}
