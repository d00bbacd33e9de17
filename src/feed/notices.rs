//! `Notices`: messages to all clients of a replay beside its events, about a silence that was left out, and about another state.

use std::sync::Arc;
use std::time::Duration;

use crate::feed::control::FeedStatus;

/// The shortest time between two notices of silences: a file of single trades may have one before each of them.
const GAP_INTERVAL: Duration = Duration::from_secs(1);

/// Tells the clients of a hub of the state of the feed, after every event before it.
#[derive(Clone, Debug)]
pub struct Notice(pub Arc<FeedStatus>);

/// The state that clients have been told.
#[derive(Debug)]
pub(super) struct Notices {
    /// State and speed; `None` for a feed without.
    told: Option<(&'static str, f64)>,
    /// When a silence was told last, by the monotonic clock.
    gap: Option<Duration>,
}

impl Notices {
    /// Returns what clients know of a feed that begins in this state: nobody has to be told of it.
    pub(super) const fn new(told: Option<(&'static str, f64)>) -> Self {
        Self { told, gap: None }
    }

    /// Returns whether clients are to be told of a silence at this time of the clock.
    pub(super) fn tells_gap(&mut self, elapsed: Duration) -> bool {
        let is_due = self.gap.is_none_or(|last| elapsed.saturating_sub(last) >= GAP_INTERVAL);
        if is_due {
            self.gap = Some(elapsed);
        }
        is_due
    }

    /// Returns whether clients are to be told of this state and speed.
    pub(super) fn tells_state(&mut self, state: (&'static str, f64)) -> bool {
        self.told.replace(state) != Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once_and_silences_at_most_once_a_second() {
        let mut notices = Notices::new(Some(("paused", 1.0)));
        let states = [("paused", 1.0), ("paused", 1.0), ("running", 1.0), ("running", 10.0), ("running", 10.0)];
        assert_eq!(states.map(|state| notices.tells_state(state)), [false, false, true, true, false]);
        let mut early = Notices::new(Some(("paused", 1.0)));
        assert!(early.tells_state(("running", 1.0)), "an order that comes before the first step is told, too");
        let times = [5_000, 5_001, 5_999, 6_000, 6_500, 7_200];
        let told = times.map(|ms| notices.tells_gap(Duration::from_millis(ms)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
