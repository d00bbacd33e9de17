// @ts-check
/**
 * A tickcast server on a free port, for pictures and measurements of its pages.
 *
 * Owns: the process. Stop it with `close`.
 */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Server {
  #process;
  /** The address of the live page. */
  url;

  /** @param {import("node:child_process").ChildProcess} process @param {string} url */
  constructor(process, url) {
    this.#process = process;
    this.url = url;
  }

  /** Starts the program with these settings. @param {string} program @param {Record<string, string>} [settings] environment variables @returns {Promise<Server>} */
  static async start(program, settings = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("TICKCAST"));
    const env = { ...Object.fromEntries(inherited), TICKCAST__SERVER__PORT: "0", ...settings };
    const child = spawn(program, { env, stdio: ["ignore", "ignore", "pipe"] });
    process.once("exit", () => child.kill("SIGKILL"));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", () => reject(new Error(`${program} has ended`)));
      createInterface({ input: child.stderr }).on("line", (line) => {
        const url = line.match(/https?:\/\/\S+/)?.[0];
        if (url) resolve(new Server(child, url));
      });
    });
  }

  /** Stops the server as if the machine stood still, or lets it go on. @param {boolean} isStill */
  freeze(isStill) {
    this.#process.kill(isStill ? "SIGSTOP" : "SIGCONT");
  }

  close() {
    this.#process.kill("SIGKILL");
  }
}
