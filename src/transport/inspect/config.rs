//! The section `[handshake]` of the configuration.

use std::time::Duration;

use serde::Deserialize;

/// Limits of the backend of the page `/handshake`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectorConfig {
    /// The most captures at the same time, 1 to 1,024; a further one is refused.
    pub captures_max: usize,
    /// The most unread bytes of events per capture. Frames that do not fit are skipped and counted, but never the close frame.
    /// 1,024 to 16 MiB.
    pub capture_pending_bytes_max: usize,
    /// How long a capture waits for its socket. Milliseconds, 10 to 3,600,000.
    pub capture_wait_ms: u64,
    /// Replaces `session.heartbeat_ms` for captured sockets if it is less. Milliseconds, 10 to an hour.
    pub heartbeat_ms: u64,
    /// The most attempts of handshakes at the same time, 1 to 1,024; a further one is answered with 503.
    pub attempts_max: usize,
    /// How long an attempt may take. Milliseconds, 10 to 600,000.
    pub attempt_timeout_ms: u64,
}

impl Default for InspectorConfig {
    fn default() -> Self {
        Self {
            captures_max: 64,
            capture_pending_bytes_max: 262_144,
            capture_wait_ms: 60_000,
            heartbeat_ms: 5_000,
            attempts_max: 16,
            attempt_timeout_ms: 5_000,
        }
    }
}

impl InspectorConfig {
    /// Returns how long a capture waits for its socket.
    pub(super) const fn capture_wait(&self) -> Duration {
        Duration::from_millis(self.capture_wait_ms)
    }

    /// Returns how long one attempt may take.
    pub(super) const fn attempt_timeout(&self) -> Duration {
        Duration::from_millis(self.attempt_timeout_ms)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { captures_max: 0 | 1_025.., .. } => Err(("handshake.captures_max", "must be 1 to 1024")),
            Self { capture_pending_bytes_max: ..1_024 | 16_777_217.., .. } => {
                Err(("handshake.capture_pending_bytes_max", "must be 1024 to 16777216"))
            }
            Self { capture_wait_ms: 0..10 | 3_600_001.., .. } => {
                Err(("handshake.capture_wait_ms", "must be 10 to 3600000"))
            }
            Self { heartbeat_ms: ..10 | 3_600_001.., .. } => Err(("handshake.heartbeat_ms", "must be 10 to 3600000")),
            Self { attempts_max: 0 | 1_025.., .. } => Err(("handshake.attempts_max", "must be 1 to 1024")),
            Self { attempt_timeout_ms: ..10 | 600_001.., .. } => {
                Err(("handshake.attempt_timeout_ms", "must be 10 to 600000"))
            }
            _ => Ok(()),
        }
    }
}
