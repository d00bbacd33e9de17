//! The system clocks: the only place that reads the time of day.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Clock, Reading, Timestamp};

/// The two clocks must be read within this time of each other; else the reading is repeated.
const APART_MAX: Duration = Duration::from_millis(1);
/// Readings at most; on a machine that is too busy the last one counts.
const TRIES_MAX: usize = 3;

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let origin = *ORIGIN;
        let mut before = origin.elapsed();
        let mut reading = Reading { wall: wall(), elapsed: before };
        // If the process is stopped between the two reads, the wall clock seems to have been set forward.
        for _ in 1..TRIES_MAX {
            let after = origin.elapsed();
            if after.saturating_sub(before) <= APART_MAX {
                break;
            }
            before = after;
            reading = Reading { wall: wall(), elapsed: before };
        }
        reading
    }

    fn now(&self) -> Timestamp {
        wall()
    }
}

/// Returns the time of day, or 1970 if the system clock is set to an earlier time.
fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}
