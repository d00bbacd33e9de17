//! `Schedule`: when a fault is in force, from the time at which its rule met a session.

use std::time::Duration;

/// When a fault is in force: after a time and a number of messages, from then on or for a while, once or again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Time from the meeting of rule and session: the beginning of the session, or of the rule if that is later.
    pub after: Duration,
    /// Messages since the same moment.
    pub after_messages: u64,
    /// How long it lasts; `None` until the end of the session.
    pub lasts: Option<Duration>,
    /// Time from one beginning to the next, more than `lasts`; `None` if there is one only.
    pub every: Option<Duration>,
}

impl Schedule {
    /// Returns the number of the window that is open so long after the first beginning, and the time until it ends, if
    /// it does.
    pub fn window(&self, elapsed: Duration) -> Option<(u64, Option<Duration>)> {
        let Some(lasts) = self.lasts else { return Some((0, None)) };
        let (index, within) = match self.every {
            Some(every) => {
                let index = elapsed.as_nanos() / every.as_nanos().max(1);
                let begun = every.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
                (u64::try_from(index).unwrap_or(u64::MAX), elapsed.saturating_sub(begun))
            }
            None => (0, elapsed),
        };
        (within < lasts).then(|| (index, Some(lasts.saturating_sub(within))))
    }

    /// Returns the time until a window begins or ends, so long after the first beginning; `None` if none does any more.
    pub fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        match (self.window(elapsed), self.every) {
            (Some((_, left)), _) => left,
            (None, Some(every)) => {
                let index = u32::try_from(elapsed.as_nanos() / every.as_nanos().max(1)).ok()?;
                Some(every.saturating_mul(index.checked_add(1)?).saturating_sub(elapsed))
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn without_an_end_the_window_stays_open() {
        let schedule = Schedule::default();
        assert_eq!(schedule.window(ms(1_000_000)), Some((0, None)));
        assert_eq!(schedule.next_change(ms(0)), None);
    }

    #[test]
    fn one_window_opens_once() {
        let schedule = Schedule { lasts: Some(ms(10)), ..Schedule::default() };
        assert_eq!(schedule.window(ms(4)), Some((0, Some(ms(6)))));
        assert_eq!(schedule.next_change(ms(4)), Some(ms(6)));
        assert_eq!((schedule.window(ms(10)), schedule.next_change(ms(10))), (None, None));
    }

    #[test]
    fn a_window_opens_again_and_again() {
        let schedule = Schedule { lasts: Some(ms(10)), every: Some(ms(100)), ..Schedule::default() };
        assert_eq!(schedule.window(ms(9)), Some((0, Some(ms(1)))));
        assert_eq!((schedule.window(ms(10)), schedule.next_change(ms(10))), (None, Some(ms(90))));
        assert_eq!(schedule.window(ms(305)), Some((3, Some(ms(5)))));
    }
}
