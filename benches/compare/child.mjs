// @ts-check
// Starts programs, keeps what they write, and ends them. Measures nothing.
import { spawn } from "node:child_process";

/** The most characters of standard error to keep; older ones are dropped. */
const ERRORS_CHARS_MAX = 20_000;

/** Every program that was started here and has not ended. @type {Set<Child>} */
const alive = new Set();

export class Child {
  output = "";
  errors = "";
  #process;

  /** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] in addition to this process's own */
  constructor(command, args, env = {}) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    this.pid = child.pid;
    alive.add(this);
    child.stdout.on("data", (chunk) => {
      this.output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      this.errors = (this.errors + chunk).slice(-ERRORS_CHARS_MAX);
    });
    /** Resolves with the exit code, the signal, or the reason why the program cannot start. @type {Promise<number | string | null>} */
    this.ended = new Promise((resolve) => {
      child.on("error", (err) => resolve(`cannot start: ${err.message}`));
      child.on("close", (code, signal) => resolve(code ?? signal));
    });
    void this.ended.then(() => alive.delete(this));
  }

  get isAlive() {
    return alive.has(this);
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    this.#process.kill(signal);
  }
}

/** Kills the programs that still run. Call it before this process ends, or they outlive it. */
export function endAll() {
  for (const child of alive) child.kill("SIGKILL");
}
