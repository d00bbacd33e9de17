//! `Measured`: how long a write takes until the kernel has all of it. One write in 16 is measured, because two looks at the clock cost
//! a percent of a write.

use std::cell::Cell;
use std::time::Instant;

use crate::metrics::Metrics;

/// Writes of a thread for each one that is measured.
const EVERY: u32 = 16;

thread_local! {
    static WRITES: Cell<u32> = const { Cell::new(0) };
}

/// The beginning of the present write, if it is measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured(Option<Instant>);

impl Measured {
    /// Begins a write.
    pub(super) fn begin(&mut self) {
        let writes = WRITES.get();
        WRITES.set(writes.wrapping_add(1));
        self.0 = writes.is_multiple_of(EVERY).then(Instant::now);
    }

    /// Records that the kernel has taken all of the write.
    pub(super) fn finish(&mut self, metrics: &Metrics) {
        if let Some(since) = self.0.take() {
            metrics.kernel_write.observe(since.elapsed());
        }
    }
}
