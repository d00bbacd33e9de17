// @ts-check
/**
 * Says that the prices are those of a replay, and chooses symbols that the server has.
 *
 * Owns: the note `#feed`, and the first content of `#symbols`. Does not own: the requests of a run.
 */

/** @typedef {import("../../clients/js/protocol.js").FeedState} FeedState */
/** @typedef {import("../feed.js").ReplayStatus} ReplayStatus */
/** @typedef {{ files: string[], speed: number, state: FeedState["feed"] }} Replay */

import { bearer } from "../access.js";
import { byId } from "../element.js";
import { t } from "../i18n.js";
import { setText } from "../write.js";

/** So many symbols are compared unless the viewer chooses others. */
const SYMBOLS = 5;

export class FeedNote {
  /** The replay; null if the feed is something else, or not known. @type {Replay | null} */
  replay = null;

  /** Asks the server what its feed is. Without an answer, the note stays as it is. */
  async look() {
    /** @type {ReplayStatus | { kind: string } | null} */
    const status = await answerOf("api/v1/feed");
    if (status === null) return;
    this.replay = "files" in status ? { files: status.files, speed: status.speed, state: status.state } : null;
    if (status.kind !== "simulated") await chooseSymbols();
  }

  /** Takes a change of the replay that a transport tells. @param {FeedState} state */
  take({ feed, speed }) {
    if (this.replay) this.replay = { ...this.replay, speed, state: feed === "gap" ? "running" : feed };
  }

  /** @param {boolean} hasChanged whether its pace has changed in the present run */
  paint(hasChanged) {
    const note = byId("feed");
    note.hidden = this.replay === null;
    setText(note, this.replay ? [describeReplay(this.replay), ...(hasChanged ? [t("It has changed its pace in this run. Latencies around the change are not counted.")] : [])].join(" ") : "");
  }
}

/** Says what is replayed, and what that means for the figures. @param {Replay} replay */
export function describeReplay({ files, speed, state }) {
  const values = { files: files.join(", "), speed };
  switch (state) {
    case "running": return speed === 0 ? t("This server replays {files} as fast as it can, so there is no latency to measure.", values)
      : t("This server replays {files} at speed {speed}×. Latency counts from when an event is due in the replay.", values);
    case "seeking": return t("This server replays {files}, and is on its way to another time.", values);
    case "ended": return t("This server has replayed {files} to the end. Nothing comes any more.", values);
    case "failed": return t("This server replays {files}, and cannot read on.", values);
    default: return t("This server replays {files}, and pauses. Nothing comes until it goes on.", values);
  }
}

/** Replaces the symbols of the page by the first ones of the server, unless the viewer has chosen some. */
async function chooseSymbols() {
  const field = /** @type {HTMLInputElement} */ (byId("symbols"));
  if (field.value !== field.defaultValue) return;
  /** @type {{ symbols: { symbol: string }[] } | null} */
  const listed = await answerOf("api/v1/symbols");
  if (listed === null || listed.symbols.length === 0 || field.value !== field.defaultValue) return;
  field.value = listed.symbols.slice(0, SYMBOLS).map(({ symbol }) => symbol).join(", ");
}

/** Asks with what the viewer has shown. Nobody is asked for a key before a run begins. Returns null without an answer. @param {string} url */
async function answerOf(url) {
  try {
    const used = await bearer();
    const response = await fetch(url, used === null ? {} : { headers: { authorization: `Bearer ${used}` } });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
