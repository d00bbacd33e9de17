//! The wall clock: the one place where the time of day enters.

use crate::domain::{Clock, Timestamp};

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
        let now = chrono::Utc::now();
        Timestamp::from_micros(now.timestamp_micros())
    }
}
