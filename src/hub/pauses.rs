//! `Pauses`: for how long the process has stood still, because it was stopped, frozen with its machine, or kept from running.
//! What clients sent meanwhile waits in their sockets and comes all at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who looks does so at least this often.
pub const LOOK_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// A look that is missed for so long has been held up.
const HELD_UP: Duration = Duration::from_secs(1);

/// See the module. Shared by all threads.
#[derive(Debug, Default)]
pub struct Pauses(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    last: Option<Instant>,
    total: Duration,
}

impl Looks {
    /// Returns how long the pause was that the next look would find, if it were now.
    fn missed(&self, now: Instant) -> Duration {
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if gap < HELD_UP { Duration::ZERO } else { gap.saturating_sub(LOOK_INTERVAL_MAX) }
    }
}

impl Pauses {
    /// Takes note that the process runs. Must be called at least every [`LOOK_INTERVAL_MAX`].
    pub fn look(&self, now: Instant) {
        let mut looks = self.looks();
        let missed = looks.missed(now);
        looks.total += missed;
        looks.last = Some(now);
    }

    /// Returns for how long the process has stood still so far, in pauses of a second at least; also before the first look
    /// after a pause.
    pub fn total(&self, now: Instant) -> Duration {
        let looks = self.looks();
        looks.total + looks.missed(now)
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_comes_late_tells_of_a_pause_and_so_does_one_that_has_not_come_yet() {
        let (pauses, start) = (Pauses::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pauses.total(at(60_000)), Duration::ZERO, "nobody looks");
        for ms in [60_000, 60_500, 61_400] {
            pauses.look(at(ms));
        }
        assert_eq!(pauses.total(at(62_000)), Duration::ZERO);
        assert_eq!(pauses.total(at(71_400)), Duration::from_millis(9_500));
        pauses.look(at(71_400));
        assert_eq!(pauses.total(at(71_401)), Duration::from_millis(9_500), "the same one");
        pauses.look(at(81_400));
        assert_eq!(pauses.total(at(81_400)), Duration::from_secs(19));
    }
}
