// @ts-check
/**
 * The page of the operators: what the server does, its sessions, and a few orders.
 *
 * Owns: the elements of `admin.html` but the table (`table.js`), the plots (`plots.js`) and the dialog (`ask.js`), and the time between two
 * looks. Does not own: which answers a look needs (`looks.js`).
 */

/** @typedef {import("./columns.js").Session} Session */
/** @typedef {import("./plots.js").Point} Point */
/** @typedef {{ sessions: Session[], matched: number, draining: boolean }} List */
/** @typedef {{ filter: string }} Filter */

import { byId } from "../element.js";
import { formatBytes } from "../bytes.js";
import { formatCount } from "../format.js";
import { mark, onLanguage, startLanguage, t } from "../i18n.js";
import { korean } from "../korean/admin.js";
import { startLook } from "../look.js";
import { setData, setText } from "../write.js";
import { hasKey, RefusedError, send, setKey } from "./api.js";
import { ask } from "./ask.js";
import { formatMs, formatRate } from "./columns.js";
import { Looks } from "./looks.js";
import { Plots } from "./plots.js";
import { SessionTable } from "./table.js";

/** @typedef {"loading" | "live" | "lost" | "draining" | "locked"} State */

/** The time between two looks at the sessions. */
const LOOK_MS = 2_000;
/** Sessions on the page at once. */
const LIMIT = 100;
const STATES = {
  loading: mark("Loading"), live: mark("Live"), lost: mark("No answer from the server"), draining: mark("The server is shutting down"), locked: mark("Signed out"),
};

startLook();
startLanguage(korean);

const table = new SessionTable((session, isWholeKey) => void end(session, isWholeKey));
const plots = new Plots();
const looks = new Looks(send, LOOK_MS);
/** @type {State} */
let state = "loading";
/** What was said last: a phrase for `t()` with its values, or a text of the server. @type {() => string} */
let said = () => "";
let offset = 0;
/** The number of sessions before and after those that are shown. */
let matched = 0;
let shown = 0;
let name = "";
/** The newest point. @type {Point | null} */
let newest = null;
let timer = 0;

/** Looks at the server now, and again after a while; not while the page is hidden. */
async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  const isLast = await looks.run(async () => {
    try {
      await refresh();
    } catch (err) {
      fail(err);
    }
    paint();
  });
  if (isLast && state !== "locked") timer = window.setTimeout(look, LOOK_MS);
}

async function refresh() {
  const query = new URLSearchParams({ limit: String(LIMIT), offset: String(offset), ...(name === "" ? {} : { name }) });
  const list = /** @type {List} */ (await send("GET", `sessions?${query}`));
  state = list.draining ? "draining" : "live";
  matched = list.matched;
  if (offset > 0 && offset >= matched) offset = Math.max(0, Math.floor((matched - 1) / LIMIT) * LIMIT);
  shown = list.sessions.length;
  table.show(list.sessions);
  const points = await looks.past(performance.now());
  if (points !== null) {
    newest = points.at(-1) ?? null;
    plots.draw(points);
  }
  const filter = await looks.filter();
  // Not over what the operator has begun to write.
  if (filter !== null && filterField().value === "") filterField().value = filter;
}

/** @param {unknown} err */
function fail(err) {
  if (!(err instanceof RefusedError) || (err.status !== 401 && err.status !== 403)) {
    state = "lost";
    return;
  }
  state = "locked";
  looks.restart();
  const detail = err.message;
  setText(byId("sign-in-note"), hasKey() ? detail : "");
  setKey("", "");
}

function paint() {
  setData(byId("status"), "state", state);
  setText(byId("status-label"), t(STATES[state]));
  const isLocked = state === "locked";
  byId("sign-in").hidden = !isLocked;
  byId("content").hidden = isLocked;
  byId("sign-out").hidden = !hasKey();
  const range = { first: shown > 0 ? offset + 1 : 0, last: offset + shown, count: formatCount(matched) };
  setText(byId("range"), shown > 0 ? t("{first} to {last} of {count}", range) : "");
  button("previous").disabled = offset === 0;
  button("next").disabled = offset + shown >= matched;
  for (const cell of document.querySelectorAll("#figures [data-figure]")) setText(cell, newest ? figureOf(cell.getAttribute("data-figure"), newest) : "–");
  setText(byId("said"), said());
}

/** @param {string | null} figure @param {Point} point */
function figureOf(figure, point) {
  switch (figure) {
    case "sessions": return formatCount(point.sessions);
    case "delivered": return `${formatRate(point.delivered)}/s`;
    case "bytes": return `${formatBytes(point.bytes)}/s`;
    case "age": return formatMs(point.age_p99_ms);
    case "feed_lag": return formatMs(point.feed_lag_ms);
    default: return formatCount(point.hub_lag);
  }
}

/** @param {string} id */
function button(id) {
  return /** @type {HTMLButtonElement} */ (byId(id));
}

function filterField() {
  return /** @type {HTMLInputElement} */ (byId("filter"));
}

/**
 * Gives an order, says what came of it, and looks at the server.
 * @param {() => Promise<() => string>} give returns the text for the result
 */
async function order(give) {
  try {
    said = await give();
  } catch (err) {
    const detail = err instanceof RefusedError ? err.message : String(err);
    said = () => t("Not done: {detail}", { detail });
    if (err instanceof RefusedError && err.status === 401) fail(err);
  }
  void look();
}

/** @param {Session} session @param {boolean} isWholeKey */
async function end(session, isWholeKey) {
  const key = session.name ?? "";
  const text = isWholeKey ? t("End all sessions of the key {key}? Their clients may come back.", { key })
    : t("End the session {name}? Its client may come back.", { name: session.session });
  if (!(await ask(text, t("End")))) return;
  const path = isWholeKey ? `sessions?${new URLSearchParams({ name: key })}` : `sessions/${session.session}`;
  await order(async () => {
    const { ended } = /** @type {{ ended: number }} */ (await send("DELETE", path));
    return () => t("Sessions ended: {count}", { count: formatCount(ended) });
  });
}

byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  name = /** @type {HTMLInputElement} */ (byId("name")).value.trim();
  offset = 0;
  void look();
});
byId("name").addEventListener("search", () => {
  /** @type {HTMLFormElement} */ (byId("find")).requestSubmit();
});
byId("previous").addEventListener("click", () => {
  offset = Math.max(0, offset - LIMIT);
  void look();
});
byId("next").addEventListener("click", () => {
  offset += LIMIT;
  void look();
});
byId("log-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void order(async () => {
    const { filter } = /** @type {Filter} */ (await send("PUT", "log", { filter: filterField().value.trim() }));
    filterField().value = filter;
    return () => t("The filter of the log is {filter}", { filter });
  });
});
byId("reload").addEventListener("click", () => void order(async () => {
  const read = Object.entries(/** @type {Record<string, string>} */ (await send("POST", "reload")));
  const bad = read.filter(([, result]) => result !== "reloaded").map(([what]) => what);
  if (read.length === 0) return () => t("The server has neither keys nor a certificate.");
  return () => (bad.length === 0 ? t("Read again: {what}", { what: read.map(([what]) => what).join(", ") })
    : t("Bad, so the old one stays: {what}. The log says why.", { what: bad.join(", ") }));
}));
byId("drain").addEventListener("click", async () => {
  if (!(await ask(t("Shut the server down? All sessions end, and the process, too."), t("Shut down")))) return;
  await order(async () => {
    await send("POST", "drain");
    return () => t("The server is shutting down");
  });
});
byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const [id, secret] = ["key-id", "key-secret"].map((field) => /** @type {HTMLInputElement} */ (byId(field)));
  setKey(id.value, secret.value);
  secret.value = "";
  void look();
});
byId("sign-out").addEventListener("click", () => {
  setKey("", "");
  location.reload();
});
document.addEventListener("visibilitychange", () => void look());
onLanguage(() => {
  table.translate();
  plots.translate();
  paint();
});
plots.translate();
paint();
void look();
