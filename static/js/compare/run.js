// @ts-check
/**
 * One run: the four transports side by side from one cursor on, and what the server says that each costs.
 *
 * Owns: the order of things and the samples. Does not own: how any of it looks (`page.js`).
 */

import { nowMicros } from "../clock.js";
import { Crowd } from "./crowd.js";
import { ReferenceClock } from "./reference.js";
import { percentile, Tally } from "./statistics.js";
import { openSource, pause, TRANSPORTS } from "./transports.js";

/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {import("./transports.js").Wish & { seconds: number, extra: number }} Settings */
/** @typedef {{ wire: number, payload: number, framing: number, headers: number, tls: number }} Bytes */
/** @typedef {{ requests: number, connections: number, events: number, bytes_up: Bytes, bytes_down: Bytes, cpu_us: number }} Cost */
/** @typedef {{ latency_us: number | null, bytes: number }} Point */
/** @typedef {{ second: number } & Record<Transport, Point>} Sample */
/** @typedef {"idle" | "starting" | "running" | "stopping" | "done" | "failed"} State */

const SAMPLE_MS = 1_000;
/** After the end: the server counts bytes when the kernel has taken them, so its figures are read until they rest. */
const SETTLE_MS = 150;
const SETTLE_READS_MAX = 20;

export class Run {
  /** @type {State} */
  state = "idle";
  /** Why a run has failed, or one transport of it. @type {string | null} */
  problem = null;
  /** @type {Partial<Record<Transport, string>>} */
  failures = {};
  client = `compare-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  /** @type {Record<Transport, Tally>} */
  tallies = { websocket: new Tally(), sse: new Tally(), long_poll: new Tally(), short_poll: new Tally() };
  /** What the server has counted. @type {Record<Transport, Cost> | null} */
  costs = null;
  /** @type {Sample[]} */
  samples = [];
  /** The clock's offset and its error. @type {import("../clock.js").Estimate | null} */
  clock = null;
  epoch = "";
  startedAt = "";
  /** Microseconds of the server's clock. */
  began = 0;
  ended = 0;
  /** Browsers slow the timers of pages that nobody sees. */
  wasHidden = false;
  /** @type {Crowd | null} */
  crowd = null;
  #stopping = new AbortController();
  /** @type {import("./transports.js").Source[]} */
  #sources = [];
  #seen = { websocket: 0, sse: 0, long_poll: 0, short_poll: 0 };

  /** @param {Settings} settings @param {() => void} onChange */
  constructor(settings, onChange) {
    this.settings = settings;
    this.onChange = onChange;
  }

  /** Runs from the first connection to the last figure. */
  async go() {
    this.#enter("starting");
    const clock = new ReferenceClock();
    try {
      await clock.ready;
      await this.#measure(clock);
      this.#enter("done");
    } catch (err) {
      this.problem = err instanceof Error ? err.message : String(err);
      this.#enter("failed");
    } finally {
      this.#stopping.abort();
      clock.close();
      await Promise.all([...this.#sources, this.crowd].map((each) => each?.close()));
    }
  }

  stop() {
    this.#stopping.abort();
  }

  /** Returns the seconds of the run so far. @param {number} server_us now */
  secondsAt(server_us) {
    return this.began === 0 ? 0 : ((this.ended || server_us) - this.began) / 1_000_000;
  }

  /** @param {ReferenceClock} clock */
  async #measure(clock) {
    const { symbols, extra } = this.settings;
    const response = await fetch(`/api/v1/snapshot?symbols=${symbols.join(",")}`, { cache: "no-store" });
    const state = await response.json();
    if (!response.ok) throw new Error(state.detail);
    this.epoch = state.epoch;
    this.startedAt = new Date().toISOString();
    this.began = clock.now();
    this.clock = clock.estimate;
    const after = { epoch: state.epoch, offset: state.offset };
    this.#sources = TRANSPORTS.map((transport) => this.#open(transport, state.snapshots, after, clock));
    this.crowd = new Crowd(extra, this.settings, after, `${this.client}-x`);
    this.#enter("running");
    await this.#sample(clock);
    this.#enter("stopping");
    await Promise.all(this.#sources.map((source) => source.close()));
    this.ended = clock.now();
    this.clock = clock.estimate;
    await this.#settle();
  }

  /**
   * @param {Transport} transport
   * @param {import("../protocol.js").Snapshot[]} snapshots
   * @param {import("./transports.js").Cursor} after
   * @param {ReferenceClock} clock
   */
  #open(transport, snapshots, after, clock) {
    const tally = this.tallies[transport];
    tally.begin(snapshots, clock.now());
    tally.offset = after.offset;
    return openSource(transport, this.settings, after, this.client, {
      opened: () => {
        tally.opened ??= clock.now();
      },
      take: (messages, received_us) => tally.take(messages, clock.server(received_us)),
      reached: (offset) => {
        tally.offset = Math.max(tally.offset, offset);
      },
      failed: (reason) => {
        this.failures[transport] = reason;
        this.onChange();
      },
    });
  }

  /** Takes a sample each second until the time is over. @param {ReferenceClock} clock */
  async #sample(clock) {
    const start = performance.now();
    const { signal } = this.#stopping;
    for (let second = 1; second <= this.settings.seconds; second += 1) {
      await pause(start + second * SAMPLE_MS - performance.now(), signal);
      if (signal.aborted) return;
      this.wasHidden ||= document.hidden;
      const before = this.costs;
      await this.#read();
      this.clock = clock.estimate;
      this.samples.push(this.#point((performance.now() - start) / 1_000, before));
      this.onChange();
    }
  }

  /** @param {number} second @param {Record<Transport, Cost> | null} before @returns {Sample} */
  #point(second, before) {
    const seconds = second - (this.samples.at(-1)?.second ?? 0);
    const of = (/** @type {Transport} */ transport) => {
      const { latencies } = this.tallies[transport];
      const fresh = latencies.slice(this.#seen[transport]);
      this.#seen[transport] = latencies.length;
      const grown = wireOf(this.costs?.[transport]) - wireOf(before?.[transport]);
      return { latency_us: percentile(fresh, 0.5), bytes: grown / seconds };
    };
    return { second, websocket: of("websocket"), sse: of("sse"), long_poll: of("long_poll"), short_poll: of("short_poll") };
  }

  async #read() {
    const response = await fetch(`/api/v1/traffic?client=${this.client}`, { cache: "no-store" });
    const answer = await response.json();
    if (response.ok) this.costs = answer.transports;
  }

  async #settle() {
    for (let reads = 0, last = ""; reads < SETTLE_READS_MAX; reads += 1) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      await this.#read();
      const now = JSON.stringify(this.costs);
      if (now === last) return;
      last = now;
    }
  }

  /** @param {State} state */
  #enter(state) {
    this.state = state;
    this.onChange();
  }
}

/** Returns all bytes of both directions. @param {Cost | undefined} cost */
export function wireOf(cost) {
  return cost ? cost.bytes_up.wire + cost.bytes_down.wire : 0;
}

/** Returns the server's time now, by what a run knows of it. @param {Run} run */
export function serverNow(run) {
  return nowMicros() + (run.clock?.offset_us ?? 0);
}
