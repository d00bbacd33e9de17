//! Latencies, in microseconds.

use hdrhistogram::Histogram;

/// Latencies above ten minutes count as ten minutes.
pub(crate) const LATENCY_MICROS_MAX: u64 = 600_000_000;

/// A histogram of latencies in microseconds, to three digits.
#[derive(Debug, derive_more::Deref, derive_more::DerefMut)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).expect("the bounds are in order"))
    }
}
