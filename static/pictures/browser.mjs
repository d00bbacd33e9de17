// @ts-check
/**
 * A headless Chromium that is driven through the Chrome debugging protocol, over a pipe: no port, and no library.
 *
 * Owns: the process and its pages. Does not own: which pictures are taken (`states.mjs`), or what is measured (`benches/page.mjs`).
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Quiet, offline, and without a sandbox, as root cannot have one. */
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
];
/** For pictures that are the same everywhere. */
const PICTURE_FLAGS = ["--hide-scrollbars", "--force-color-profile=srgb"];
const PATIENCE_MS = 60_000;
const LOOK_MS = 50;

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */
/** @typedef {{ value?: unknown, description?: string }} Value of a script */
/** @typedef {{ browserContextId: string, targetId: string, sessionId: string, data: string, eof: boolean, metrics: { name: string, value: number }[], result: Value, exceptionDetails?: { text: string, exception?: Value } }} Result of those commands that are used here; each has some of these */
/** @typedef {{ requestId: string, encodedDataLength: number, stream: string }} Report the fields that are read of an event; each has some of these */
/** @typedef {{ id?: number, result: Result, error?: { message: string }, method?: string, params?: Report }} Message of the debugging protocol */

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class Browser {
  #folder = mkdtempSync(join(tmpdir(), "tickcast-pictures-"));
  #process;
  #next_id = 1;
  /** @type {Map<number, { resolve: (result: Result) => void, reject: (error: Error) => void }>} */
  #pending = new Map();
  #rest = "";
  /** Is called with every event of the network and of a trace, if they are enabled. @type {((method: string, params: Report) => void) | null} */
  onEvent = null;

  constructor(command = process.env.CHROMIUM ?? "chromium", flags = PICTURE_FLAGS) {
    this.#process = spawn(command, [...FLAGS, ...flags, `--user-data-dir=${this.#folder}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.on("error", (error) => this.#failAll(error));
    this.#process.on("exit", () => this.#failAll(new Error(`${command} has ended`)));
    process.once("exit", () => this.#process.kill("SIGKILL"));
    const from = /** @type {import("node:stream").Readable} */ (this.#process.stdio[4]);
    from.setEncoding("utf8").on("data", (text) => this.#read(text));
  }

  /** Sends a command and returns its result. @param {string} method @param {object} [params] @param {string} [sessionId] @returns {Promise<Result>} */
  send(method, params = {}, sessionId = undefined) {
    const id = this.#next_id++;
    const to = /** @type {import("node:stream").Writable} */ (this.#process.stdio[3]);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject: (error) => reject(new Error(`${method}: ${error.message}`)) });
      to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** @param {string} text */
  #read(text) {
    const parts = (this.#rest + text).split("\0");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const { id, result, error, method, params } = /** @type {Message} */ (JSON.parse(part));
      if (method && params && /^(Network|Tracing)\./.test(method)) this.onEvent?.(method, params);
      const pending = this.#pending.get(id ?? 0);
      if (!pending || !this.#pending.delete(id ?? 0)) continue;
      if (error) pending.reject(new Error(error.message));
      else pending.resolve(result);
    }
  }

  /** @param {Error} error */
  #failAll(error) {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /** Opens a page in a profile of its own. @param {string} url @returns {Promise<Page>} */
  async open(url) {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    await page.send("Page.enable");
    await page.shape(1280, 800);
    await page.go(url);
    return page;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.send("Browser.close").catch(() => {});
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export class Page {
  #browser;
  #session;
  #target;

  /** @param {Browser} browser @param {string} session @param {string} target */
  constructor(browser, session, target) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  /** @param {string} method @param {object} [params] */
  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  /** @param {string} url */
  async go(url) {
    await this.send("Page.navigate", { url });
    await this.until("document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** Sets the size of the window and the colour scheme. @param {number} width @param {number} height @param {"light" | "dark"} [scheme] */
  async shape(width, height, scheme) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    if (scheme) await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  /** Returns the value of an expression. @param {string} expression @returns {Promise<unknown>} */
  async value(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true. @param {string} expression @param {number} [patience_ms] */
  async until(expression, patience_ms = PATIENCE_MS) {
    const last_ms = performance.now() + patience_ms;
    // A page that is just being replaced cannot answer.
    while (!(await this.value(`!!(${expression})`).catch(() => false))) {
      if (performance.now() > last_ms) throw new Error(`never true: ${expression}`);
      await pause(LOOK_MS);
    }
  }

  /** Returns the box of an element in the window, after it was scrolled there. @param {string} selector @returns {Promise<Box>} */
  async box(selector) {
    const query = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`${query}?.checkVisibility()`);
    const box = await this.value(`(() => { const each = ${query}; each.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
      const { x, y, width, height } = each.getBoundingClientRect(); return { x, y, width, height }; })()`);
    return /** @type {Box} */ (box);
  }

  /** Clicks the middle of an element with the mouse. @param {string} selector */
  async click(selector) {
    const { x, y, width, height } = await this.box(selector);
    await this.mouse("mouseMoved", x + width / 2, y + height / 2);
    await this.mouse("mousePressed", x + width / 2, y + height / 2);
    await this.mouse("mouseReleased", x + width / 2, y + height / 2);
  }

  /** @param {"mouseMoved" | "mousePressed" | "mouseReleased"} type @param {number} x @param {number} y */
  async mouse(type, x, y) {
    const pressed = type === "mouseMoved" ? {} : { button: "left", clickCount: 1 };
    await this.send("Input.dispatchMouseEvent", { type, x, y, ...pressed });
  }

  /** Types a text. @param {string} text */
  async type(text) {
    for (const letter of text) {
      await this.send("Input.dispatchKeyEvent", { type: "keyDown", text: letter, key: letter });
      await this.send("Input.dispatchKeyEvent", { type: "keyUp", key: letter });
    }
  }

  /** Presses a key that types nothing, such as `ArrowLeft`, or Enter. @param {string} key @param {number} [modifiers] Alt 1, Ctrl 2, Meta 4, Shift 8 */
  async press(key, modifiers = 0) {
    const code = /** @type {Record<string, number>} */ ({ Enter: 13, Tab: 9, Escape: 27, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40, End: 35, Home: 36, Delete: 46 })[key] ?? 0;
    const text = key === "Enter" ? { text: "\r" } : {};
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, windowsVirtualKeyCode: code, modifiers, ...text });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code, modifiers });
  }

  /** Sets whether the page has a network. @param {boolean} isOffline */
  async offline(isOffline) {
    await this.send("Network.enable");
    await this.send("Network.emulateNetworkConditions", { offline: isOffline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  }

  /** Takes a picture. @param {{ isWhole?: boolean, clip?: Box, format?: "png" | "webp" | "jpeg", quality?: number }} [options] `isWhole`: with everything below the window @returns {Promise<Buffer>} */
  async picture({ isWhole = false, clip, format = "png", quality } = {}) {
    const area = clip ? { clip: { ...clip, scale: 1 } } : {};
    const { data } = await this.send("Page.captureScreenshot", { format, quality, captureBeyondViewport: isWhole, optimizeForSpeed: false, ...area });
    return Buffer.from(data, "base64");
  }

  async close() {
    await this.#browser.send("Target.closeTarget", { targetId: this.#target });
  }
}
