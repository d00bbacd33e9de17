//! `MarketClock`: the present time of the market, for messages to clients.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Reading, Timestamp};

/// The time of the market, extrapolated from the time that the feed set last; see `docs/PROTOCOL.md`.
#[derive(Debug)]
pub struct MarketClock {
    /// The last time set: monotonic clock, the market's time at that moment, and its speed.
    told: Mutex<(Duration, Timestamp, f64)>,
}

impl MarketClock {
    /// Returns a clock that shows `now` at the reading `reading`, and advances by `speed` seconds per second.
    pub fn new(reading: Reading, now: Timestamp, speed: f64) -> Self {
        Self { told: Mutex::new((reading.elapsed, now, speed)) }
    }

    /// Sets the market's time to `now` at the reading `reading`, and its speed from then on.
    pub fn set(&self, reading: Reading, now: Timestamp, speed: f64) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = (reading.elapsed, now, speed);
    }

    /// Returns the market's time at the reading `reading`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
    pub fn at(&self, reading: Reading) -> Timestamp {
        let (elapsed, now, speed) = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let since = reading.elapsed.saturating_sub(elapsed).as_micros() as f64;
        now.plus_micros((since * speed) as i64)
    }

    /// Returns how many seconds the market's time advances per second; 0 if it stands still, or if only events move it.
    pub fn speed(&self) -> f64 {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).2
    }
}

impl Default for MarketClock {
    fn default() -> Self {
        Self::new(Reading::default(), Timestamp::default(), 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_time_advances_at_its_speed_from_the_time_set_last() {
        let at = |seconds| Reading { wall: Timestamp::default(), elapsed: Duration::from_secs(seconds) };
        let clock = MarketClock::new(at(5), Timestamp::from_micros(100), 10.0);
        assert_eq!(clock.at(at(7)), Timestamp::from_micros(20_000_100));
        clock.set(at(7), Timestamp::from_micros(19_000_000), 10.0);
        assert_eq!(clock.at(at(8)), Timestamp::from_micros(29_000_000));
        assert_eq!(clock.at(at(6)), Timestamp::from_micros(19_000_000));
    }
}
