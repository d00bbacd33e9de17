//! Totals of all sessions: counters, latencies, connect times, and the reasons of failed and closed connections.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tickcast_core::domain::Channel;

use crate::latency::Latencies;
use crate::sequence::SymbolNumbers;

/// The most characters of an error message in the report.
const ERROR_CHARS_MAX: usize = 200;

/// Totals of all sessions, and the state that they share while they read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The numbers of the symbols.
    pub(crate) symbols: SymbolNumbers,
    /// The channels whose `seq` is read from a snapshot.
    pub(crate) channels: Vec<Channel>,
    /// The marker that each event has once; if missing, messages are read as JSON.
    pub(crate) marker: Option<Bytes>,
    /// Market events since the run began.
    pub(crate) events: u64,
    /// Messages that are not JSON.
    pub(crate) malformed: u64,
    /// `lag` messages, and the sum of their `skipped`.
    pub(crate) lags: u64,
    pub(crate) lag_skipped: u64,
    /// `error` messages.
    pub(crate) errors: u64,
    /// Events of the window with a time stamp in the future.
    pub(crate) early: u64,
    /// Latencies of the window, in microseconds.
    pub(crate) latency: Latencies,
    /// Whether latencies are recorded now.
    pub(crate) recording: bool,
    /// Time from the start of the connect to the end of the handshake, in microseconds.
    pub(crate) connect: Latencies,
    /// Failed connections, by reason.
    pub(crate) failed: BTreeMap<String, u64>,
    /// Sessions that the server closed, by close code; 1006 for a lost connection.
    pub(crate) closes: BTreeMap<u16, u64>,
    /// Stalled sessions that the server closed; they are not part of `closes`.
    pub(crate) stalled_ended: u64,
    /// The first `error` message.
    pub(crate) first_error: Option<String>,
}

impl Tally {
    /// Records the latency of an event with the time stamp `ts` that was read at `now`, both in microseconds since 1970.
    #[inline]
    pub(crate) fn take_latency(&mut self, ts: i64, now: i64) {
        if self.recording {
            let latency = u64::try_from(now.saturating_sub(ts)).unwrap_or_else(|_| {
                self.early += 1;
                0
            });
            self.latency.saturating_record(latency);
        }
    }

    /// Records the time that a session took to open.
    pub(crate) fn take_connect(&mut self, took: Duration) {
        self.connect.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Returns the number of opened sessions.
    pub(crate) fn opened(&self) -> u64 {
        self.connect.len()
    }

    /// Returns the number of failed connections.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Returns the number of sessions that the server closed, without stalled ones.
    pub(crate) fn dropped(&self) -> u64 {
        self.closes.values().sum()
    }

    /// Counts an `error` message.
    pub(crate) fn take_error(&mut self, message: &[u8]) {
        self.errors += 1;
        self.first_error
            .get_or_insert_with(|| String::from_utf8_lossy(message).chars().take(ERROR_CHARS_MAX).collect());
    }
}

/// Returns the quantiles of a histogram, in microseconds; null if it is empty.
pub(crate) fn quantiles(histogram: &Latencies) -> Value {
    let at = |quantile| histogram.value_at_quantile(quantile);
    if histogram.is_empty() {
        return Value::Null;
    }
    json!({
        "count": histogram.len(), "mean": histogram.mean(), "min": histogram.min(), "max": histogram.max(),
        "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99_9": at(0.999),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::LATENCY_MICROS_MAX;

    #[test]
    fn latencies_are_recorded_only_in_the_window_and_never_below_zero() {
        let mut tally = Tally::default();
        tally.take_latency(0, 5);
        tally.recording = true;
        tally.take_latency(100, 350);
        tally.take_latency(100, 90);
        tally.take_latency(0, i64::MAX);
        assert_eq!((tally.latency.len(), tally.early), (3, 1));
        assert_eq!(tally.latency.value_at_quantile(0.5), 250);
        assert!(tally.latency.max() >= LATENCY_MICROS_MAX);
    }
}
