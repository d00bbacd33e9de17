// @ts-check
// A Chromium without a window, commanded by the Chrome DevTools Protocol over a pipe. Measures nothing.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Quiet, offline, and without a sandbox, as root cannot have one. */
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--enable-precise-memory-info",
];
/** How often a condition is looked at, and how long it may take. Milliseconds. */
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;

/**
 * The fields of results and events that are read here.
 * @typedef {object} Result
 * @property {string} [targetId]
 * @property {string} [sessionId]
 * @property {{ name: string, value: number }[]} [metrics]
 * @property {{ value: unknown }} [result]
 * @property {{ text: string, exception?: { description?: string } }} [exceptionDetails]
 */
/** @typedef {{ requestId: string, encodedDataLength: number }} NetworkEvent */
/** @typedef {{ id?: number, result?: Result, error?: { message: string }, method?: string, params?: NetworkEvent }} Reply */
/** @typedef {{ resolve: (result: Result) => void, reject: (err: Error) => void }} Waiting */

export class Chromium {
  #folder = mkdtempSync(join(tmpdir(), "tickcast-page-"));
  #process;
  #next = 1;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  /** Is called with every event of the network. @type {((method: string, params: NetworkEvent) => void) | null} */
  onEvent = null;
  /** @type {string | undefined} */
  #session;

  /** @param {string} program */
  constructor(program) {
    const child = spawn(program, [...FLAGS, `--user-data-dir=${this.#folder}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process = child;
    child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("Chromium has ended"));
    });
    child.on("error", (err) => {
      for (const { reject } of this.#waiting.values()) reject(err);
    });
    process.once("exit", () => child.kill("SIGKILL"));
    const replies = /** @type {import("node:stream").Readable} */ (child.stdio[4]);
    replies.setEncoding("utf8");
    let text = "";
    replies.on("data", (chunk) => {
      text += chunk;
      const messages = text.split("\0");
      text = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message));
    });
  }

  /** Opens a page of this size, in pixels. @param {number} width @param {number} height */
  async open(width, height) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Network", "HeapProfiler"]) await this.send(`${domain}.enable`);
    // The processor's time, which other programs on the machine do not lengthen.
    await this.send("Performance.enable", { timeDomain: "threadTicks" });
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    await this.send("Emulation.setFocusEmulationEnabled", { enabled: true });
  }

  /** Sends a command and returns its result. @param {string} method @param {object} [params] @returns {Promise<Result>} */
  send(method, params = {}) {
    const id = this.#next++;
    const command = { id, method, params, sessionId: this.#session };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      /** @type {import("node:stream").Writable} */ (this.#process.stdio[3]).write(`${JSON.stringify(command)}\0`);
    });
  }

  /** Returns the value of a JavaScript expression, which may be a promise. @param {string} expression */
  async value(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result?.value;
  }

  /** Waits until a JavaScript expression is true. @param {string} expression */
  async until(expression) {
    for (const limit = Date.now() + PATIENCE_MS; Date.now() < limit; await sleep(LOOK_MS)) if ((await this.value(expression)) === true) return;
    throw new Error(`never true: ${expression}`);
  }

  /** Opens an address, without waiting for anything. @param {string} url */
  async visit(url) {
    await this.send("Page.navigate", { url });
  }

  /** Returns the page's counters: seconds of work, bytes, numbers of things. @returns {Promise<Record<string, number>>} */
  async metrics() {
    const { metrics } = await this.send("Performance.getMetrics");
    return Object.fromEntries((metrics ?? []).map(({ name, value }) => [name, value]));
  }

  /** Ends the browser and deletes its profile. */
  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#session = undefined;
    void this.send("Browser.close").catch(() => {});
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** @param {Reply} message */
  #take({ id, result, error, method, params }) {
    const waiting = this.#waiting.get(id ?? -1);
    if (!waiting) {
      if (method?.startsWith("Network.") && params) this.onEvent?.(method, params);
      return;
    }
    this.#waiting.delete(id ?? -1);
    if (error) waiting.reject(new Error(error.message));
    else waiting.resolve(result ?? {});
  }
}
