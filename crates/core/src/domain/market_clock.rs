//! `MarketClock`: what time it is on the market, for those who tell clients.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Reading, Timestamp};

/// The time of the market as its feed has told it last, and its speed; see `docs/PROTOCOL.md`.
#[derive(Debug)]
pub struct MarketClock {
    speed: f64,
    /// A moment by the monotonic clock, and what time it was then on the market.
    told: Mutex<(Duration, Timestamp)>,
}

impl MarketClock {
    /// Returns the clock of a market on which it is `now` when the machine's clocks say `reading`, and that goes on by so many
    /// seconds in a second.
    pub fn new(reading: Reading, now: Timestamp, speed: f64) -> Self {
        Self { speed, told: Mutex::new((reading.elapsed, now)) }
    }

    /// Tells that it is `now` on the market when the machine's clocks say `reading`.
    pub fn set(&self, reading: Reading, now: Timestamp) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = (reading.elapsed, now);
    }

    /// Returns what time it is on the market when the machine's clocks say `reading`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
    pub fn at(&self, reading: Reading) -> Timestamp {
        let (elapsed, now) = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let since = reading.elapsed.saturating_sub(elapsed).as_micros() as f64;
        now.plus_micros((since * self.speed) as i64)
    }

    /// Returns how many seconds of the market there are in a second.
    pub fn speed(&self) -> f64 {
        self.speed
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
    fn the_market_goes_on_at_its_speed_from_what_was_told_last() {
        let at = |seconds| Reading { wall: Timestamp::default(), elapsed: Duration::from_secs(seconds) };
        let clock = MarketClock::new(at(5), Timestamp::from_micros(100), 10.0);
        assert_eq!(clock.at(at(7)), Timestamp::from_micros(20_000_100));
        clock.set(at(7), Timestamp::from_micros(19_000_000));
        assert_eq!(clock.at(at(8)), Timestamp::from_micros(29_000_000));
        assert_eq!(clock.at(at(6)), Timestamp::from_micros(19_000_000));
    }
}
