// @ts-check
/**
 * Requests over HTTP: a JSON answer, and a stream of server-sent events. It is read with `fetch`, because Node has no `EventSource`,
 * and because an `EventSource` hides the status of an answer.
 *
 * Owns: requests, their timeouts, and the format of the stream. Does not own: the meaning of the messages (`lines.js`).
 */

/** @typedef {import("./closing.js").Failure} Failure */
/** @typedef {import("./protocol.js").Problem} Problem */
/** @typedef {typeof globalThis.fetch} Fetch */

/** Statuses after which the same request may succeed later. */
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/** Returns the address below which everything of a server is. @param {string | URL} url */
export function baseOf(url) {
  const base = new URL(url);
  base.protocol = base.protocol.replace("ws", "http");
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

/** Returns an address of the server. @param {URL} base @param {string} path @param {string | null} [account] of a WebSocket; undefined for HTTP */
export function addressOf(base, path, account) {
  const url = new URL(path, base);
  if (account !== undefined) url.protocol = url.protocol.replace("http", "ws");
  if (account) url.searchParams.set("client", account);
  return url.href;
}

/** A request that failed, with the problem document of the server if it has sent one. */
export class RequestError extends Error {
  /** @param {Failure} failure @param {Problem | null} [problem] */
  constructor(failure, problem = null) {
    super(problem?.detail ?? failure.cause);
    this.failure = failure;
    this.problem = problem;
  }
}

/**
 * Fetches an address. The timeout counts until the head of the answer.
 * @param {Fetch} fetch
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {number} timeout_ms
 * @param {string} accept
 * @returns {Promise<Response>} with a status of success
 * @throws {RequestError}
 */
async function request(fetch, url, signal, timeout_ms, accept) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeout_ms);
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.any([signal, timeout.signal]), cache: "no-store", headers: { accept } });
  } catch {
    throw new RequestError(timeout.signal.aborted ? { cause: "silent", isBlocked: true } : { cause: "unreachable" });
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  const seconds = Number.parseFloat(response.headers.get("retry-after") ?? "");
  const retry_after_ms = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  /** @type {Problem | null} */
  const problem = await response.json().catch(/** @returns {null} */ () => null);
  throw new RequestError({ cause: "refused", status: response.status, retry_after_ms, isBlocked: !PASSING.includes(response.status) }, problem);
}

/**
 * Fetches JSON.
 * @template T the type of the answer
 * @param {Fetch} fetch @param {string} url @param {AbortSignal} signal @param {number} timeout_ms
 * @param {(text: string) => void} [onText] is given the text of the answer
 * @returns {Promise<T>}
 * @throws {RequestError}
 */
export async function fetchJson(fetch, url, signal, timeout_ms, onText) {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]);
  const response = await request(fetch, url, limit, timeout_ms, "application/json");
  const text = await response.text().catch(() => {
    throw new RequestError({ cause: "unreachable" });
  });
  onText?.(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError({ cause: "garbage" });
  }
}

/**
 * @typedef {object} StreamEvent
 * @property {string | null} data null for a comment
 * @property {string | null} id the cursor; null if there was none
 */

/**
 * Reads a stream of server-sent events until its end.
 * @param {Fetch} fetch @param {string} url @param {AbortSignal} signal @param {number} timeout_ms until the head of the answer
 * @param {(event: StreamEvent) => void} onEvent also called for comments
 * @throws {RequestError}
 */
export async function readStream(fetch, url, signal, timeout_ms, onEvent) {
  const response = await request(fetch, url, signal, timeout_ms, "text/event-stream");
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  if (!isStream || !response.body) throw new RequestError({ cause: "refused", status: response.status, isBlocked: true });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser(onEvent);
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new RequestError({ cause: "unreachable" });
    });
    if (done) return;
    parser.push(value);
  }
}

/** Splits the text of a stream into its events (WHATWG HTML, section 9.2.6). */
export class EventParser {
  #onEvent;
  #rest = "";
  /** @type {string[]} */
  #data = [];
  /** @type {string | null} */
  #id = null;

  /** @param {(event: StreamEvent) => void} onEvent */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** @param {string} text */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
  }

  /** @param {string} line */
  #take(line) {
    if (line === "") {
      this.#onEvent({ data: this.#data.length > 0 ? this.#data.join("\n") : null, id: this.#id });
      this.#data = [];
      this.#id = null;
      return;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === "data") this.#data.push(value ?? "");
    else if (field === "id") this.#id = value ?? "";
  }
}
