//! `Pauses`: how long the process has stood still, because it was stopped, frozen with its machine, or had no CPU time.
//! Bytes that clients sent meanwhile wait in their sockets and arrive all at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest time between two calls of [`Pauses::look`].
pub const LOOK_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// A look that comes after this time was delayed by a pause.
const HELD_UP: Duration = Duration::from_secs(1);
/// Longest credit for a pause: clients that were silent for longer would have been closed.
const CREDIT_MAX: Duration = Duration::from_mins(1);

/// See the module. Shared by all threads.
#[derive(Debug, Default)]
pub struct Pauses(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    last: Option<Instant>,
    credit: Duration,
}

impl Looks {
    fn credit(&self, now: Instant) -> Duration {
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let pause = if gap < HELD_UP { Duration::ZERO } else { gap.saturating_sub(LOOK_INTERVAL_MAX) };
        (self.credit.saturating_sub(gap.saturating_sub(pause)) + pause).min(CREDIT_MAX)
    }
}

impl Pauses {
    /// Records that the process runs. Must be called at least every [`LOOK_INTERVAL_MAX`].
    pub fn look(&self, now: Instant) {
        let mut looks = self.looks();
        looks.credit = looks.credit(now);
        looks.last = Some(now);
    }

    /// Returns the length of recent pauses of a second or more, less the time that the process has run since; at most a
    /// minute. A pause counts before the first look after it, too.
    pub fn credit(&self, now: Instant) -> Duration {
        self.looks().credit(now)
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_credited_before_and_after_the_look_that_finds_it_and_the_credit_runs_down() {
        let (pauses, start) = (Pauses::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pauses.credit(at(60_000)), Duration::ZERO, "nobody looks");
        for ms in [60_000, 60_500, 61_400] {
            pauses.look(at(ms));
        }
        assert_eq!(pauses.credit(at(62_000)), Duration::ZERO);
        assert_eq!(pauses.credit(at(71_400)), Duration::from_millis(9_500));
        pauses.look(at(71_400));
        assert_eq!(pauses.credit(at(71_401)), Duration::from_millis(9_499), "the same pause");
        pauses.look(at(81_400));
        assert_eq!(pauses.credit(at(81_400)), Duration::from_millis(9_500 - 500 + 9_500), "and another one");
        assert_eq!(pauses.credit(at(999_000)), CREDIT_MAX);
    }
}
