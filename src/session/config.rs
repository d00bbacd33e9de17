//! The section `[session]` of the configuration.

use std::time::Duration;

use serde::Deserialize;

/// Limits and timeouts of one session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// After so long without a message to send, the server sends a heartbeat. Milliseconds, 10 to an hour.
    pub heartbeat_ms: u64,
    /// A session without a frame from its client for so long is closed. Milliseconds, more than `heartbeat_ms`, because a quiet
    /// client answers the ping that comes with a heartbeat; at most a day.
    pub idle_timeout_ms: u64,
    /// A session whose socket is stalled for so long is ended. Milliseconds, 10 to an hour: Linux rejects a `TCP_USER_TIMEOUT`
    /// of 2^31 ms (tcp(7)).
    pub stall_timeout_ms: u64,
    /// A socket that accepts fewer bytes within `stall_timeout_ms` is stalled. 1 to 16 MiB.
    pub stall_bytes_min: u64,
    /// How long the closing handshake may take, and after it the client to end the connection. Milliseconds, 10 to 600,000.
    pub close_timeout_ms: u64,
    /// The most symbols of one session; the wildcard counts as one. 1 to 1,000,000.
    pub symbols_max: usize,
    /// The longest message of a client. Bytes, 128 to 16 MiB.
    pub message_bytes_max: usize,
    /// The longest message of a client in the dialects of Alpaca and Massive, whose requests may name every symbol several times.
    /// Bytes, 128 to 16 MiB.
    pub vendor_message_bytes_max: usize,
    /// A session in the dialect of a vendor is closed if its client has not authenticated for so long. Milliseconds, 10 to an
    /// hour.
    pub auth_timeout_ms: u64,
    /// A session in the dialect of Finnhub is sent its `ping` at most once in so long, when there is nothing else to send.
    /// Milliseconds, 10 to an hour.
    pub finnhub_ping_ms: u64,
    /// The most requests per second, on average over five seconds. 1 to 1,000,000.
    pub requests_per_second_max: u32,
    /// The most pings, pongs and fragments of less than 32 bytes per second, on average over five seconds. 1 to 1,000,000.
    pub control_frames_per_second_max: u32,
    /// The most work per second for the requests of one session, on average over five seconds. The unit is the look at one
    /// event of the ring. 1 to 1,000,000,000.
    pub work_per_second_max: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            heartbeat_ms: 15_000,
            idle_timeout_ms: 60_000,
            stall_timeout_ms: 10_000,
            stall_bytes_min: 1_024,
            close_timeout_ms: 1_000,
            symbols_max: 500,
            message_bytes_max: 65_536,
            vendor_message_bytes_max: 1_048_576,
            auth_timeout_ms: 10_000,
            finnhub_ping_ms: 60_000,
            requests_per_second_max: 200,
            control_frames_per_second_max: 200,
            work_per_second_max: 200_000,
        }
    }
}

impl SessionConfig {
    /// Returns the longest time between two messages of the server.
    pub const fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    /// Returns the longest silence of a client.
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// Returns the longest time of a stalled socket.
    pub const fn stall_timeout(&self) -> Duration {
        Duration::from_millis(self.stall_timeout_ms)
    }

    /// Returns the longest closing handshake.
    pub const fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_timeout_ms)
    }

    /// Returns the longest time of a vendor's client without authentication.
    pub const fn auth_timeout(&self) -> Duration {
        Duration::from_millis(self.auth_timeout_ms)
    }

    /// Returns the shortest time between two messages `ping` of Finnhub.
    pub const fn finnhub_ping(&self) -> Duration {
        Duration::from_millis(self.finnhub_ping_ms)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { heartbeat_ms: ..10 | 3_600_001.., .. } => Err(("session.heartbeat_ms", "must be 10 to 3600000")),
            Self { idle_timeout_ms: ..10 | 86_400_001.., .. } => {
                Err(("session.idle_timeout_ms", "must be 10 to 86400000"))
            }
            Self { heartbeat_ms, idle_timeout_ms, .. } if idle_timeout_ms <= heartbeat_ms => {
                Err(("session.idle_timeout_ms", "must be more than session.heartbeat_ms: a client answers heartbeats"))
            }
            Self { stall_timeout_ms: ..10 | 3_600_001.., .. } => {
                Err(("session.stall_timeout_ms", "must be 10 to 3600000"))
            }
            Self { stall_bytes_min: 0 | 16_777_217.., .. } => Err(("session.stall_bytes_min", "must be 1 to 16777216")),
            Self { close_timeout_ms: ..10 | 600_001.., .. } => {
                Err(("session.close_timeout_ms", "must be 10 to 600000"))
            }
            Self { symbols_max: 0 | 1_000_001.., .. } => Err(("session.symbols_max", "must be 1 to 1000000")),
            Self { message_bytes_max: ..128 | 16_777_217.., .. } => {
                Err(("session.message_bytes_max", "must be 128 to 16777216"))
            }
            Self { vendor_message_bytes_max: ..128 | 16_777_217.., .. } => {
                Err(("session.vendor_message_bytes_max", "must be 128 to 16777216"))
            }
            Self { auth_timeout_ms: ..10 | 3_600_001.., .. } => {
                Err(("session.auth_timeout_ms", "must be 10 to 3600000"))
            }
            Self { finnhub_ping_ms: ..10 | 3_600_001.., .. } => {
                Err(("session.finnhub_ping_ms", "must be 10 to 3600000"))
            }
            Self { requests_per_second_max: 0 | 1_000_001.., .. } => {
                Err(("session.requests_per_second_max", "must be 1 to 1000000"))
            }
            Self { control_frames_per_second_max: 0 | 1_000_001.., .. } => {
                Err(("session.control_frames_per_second_max", "must be 1 to 1000000"))
            }
            Self { work_per_second_max: 0 | 1_000_000_001.., .. } => {
                Err(("session.work_per_second_max", "must be 1 to 1000000000"))
            }
            _ => Ok(()),
        }
    }
}
