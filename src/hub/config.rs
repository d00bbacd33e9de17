//! The section `[push]` of the configuration, and the state that a hub shares with its outboxes and with the rest of
//! the process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Notify;

use crate::domain::{MarketClock, SymbolTable};
use crate::history::Ring;
use crate::hub::pacer::Pacer;
use crate::hub::pass::Pass;
use crate::hub::{SessionKey, Turn};
use crate::metrics::SharedMetrics;
use crate::rate::{Pauses, RateLimiter};

/// Windows end in this many steps per window time.
const WINDOW_STEPS: u64 = 4;

/// Most events that a hub routes in one turn, before the sessions of its thread run.
const TURN_EVENTS_MAX: usize = 256;

/// The section `[push]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// Mean time between two writes of events to one session; 0 writes at once. Milliseconds, at most 10,000.
    pub coalesce_ms: u64,
    /// Writes without delay after a quiet time. 1 to 1,000.
    pub burst_writes: u32,
    /// Most unsent events of one session in mode `all`; over the limit it lags. 1 to 1,048,576.
    pub outbox_events_max: usize,
    /// Most bytes of the unsent answers and positions of one session; the snapshots that follow the last answer come on
    /// top. The next request over the limit closes the session, and so does a lag whose topics, beyond
    /// `outbox_events_max`, exceed it. Bytes, 65,536 to 1 GiB.
    pub outbox_reply_bytes_max: usize,
    /// Most bytes of unsent answers of all clients. Over the limit the sessions with most of them are closed, and long
    /// answers over HTTP are refused. Bytes, `outbox_reply_bytes_max` to 1 TiB.
    pub waiting_bytes_max: usize,
    /// Messages are joined into frames of about this size. Bytes, 128 to 16 MiB.
    pub frame_bytes_max: usize,
    /// Work of a hub for requests, recoveries and polls, over all sessions, in each millisecond, before other tasks
    /// run. In events read, 16 to 1,000,000.
    pub turn_work_max: u32,
    /// Most writes of a hub to its sessions before other tasks run. 1 to 65,536.
    pub turn_writes_max: usize,
    /// Work per second that the sessions of one hub share beyond the budgets that they have saved, averaged over five
    /// seconds. In events read, 1 to 1,000,000,000.
    pub shared_work_per_second_max: u32,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            coalesce_ms: 20,
            burst_writes: 2,
            outbox_events_max: 1024,
            outbox_reply_bytes_max: 1_048_576,
            waiting_bytes_max: 16_777_216,
            frame_bytes_max: 65_536,
            turn_work_max: 4_096,
            turn_writes_max: 64,
            shared_work_per_second_max: 1_000_000,
        }
    }
}

impl PushConfig {
    /// Returns the coalescing window.
    pub const fn coalesce(&self) -> Duration {
        Duration::from_millis(self.coalesce_ms)
    }

    /// Returns the time between two steps in which windows end. Sessions whose windows end in the same step write
    /// together, which costs the kernel less than one wake-up per session.
    pub const fn window_step(&self) -> Duration {
        Duration::from_micros(self.coalesce_ms * 1_000 / WINDOW_STEPS)
    }

    /// Returns how many events a hub routes in one turn: few enough that an outbox which is drained when half full
    /// never overflows.
    pub fn turn_events_max(&self) -> usize {
        (self.outbox_events_max / 8).clamp(1, TURN_EVENTS_MAX)
    }

    /// Returns how many events of a burst are queued for one session before the rest stays in the ring: more than half
    /// of the queue and one turn, so that the session has had a turn in which it could write.
    pub fn burst_events_max(&self) -> usize {
        self.outbox_events_max / 2 + self.turn_events_max()
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        let rules = [
            (self.coalesce_ms <= 10_000, "push.coalesce_ms", "must be at most 10000"),
            (matches!(self.burst_writes, 1..=1_000), "push.burst_writes", "must be 1 to 1000"),
            (matches!(self.outbox_events_max, 1..=1_048_576), "push.outbox_events_max", "must be 1 to 1048576"),
            (
                matches!(self.outbox_reply_bytes_max, 65_536..=1_073_741_824),
                "push.outbox_reply_bytes_max",
                "must be 65536 to 1073741824",
            ),
            (matches!(self.frame_bytes_max, 128..=16_777_216), "push.frame_bytes_max", "must be 128 to 16777216"),
            (
                (self.outbox_reply_bytes_max..=1 << 40).contains(&self.waiting_bytes_max),
                "push.waiting_bytes_max",
                "must be push.outbox_reply_bytes_max to 1099511627776",
            ),
            (matches!(self.turn_work_max, 16..=1_000_000), "push.turn_work_max", "must be 16 to 1000000"),
            (matches!(self.turn_writes_max, 1..=65_536), "push.turn_writes_max", "must be 1 to 65536"),
            (
                matches!(self.shared_work_per_second_max, 1..=1_000_000_000),
                "push.shared_work_per_second_max",
                "must be 1 to 1000000000",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, ..)| !holds);
        broken.map_or(Ok(()), |(_, key, rule)| Err((key, rule)))
    }
}

/// State shared by all hubs of one stream of the process, that of the present or a delayed one.
#[derive(Clone, Debug, Default)]
pub struct HubConfig {
    /// All instruments.
    pub table: Arc<SymbolTable>,
    /// Epoch of this run of the server: letters and digits.
    pub epoch: Arc<str>,
    /// Offset of the newest event that the feed has published to these hubs.
    pub head: Arc<AtomicU64>,
    /// How much older than the market the stream of these hubs is, by the market's clock; 0 for the present. Milliseconds.
    pub delay_ms: u64,
    /// Time of the market.
    pub market: Arc<MarketClock>,
    /// Settings of delivery.
    pub push: PushConfig,
    /// Whether the stream is played for one client, beside that of the market.
    pub is_private: bool,
    /// Whether the hubs route no further than every session can follow, instead of letting slow ones lag.
    pub is_lossless: bool,
    /// Counters.
    pub metrics: SharedMetrics,
    /// Notified when more than `waiting_bytes_max` is unsent: the sessions with most bytes may be on other hubs.
    pub crowded: Arc<Notify>,
    /// Pauses of the process.
    pub pauses: Arc<Pauses>,
}

/// State shared by all outboxes of a hub.
#[derive(Debug)]
pub struct OutboxShared {
    /// State shared by all hubs.
    pub config: HubConfig,
    /// The newest events. The router's offset is behind them while it routes them in turns; no session may read beyond
    /// that offset.
    pub ring: RefCell<Ring>,
    /// End of the last burst: the offset of the newest event that arrived together with more than a hub routes in one turn.
    pub burst_end: Cell<u64>,
    /// Sessions that may have unread events of a burst in the ring.
    pub bursts: RefCell<BTreeSet<SessionKey>>,
    /// Sessions to be closed with `lagging`: the ring has evicted events that they had to read, or their outbox is full and
    /// they have `"on_lag":"close"`, or a lag exceeds its limit. Nothing is drained from their outboxes before that.
    pub to_close: RefCell<Vec<SessionKey>>,
    /// Notified when the hub must look at `pacer` or `turn` sooner than it was going to.
    pub timer: Rc<Notify>,
    /// Ends of windows, and alarms.
    pub pacer: RefCell<Pacer>,
    /// Sessions with data due.
    pub pass: Rc<Pass>,
    /// Limit of the work for requests and recoveries in one turn.
    pub turn: RefCell<Turn>,
    /// Budget for requests that the sessions share.
    pub work: RefCell<RateLimiter>,
}

impl HubConfig {
    /// Returns whether the stream is that of the market, and of the present.
    pub fn is_of_present(&self) -> bool {
        self.delay_ms == 0 && !self.is_private
    }
}

impl OutboxShared {
    /// Returns the state of a hub without sessions.
    pub fn new(config: &HubConfig, ring: Ring, now: Instant) -> Self {
        let (push, timer) = (&config.push, Rc::<Notify>::default());
        Self {
            ring: RefCell::new(ring.with_offsets(config.table.len())),
            burst_end: Cell::default(),
            bursts: RefCell::default(),
            to_close: RefCell::default(),
            pacer: RefCell::new(Pacer::new(push.window_step(), timer.clone(), now)),
            pass: Rc::default(),
            turn: RefCell::new(Turn::new(push.turn_work_max, timer.clone(), now)),
            timer,
            work: RefCell::new(RateLimiter::per_second(push.shared_work_per_second_max, now)),
            config: config.clone(),
        }
    }

    /// Notifies all hubs if the unsent answers of all clients exceed the limit.
    pub(super) fn notify_if_crowded(&self) {
        if self.is_crowded() {
            self.config.crowded.notify_waiters();
        }
    }

    /// Returns whether the unsent answers of all clients exceed the limit.
    pub fn is_crowded(&self) -> bool {
        let limit = i64::try_from(self.config.push.waiting_bytes_max).unwrap_or(i64::MAX);
        self.config.metrics.waiting_bytes.get() > limit
    }
}
