//! The clocks of the machine: the one place where the time of day enters.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Clock, Reading, Timestamp};

/// Both clocks are read within this time of each other, unless the machine is too busy for it.
const APART_MAX: Duration = Duration::from_millis(1);
/// How often that is tried.
const TRIES_MAX: usize = 3;

/// The clocks of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let origin = *ORIGIN;
        let mut before = origin.elapsed();
        let mut reading = Reading { wall: wall(), elapsed: before };
        // A process that is stopped between the two would see a wall clock that was set forward.
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

/// Returns the time of day; 1970 when the machine's clock is set to before that.
fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}
