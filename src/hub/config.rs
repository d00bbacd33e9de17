//! What a hub can be told: `[push]` of the configuration, and what it shares with the rest of the process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Notify;

use crate::domain::{MarketClock, SymbolTable};
use crate::history::Ring;
use crate::hub::kept::Kept;
use crate::hub::pacer::Pacer;
use crate::hub::{SessionKey, Turn};
use crate::metrics::SharedMetrics;
use crate::rate::{Pauses, RateLimiter};

/// Of all sessions whose windows are open, this part is written to together.
const WINDOW_STEPS: u64 = 4;

/// The most events that a hub routes before the sessions of its thread have their turn.
const TURN_EVENTS_MAX: usize = 256;

/// The section `[push]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// At most one write of events to a session in this time, on average; 0 writes at once. Milliseconds, at most 10,000.
    pub coalesce_ms: u64,
    /// Writes that a session gets at once after a quiet time, before it has to wait. 1 to 1,000.
    pub burst_writes: u32,
    /// Events that wait for one session before it turns to catching up. 1 to 1,048,576.
    pub outbox_events_max: usize,
    /// What answers that wait for one session take before it is closed, with the events beyond the bound that they hold in
    /// their places; the snapshots that follow the last one come on top. Also what the newest events of a session that lags
    /// take before it is closed, beyond `outbox_events_max`.
    /// Bytes, 65,536 to 1 GiB.
    pub outbox_reply_bytes_max: usize,
    /// What waits for all clients of the process before those sessions that hold most are closed, and long answers over HTTP
    /// are refused. Bytes, `outbox_reply_bytes_max` to 1 TiB.
    pub waiting_bytes_max: usize,
    /// Messages are joined into frames of about this size. Bytes, 128 to 16 MiB.
    pub frame_bytes_max: usize,
    /// What a hub does for requests, recoveries and polls, of all sessions together, before all others have their turn, in
    /// each millisecond. Looks at one event, 16 to 1,000,000.
    pub turn_work_max: u32,
    /// What sessions of one hub may ask for together each second beyond what each has saved, on average over five seconds.
    /// Looks at one event, 1 to 1,000,000,000.
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
            shared_work_per_second_max: 1_000_000,
        }
    }
}

impl PushConfig {
    /// Returns the coalescing window.
    pub const fn coalesce(&self) -> Duration {
        Duration::from_millis(self.coalesce_ms)
    }

    /// Returns how far apart the ends of windows are: sessions whose windows end together are written to in one go, which
    /// costs the kernel less than one wake-up for each.
    pub const fn window_step(&self) -> Duration {
        Duration::from_micros(self.coalesce_ms * 1_000 / WINDOW_STEPS)
    }

    /// Returns how many events a hub routes before the sessions of its thread have their turn: so few that an outbox which
    /// is drained when half full never overflows.
    pub fn turn_events_max(&self) -> usize {
        (self.outbox_events_max / 8).clamp(1, TURN_EVENTS_MAX)
    }

    /// Returns how many events of a burst are queued for one session before the rest stays in the ring: more than half an
    /// outbox and one turn, so the session had a turn to write in which it was due.
    pub fn burst_events_max(&self) -> usize {
        self.outbox_events_max / 2 + self.turn_events_max()
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { coalesce_ms: 10_001.., .. } => Err(("push.coalesce_ms", "must be at most 10000")),
            Self { burst_writes: 0 | 1_001.., .. } => Err(("push.burst_writes", "must be 1 to 1000")),
            Self { outbox_events_max: 0 | 1_048_577.., .. } => Err(("push.outbox_events_max", "must be 1 to 1048576")),
            Self { outbox_reply_bytes_max: ..65_536 | 1_073_741_825.., .. } => {
                Err(("push.outbox_reply_bytes_max", "must be 65536 to 1073741824"))
            }
            Self { frame_bytes_max: ..128 | 16_777_217.., .. } => {
                Err(("push.frame_bytes_max", "must be 128 to 16777216"))
            }
            Self { outbox_reply_bytes_max, waiting_bytes_max, .. }
                if waiting_bytes_max < outbox_reply_bytes_max || *waiting_bytes_max > 1 << 40 =>
            {
                Err(("push.waiting_bytes_max", "must be push.outbox_reply_bytes_max to 1099511627776"))
            }
            Self { turn_work_max: ..16 | 1_000_001.., .. } => Err(("push.turn_work_max", "must be 16 to 1000000")),
            Self { shared_work_per_second_max: 0 | 1_000_000_001.., .. } => {
                Err(("push.shared_work_per_second_max", "must be 1 to 1000000000"))
            }
            _ => Ok(()),
        }
    }
}

/// What every hub of the process shares.
#[derive(Clone)]
pub struct HubConfig {
    /// What is traded.
    pub table: Arc<SymbolTable>,
    /// The name of this process's stream: letters and digits.
    pub epoch: Arc<str>,
    /// The newest offset that the feed has published.
    pub head: Arc<AtomicU64>,
    /// What time it is on the market.
    pub market: Arc<MarketClock>,
    /// How to send.
    pub push: PushConfig,
    /// The counters.
    pub metrics: SharedMetrics,
    /// Told when more than `waiting_bytes_max` waits: the hubs whose sessions hold most may be others.
    pub crowded: Arc<Notify>,
    /// For how long the process has stood still.
    pub pauses: Arc<Pauses>,
}

/// How long bursts that follow each other are one: what has piled up in a stall comes in several batches.
const BURST_TIME: Duration = Duration::from_secs(2);

/// Events that have come together, more than a hub routes in one turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Burst {
    end: u64,
    number: u64,
    began: Option<Instant>,
}

impl Burst {
    /// Takes note that the events after `offset`, up to `end`, wait to be routed.
    pub(super) fn grow(&mut self, offset: u64, end: u64, now: Instant) {
        let is_over = offset >= self.end && self.began.is_none_or(|began| now > began + BURST_TIME);
        if is_over {
            self.number += 1;
            self.began = Some(now);
        }
        self.end = end;
    }

    /// Returns the number of the burst when the event is one of it.
    pub(super) fn number_at(&self, offset: u64) -> Option<u64> {
        (offset <= self.end).then_some(self.number)
    }
}

/// What all outboxes of a hub share.
#[derive(Debug)]
pub struct OutboxShared {
    /// How to send.
    pub push: PushConfig,
    /// The newest events that have arrived. The hub's position is behind them while it routes them in turns; nothing may
    /// be read beyond it.
    pub ring: RefCell<Ring>,
    /// The newest events of their topics that the ring has forgotten.
    pub kept: RefCell<Kept>,
    /// Sessions that may need an event that the ring has forgotten.
    pub keepers: RefCell<BTreeSet<SessionKey>>,
    /// The burst that is being routed, or the last one.
    pub burst: Cell<Burst>,
    /// Sessions for which something of a burst may be left in the ring.
    pub bursts: RefCell<BTreeSet<SessionKey>>,
    /// Sessions that must be closed because the ring has forgotten what they were to be sent.
    pub overtaken: RefCell<Vec<SessionKey>>,
    /// Tells every hub of the process that more than `waiting_bytes_max` waits.
    pub crowded: Arc<Notify>,
    /// For how long the process has stood still.
    pub pauses: Arc<Pauses>,
    /// When windows end and alarms come.
    pub pacer: RefCell<Pacer>,
    /// How much is done for requests and recoveries at once.
    pub turn: RefCell<Turn>,
    /// What sessions may ask for beyond what each has saved.
    pub work: RefCell<RateLimiter>,
    /// Where skipped events are counted.
    pub metrics: SharedMetrics,
}

impl OutboxShared {
    /// Tells all hubs when more waits for all clients of the process than may.
    pub(super) fn tell_crowded(&self) {
        if self.is_crowded() {
            self.crowded.notify_waiters();
        }
    }

    /// Returns whether more waits for all clients of the process than may.
    pub fn is_crowded(&self) -> bool {
        self.metrics.waiting_bytes.get() > i64::try_from(self.push.waiting_bytes_max).unwrap_or(i64::MAX)
    }
}
