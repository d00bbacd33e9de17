//! The CPU time of the current thread, user and system together, as the kernel counts it.

use rustix::time::{ClockId, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// A moment of this thread's CPU time. Meaningless on another thread.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport) struct ThreadTime {
    ns: u64,
}

impl ThreadTime {
    /// Returns the CPU time of this thread so far. Costs a system call.
    pub(in crate::transport) fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let [seconds, ns] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
        Self { ns: seconds * NS_PER_S + ns }
    }

    /// Returns the CPU time of this thread since then, in nanoseconds.
    pub(in crate::transport) fn elapsed_ns(self) -> u64 {
        Self::now().ns - self.ns
    }
}
