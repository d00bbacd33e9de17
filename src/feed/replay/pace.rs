//! The time of a replay: it follows the monotonic clock at a speed, stands still when it is paused, and owes nothing: after a process
//! was stopped for a while it goes on where it was.

use std::time::Duration;

use crate::domain::Timestamp;

/// The time of the market of a replay.
#[derive(Debug)]
pub(super) struct ReplayPace {
    /// Seconds of the market per second of the clock; 0 for as fast as the receivers take the events.
    speed: f64,
    is_paused: bool,
    /// Most time of the clock that one tick can bring: a longer one means that the process was stopped.
    tick_max: Duration,
    /// The monotonic clock at the last tick.
    elapsed: Duration,
    now: Timestamp,
    /// The part of a microsecond that was left over.
    rest: f64,
}

impl ReplayPace {
    pub(super) fn new(now: Timestamp, elapsed: Duration, speed: f64, is_paused: bool, tick_max: Duration) -> Self {
        Self { speed, is_paused, tick_max, elapsed, now, rest: 0.0 }
    }

    /// Lets the time pass until the clock is at `elapsed`, but not beyond `end`.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "microseconds of a tick")]
    pub(super) fn tick(&mut self, elapsed: Duration, end: Timestamp) {
        let passed = elapsed.saturating_sub(self.elapsed).min(self.tick_max);
        self.elapsed = self.elapsed.max(elapsed);
        if self.is_paused || self.is_unpaced() {
            return;
        }
        // In nanoseconds: if each tick of a millisecond were rounded down to a microsecond, a second would take half a millisecond longer.
        let micros = passed.as_nanos() as f64 / 1_000.0 * self.speed + self.rest;
        self.rest = micros.fract();
        self.now = self.now.plus_micros(micros as i64).min(end.max(self.now));
    }

    /// Lets the clock go on until it is at `elapsed`, and the time stand still.
    pub(super) fn hold(&mut self, elapsed: Duration) {
        self.elapsed = self.elapsed.max(elapsed);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the time on to that of an event.
    pub(super) fn reach(&mut self, ts: Timestamp) {
        self.now = self.now.max(ts);
    }

    /// Goes back to the time of the last event that was returned, or to `settled`, if that is later: further events have not been read yet.
    pub(super) fn wait(&mut self, last: Timestamp, settled: Timestamp) {
        self.now = self.now.min(last.max(settled));
    }

    /// Goes to another time.
    pub(super) fn jump(&mut self, ts: Timestamp) {
        (self.now, self.rest) = (ts, 0.0);
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    pub(super) fn set_speed(&mut self, speed: f64) {
        self.speed = speed;
    }

    pub(super) fn is_unpaced(&self) -> bool {
        self.speed == 0.0
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(super) fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_micros(i64::MAX);

    #[test]
    fn the_time_follows_the_clock_at_a_speed_and_stands_still_when_paused() {
        let mut pace =
            ReplayPace::new(Timestamp::from_micros(100), Duration::ZERO, 10.0, false, Duration::from_secs(1));
        let at = |pace: &mut ReplayPace, ms| {
            pace.tick(Duration::from_millis(ms), END);
            pace.now().micros()
        };
        assert_eq!(at(&mut pace, 5), 50_100);
        pace.set_paused(true);
        assert_eq!(at(&mut pace, 9), 50_100);
        pace.set_paused(false);
        pace.set_speed(0.01);
        assert_eq!(at(&mut pace, 10), 50_110, "the pause does not count");
        pace.set_speed(1_000.0);
        assert_eq!(at(&mut pace, 60_010), 1_000_050_110, "a process that was stopped goes on where it was");
    }

    #[test]
    fn the_time_waits_for_who_cannot_follow() {
        let mut pace = ReplayPace::new(Timestamp::default(), Duration::ZERO, 10.0, false, Duration::from_secs(1));
        pace.tick(Duration::from_millis(1), END);
        pace.hold(Duration::from_millis(900));
        pace.tick(Duration::from_millis(901), END);
        assert_eq!(pace.now().micros(), 20_000);
    }

    #[test]
    fn the_time_does_not_pass_events_that_have_not_been_read() {
        let mut pace = ReplayPace::new(Timestamp::default(), Duration::ZERO, 1.0, false, Duration::from_secs(1));
        pace.tick(Duration::from_millis(900), END);
        pace.wait(Timestamp::from_micros(400_000), Timestamp::from_micros(300_000));
        assert_eq!(pace.now().micros(), 400_000);
        pace.wait(Timestamp::from_micros(100_000), Timestamp::from_micros(400_000));
        assert_eq!(pace.now().micros(), 400_000, "never before a time up to which everything has been returned");
    }

    #[test]
    fn many_short_ticks_are_one_long_one() {
        let mut pace = ReplayPace::new(Timestamp::default(), Duration::ZERO, 0.3, false, Duration::from_secs(1));
        for micros in 1..=10_000 {
            pace.tick(Duration::from_micros(micros), END);
        }
        assert!((2_999..=3_000).contains(&pace.now().micros()), "{}", pace.now().micros());
    }

    #[test]
    fn the_nanoseconds_of_the_clock_are_not_lost() {
        let mut pace = ReplayPace::new(Timestamp::default(), Duration::ZERO, 1.0, false, Duration::from_secs(1));
        for tick in 1..=10_000 {
            pace.tick(Duration::from_nanos(tick * 1_000_999), END);
        }
        assert!((10_009_989..=10_009_990).contains(&pace.now().micros()), "{}", pace.now().micros());
    }

    #[test]
    fn the_time_ends_at_the_end() {
        let mut pace = ReplayPace::new(Timestamp::default(), Duration::ZERO, 1.0, false, Duration::from_secs(1));
        pace.tick(Duration::from_millis(10), Timestamp::from_micros(5_000));
        assert_eq!(pace.now().micros(), 5_000);
    }
}
