//! `Pace`: the time of the market. It advances with the monotonic clock, and follows the wall clock, which an
//! administrator may set to any time, by this rule:
//!
//! - if the wall clock is ahead by more than the bound, the market jumps to it;
//! - otherwise the market runs a tenth faster or slower until both agree.
//!
//! So the market never goes back, never stands still, and never has more to catch up than the bound. The feed publishes
//! a `gap` for a jump.

use crate::domain::{Reading, Timestamp};

/// The market runs faster or slower by one part in this many to meet the wall clock.
const SLEW_PARTS: i64 = 10;

/// The time of the market; see the module.
#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds of the market per second of the clocks.
    speed: f64,
    /// Largest lateness that is caught up, in microseconds of the market.
    catch_up_micros: i64,
    /// Reading of the clocks and time of the market at the start.
    start: (Reading, Timestamp),
    /// Time of the market by the monotonic clock alone.
    steady: Timestamp,
    now: Timestamp,
    /// The same without the jumps, so that it tells how much time has passed.
    held: Timestamp,
    /// Microseconds of the market by which it is ahead of the wall clock; negative if it is behind.
    ahead_micros: i64,
}

impl Pace {
    /// Returns the pace of a market that begins at `start` with the clocks at `reading`, and that catches up at most
    /// `catch_up_micros` of the clock.
    pub(super) fn new(start: Timestamp, reading: Reading, speed: f64, catch_up_micros: i64) -> Self {
        let catch_up_micros = scaled(catch_up_micros, speed);
        Self {
            speed,
            catch_up_micros,
            start: (reading, start),
            steady: start,
            now: start,
            held: start,
            ahead_micros: 0,
        }
    }

    /// Returns the time of the market when the clocks are at `reading`: never earlier than the last result.
    pub(super) fn tick(&mut self, reading: Reading) -> Timestamp {
        let (began, start) = self.start;
        let elapsed = micros(reading.elapsed.saturating_sub(began.elapsed));
        let steady = start.plus_micros(scaled(elapsed, self.speed));
        let advance = steady.micros().saturating_sub(self.steady.micros()).max(0);
        let wall_elapsed = reading.wall.micros().saturating_sub(began.wall.micros());
        let wall = start.plus_micros(scaled(wall_elapsed, self.speed));
        let before = self.now;
        let now = before.plus_micros(advance);
        let ahead = now.micros().saturating_sub(wall.micros());
        self.steady = self.steady.max(steady);
        self.now = if ahead < -self.catch_up_micros {
            wall
        } else {
            let slew_max = advance / SLEW_PARTS;
            now.plus_micros((-ahead).clamp(-slew_max, slew_max))
        };
        self.ahead_micros = self.now.micros().saturating_sub(wall.micros());
        self.held = self.held.plus_micros(self.now.micros().saturating_sub(before.micros()).min(advance));
        self.now
    }

    /// Returns the time of the market after the last tick.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the time of the market as if it had never jumped.
    pub(super) fn held(&self) -> Timestamp {
        self.held
    }

    /// Returns whether a market whose next event is due at `next` is later than it may catch up.
    pub(super) fn is_too_late(&self, next: Timestamp) -> bool {
        self.now.micros().saturating_sub(next.micros()) > self.catch_up_micros
    }

    /// Returns by how many milliseconds of the clock the market is ahead of the wall clock; negative if it is behind.
    pub(super) fn ahead_ms(&self) -> i64 {
        scaled(self.ahead_micros, 1.0 / self.speed) / 1_000
    }

    /// Returns whether the market is further ahead of the wall clock than it may be behind.
    pub(super) fn is_far_ahead(&self) -> bool {
        self.ahead_micros > self.catch_up_micros
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Converts microseconds of the clock to microseconds of the market.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
fn scaled(micros: i64, speed: f64) -> i64 {
    if (speed - 1.0).abs() < f64::EPSILON { micros } else { (micros as f64 * speed) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: i64 = 1_000_000;

    /// A market after a change of the wall clock: each step moves both clocks by a second and ticks the market.
    struct Watched {
        pace: Pace,
        reading: Reading,
    }

    impl Watched {
        fn new(speed: f64) -> Self {
            let reading = Reading { wall: Timestamp::from_micros(1_000 * SECOND), elapsed: Duration::from_secs(7) };
            Self { pace: Pace::new(reading.wall, reading, speed, 10 * SECOND), reading }
        }

        fn set_wall(&mut self, seconds: i64) {
            self.reading.wall = self.reading.wall.plus_micros(seconds * SECOND);
        }

        /// Returns by how many milliseconds the market advances in a second.
        fn second(&mut self) -> i64 {
            let before = self.pace.now;
            for _ in 0..1_000 {
                self.set_wall(0);
                self.reading.wall = self.reading.wall.plus_micros(1_000);
                self.reading.elapsed += Duration::from_millis(1);
                let last = self.pace.now;
                assert!(self.pace.tick(self.reading) >= last, "never back");
            }
            (self.pace.now.micros() - before.micros()) / 1_000
        }
    }

    #[test]
    fn a_market_advances_at_its_speed_while_the_clocks_agree() {
        for (speed, gone) in [(1.0, 1_000), (10.0, 10_000), (0.5, 500)] {
            let mut watched = Watched::new(speed);
            for _ in 0..100 {
                assert_eq!(watched.second(), gone);
            }
            assert_eq!(watched.pace.ahead_ms(), 0);
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_back_makes_the_market_slower_until_both_agree() {
        for (back, seconds) in [(5, 50), (120, 1_200), (8 * 3_600, 20)] {
            let mut watched = Watched::new(1.0);
            watched.set_wall(-back);
            for _ in 0..seconds {
                assert_eq!(watched.second(), 900, "neither silence nor a step back");
            }
            let left = back * 1_000 - seconds * 100;
            assert_eq!(watched.pace.ahead_ms(), left);
            assert_eq!(watched.pace.is_far_ahead(), left > 10_000);
            assert_eq!(watched.second(), if left == 0 { 1_000 } else { 900 });
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_forward_is_met_by_a_faster_market_or_by_a_jump() {
        let mut watched = Watched::new(1.0);
        watched.set_wall(5);
        for _ in 0..50 {
            assert_eq!(watched.second(), 1_100);
        }
        assert_eq!((watched.second(), watched.pace.ahead_ms()), (1_000, 0));
        for forward in [11, 8 * 3_600, 14 * 86_400, 26 * 366 * 86_400] {
            let next = watched.pace.now;
            watched.set_wall(forward);
            let held = watched.pace.held();
            assert_eq!(watched.second(), forward * 1_000 + 1_000);
            assert_eq!(watched.pace.held(), held.plus_micros(SECOND), "one second has passed");
            assert!(watched.pace.is_too_late(next));
            assert_eq!(watched.pace.ahead_ms(), 0);
        }
    }

    #[test]
    fn a_process_that_was_stopped_catches_up_by_the_bound_at_most() {
        for (speed, stopped, is_too_late) in [(1.0, 8, false), (1.0, 11, true), (10.0, 8, false), (10.0, 11, true)] {
            let mut watched = Watched::new(speed);
            let next = watched.pace.now;
            watched.set_wall(stopped);
            watched.reading.elapsed += Duration::from_secs(stopped.unsigned_abs());
            watched.pace.tick(watched.reading);
            assert_eq!(watched.pace.is_too_late(next), is_too_late);
            assert_eq!(watched.pace.ahead_ms(), 0);
        }
    }
}
