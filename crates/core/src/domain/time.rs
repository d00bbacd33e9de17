//! Time: `Timestamp` in microseconds, and the `Clock` through which every component reads the time of day. No calendar.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A moment in whole microseconds since 1970-01-01 00:00:00 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the moment this many microseconds after 1970-01-01 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 1970-01-01 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the moment this many microseconds later (earlier if negative).
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Returns the last moment at or before this one that is a whole multiple of `micros` since 1970.
    ///
    /// # Panics
    ///
    /// Panics if `micros` is zero.
    #[must_use]
    pub const fn floor_to(self, micros: i64) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(micros)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Both clocks of the machine, read at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock, which an administrator may set to any time.
    pub wall: Timestamp,
    /// The monotonic clock: the time since some fixed moment. It never goes back.
    pub elapsed: Duration,
}

/// A source of time. Injected, so that a run can be repeated bit by bit.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn read(&self) -> Reading;

    /// Returns the present time of the wall clock.
    fn now(&self) -> Timestamp {
        self.read().wall
    }
}

/// A clock that moves only when it is set: for tests and for repeatable runs.
#[derive(Debug, Default)]
pub struct ManualClock(Mutex<Reading>);

impl ManualClock {
    /// Returns a clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Reading { wall: now, elapsed: Duration::ZERO }))
    }

    /// Advances both clocks by this many microseconds.
    pub fn advance_micros(&self, micros: i64) {
        let mut reading = self.reading();
        reading.wall = reading.wall.plus_micros(micros);
        reading.elapsed += Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    }

    /// Sets the wall clock forward by this many microseconds, or back if negative; the monotonic clock does not move.
    pub fn set_wall_micros(&self, micros: i64) {
        let mut reading = self.reading();
        reading.wall = reading.wall.plus_micros(micros);
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Reading {
        *self.reading()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flooring_goes_down_on_both_sides_of_1970() {
        assert_eq!(Timestamp::from_micros(1_999).floor_to(1_000).micros(), 1_000);
        assert_eq!(Timestamp::from_micros(2_000).floor_to(1_000).micros(), 2_000);
        assert_eq!(Timestamp::from_micros(-1).floor_to(1_000).micros(), -1_000);
    }

    #[test]
    fn a_manual_clock_moves_only_when_it_is_set() {
        let clock = ManualClock::new(Timestamp::from_micros(5));
        assert_eq!(clock.now(), clock.now());
        clock.advance_micros(7);
        assert_eq!(clock.now().micros(), 12);
        clock.set_wall_micros(-10);
        assert_eq!(clock.read(), Reading { wall: Timestamp::from_micros(2), elapsed: Duration::from_micros(7) });
    }
}
