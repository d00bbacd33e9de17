//! What a hub can be told: `[push]` of the configuration, and what it shares with the rest of the process.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::SymbolTable;
use crate::hub::pacer::Pacer;
use crate::metrics::SharedMetrics;

/// The section `[push]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// At most one write to a session in this time; 0 writes at once. Milliseconds, at most 10,000.
    pub coalesce_ms: u64,
    /// Events that wait for one session before it turns to catching up. At least 1.
    pub outbox_events_max: usize,
    /// Answers that wait for one session before it is closed. At least 1.
    pub outbox_replies_max: usize,
    /// Messages are joined into frames of about this size. Bytes, at least 128.
    pub frame_bytes_max: usize,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self { coalesce_ms: 20, outbox_events_max: 1024, outbox_replies_max: 4096, frame_bytes_max: 65_536 }
    }
}

impl PushConfig {
    /// Returns the coalescing window.
    pub const fn coalesce(&self) -> Duration {
        Duration::from_millis(self.coalesce_ms)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { coalesce_ms: 10_001.., .. } => Err(("push.coalesce_ms", "must be at most 10000")),
            Self { outbox_events_max: 0, .. } => Err(("push.outbox_events_max", "must be at least 1")),
            Self { outbox_replies_max: 0, .. } => Err(("push.outbox_replies_max", "must be at least 1")),
            Self { frame_bytes_max: ..128, .. } => Err(("push.frame_bytes_max", "must be at least 128")),
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
    /// How to send.
    pub push: PushConfig,
    /// The counters.
    pub metrics: SharedMetrics,
}

/// What all outboxes of a hub share.
#[derive(Debug)]
pub struct OutboxShared {
    /// How to send.
    pub push: PushConfig,
    /// When windows end and alarms come.
    pub pacer: RefCell<Pacer>,
    /// Where skipped events are counted.
    pub metrics: SharedMetrics,
}
