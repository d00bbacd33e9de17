// @ts-check
/**
 * One run: the four transports at the same time, from one cursor on, and the server's account of their costs.
 *
 * Owns: the sequence of steps and the samples. Does not own: their look (`page.js`).
 */

import { nowMicros } from "../clock.js";
import { Account, wireOf } from "./costs.js";
import { Crowd } from "./crowd.js";
import { Failure, failureOf } from "./failure.js";
import { ReferenceClock } from "./reference.js";
import { ask, pause, TIMEOUT_MS } from "./request.js";
import { Tally } from "./statistics.js";
import { Timing } from "./timing.js";
import { forEach, openSource, TRANSPORTS } from "./transports.js";

/** @typedef {import("./costs.js").Costs} Costs */
/** @typedef {import("./failure.js").Cause} Cause */
/** @typedef {import("./timing.js").FeedState} FeedState */
/** @typedef {import("./query.js").Position} Position */
/** @typedef {import("./query.js").Wish & { seconds: number, extra: number }} Settings */
/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {Cause & { second: number }} Break why and when nothing came any more */
/** @typedef {{ latency_us: number | null, bytes_per_second: number | null }} Point null: not known */
/** @typedef {{ second: number } & Record<Transport, Point>} Sample */
/** @typedef {"idle" | "starting" | "running" | "stopping" | "done" | "failed"} State */

const SAMPLE_MS = 1_000;

export class Run {
  /** @type {State} */
  state = "idle";
  /** Why a run has failed before it began. @type {Cause | null} */
  problem = null;
  /** Transports that are down, and try to come back. @type {Partial<Record<Transport, Break>>} */
  breaks = {};
  /** Transports that have not come back. @type {Partial<Record<Transport, Break>>} */
  failures = {};
  client = `compare-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  tallies = forEach(() => new Tally());
  /** @type {Sample[]} */
  samples = [];
  /** The clock's offset and its error. @type {import("../clock.js").Estimate | null} */
  clock = null;
  epoch = "";
  startedAt = "";
  /** Microseconds of the server's clock. */
  began = 0;
  ended = 0;
  /** Whether the page was hidden during the run: browsers slow the timers of hidden pages. */
  wasHidden = false;
  /** @type {Crowd | null} */
  crowd = null;
  /** Whether a replay has changed its pace in the run. */
  hasChanged = false;
  #account = new Account(this.client);
  #stopping = new AbortController();
  /** @type {import("./transports.js").Source[]} */
  #sources = [];

  /** @param {Settings} settings @param {() => void} onChange @param {(state: FeedState) => void} onFeed a replay has changed its pace */
  constructor(settings, onChange, onFeed) {
    this.settings = settings;
    this.onChange = onChange;
    this.onFeed = onFeed;
  }

  /** The server's account. @returns {Costs | null} */
  get costs() {
    return this.#account.total;
  }

  /** Performs the run. */
  async go() {
    this.#enter("starting");
    const clock = new ReferenceClock();
    const look = () => {
      this.wasHidden ||= document.hidden;
    };
    document.addEventListener("visibilitychange", look);
    look();
    try {
      await this.#start(clock);
      this.#enter("running");
      await this.#sample(clock);
      await this.#finish(clock);
      this.#enter("done");
    } catch (err) {
      // A run that is stopped before it begins has no figures.
      if (!this.#stopping.signal.aborted || this.began > 0) this.problem = failureOf(err);
      this.#enter(this.problem ? "failed" : "idle");
    } finally {
      this.#stopping.abort();
      document.removeEventListener("visibilitychange", look);
      clock.close();
      await Promise.all([...this.#sources, this.crowd].map((each) => each?.close()));
    }
  }

  stop() {
    this.#stopping.abort();
  }

  /** Returns the duration of the run so far, in seconds. @param {number} server_us now */
  secondsAt(server_us) {
    return this.secondsOf(this.ended || server_us);
  }

  /** Returns a time as seconds since the beginning of the run. @param {number} server_us */
  secondsOf(server_us) {
    return this.began === 0 ? 0 : (server_us - this.began) / 1_000_000;
  }

  /** @param {ReferenceClock} clock */
  async #start(clock) {
    const { symbols, extra } = this.settings;
    const { signal } = this.#stopping;
    const isReady = await Promise.race([clock.ready.then(() => true), pause(TIMEOUT_MS, signal)]);
    if (!isReady) throw new Failure("timeout");
    /** @type {import("./request.js").Answered<import("../protocol.js").SnapshotAnswer>} */
    const { answer } = await ask(`api/v1/snapshot?symbols=${encodeURIComponent(symbols.join(","))}`, signal);
    signal.throwIfAborted();
    this.epoch = answer.epoch;
    this.startedAt = new Date().toISOString();
    this.began = clock.now();
    this.clock = clock.estimate;
    const after = { epoch: answer.epoch, offset: answer.offset };
    const timing = new Timing(clock.market);
    this.#sources = TRANSPORTS.map((transport) => this.#open(transport, answer.snapshots, after, clock, timing));
    this.crowd = new Crowd(extra, this.settings, after, `${this.client}-x`);
  }

  /**
   * @param {Transport} transport
   * @param {import("../protocol.js").Snapshot[]} snapshots
   * @param {Position} after
   * @param {ReferenceClock} clock
   * @param {Timing} timing
   */
  #open(transport, snapshots, after, clock, timing) {
    const tally = this.tallies[transport];
    tally.toServer = (event) => timing.toServer(event);
    tally.begin(snapshots, after.offset);
    const breakOf = (/** @type {Failure} */ { kind, detail }) => ({ kind, detail, second: this.secondsAt(clock.now()) });
    return openSource(transport, this.settings, after, this.client, {
      opened: (recovered, epoch) => {
        const at = clock.now();
        if (this.breaks[transport] && tally.opened !== null) tally.reconnected += 1;
        delete this.breaks[transport];
        tally.open(at);
        if (recovered) return;
        tally.restart(epoch, at);
        timing.restart();
      },
      take: (messages, received_us) => {
        const at = clock.server(received_us);
        for (const message of messages) {
          if (message.type === "status" && timing.take(message, at)) this.#change(message);
          if (message.type === "epoch") timing.move(message.offset, at);
        }
        tally.take(messages, at);
      },
      reached: (offset) => {
        tally.offset = Math.max(tally.offset, offset);
      },
      lost: (failure) => {
        this.breaks[transport] ??= breakOf(failure);
      },
      failed: (failure) => {
        this.failures[transport] = breakOf(failure);
      },
    });
  }

  /** @param {FeedState} state */
  #change(state) {
    this.hasChanged = true;
    this.onFeed(state);
  }

  /** Takes a sample each second until the end of the run. @param {ReferenceClock} clock */
  async #sample(clock) {
    const start = performance.now();
    const { signal: stopped } = this.#stopping;
    // A request that hangs prolongs the run by half a second at most.
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(this.settings.seconds * SAMPLE_MS + SAMPLE_MS / 2)]);
    for (let second = 1; second <= this.settings.seconds && !signal.aborted;) {
      await pause(start + second * SAMPLE_MS - performance.now(), signal);
      if (stopped.aborted) return;
      await this.#take((performance.now() - start) / 1_000, signal);
      this.clock = clock.estimate;
      this.onChange();
      second = nextSecond(second, performance.now() - start);
    }
  }

  /** Takes one sample. @param {number} second @param {AbortSignal} signal */
  async #take(second, signal) {
    const account = this.#account;
    const { total: before, read_at_ms } = account;
    const from_ms = read_at_ms ?? performance.now() - second * 1_000;
    const isRead = await account.read(signal);
    const seconds = ((account.read_at_ms ?? 0) - from_ms) / 1_000;
    const of = (/** @type {Transport} */ transport) => {
      const { recent } = this.tallies[transport];
      const latency_us = recent.percentile(0.5);
      recent.clear();
      const grown = wireOf(account.total?.[transport]) - wireOf(before?.[transport]);
      return { latency_us, bytes_per_second: isRead && seconds > 0 ? grown / seconds : null };
    };
    this.samples.push({ second, ...forEach(of) });
  }

  /** @param {ReferenceClock} clock */
  async #finish(clock) {
    this.#enter("stopping");
    await Promise.all(this.#sources.map((source) => source.close()));
    this.ended = clock.now();
    this.clock = clock.estimate;
    // A transport that is down now has failed.
    this.failures = { ...this.breaks, ...this.failures };
    this.breaks = {};
    await this.#account.settle();
  }

  /** @param {State} state */
  #enter(state) {
    this.state = state;
    this.onChange();
  }
}

/**
 * Returns the second of the next sample. After a time in which the page was frozen that is the next whole one, because the missed
 * samples would all be taken at once.
 * @param {number} second of the sample before @param {number} elapsed_ms since the beginning
 */
export function nextSecond(second, elapsed_ms) {
  return Math.max(second, Math.floor(elapsed_ms / SAMPLE_MS)) + 1;
}

/** Returns the server's time now, by the run's estimate. @param {Run} run */
export function serverNow(run) {
  return nowMicros() + (run.clock?.offset_us ?? 0);
}
