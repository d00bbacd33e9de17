//! `Bucket`: a rate with a burst. What was not used in the last seconds may be used at once.

use std::time::{Duration, Instant};

/// Seconds of unused budget that may be spent at once.
const BURST_SECONDS: f64 = 5.0;

/// A budget that fills at a rate; see the module.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    saved_max: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    /// Returns a budget of which nothing has been used for long.
    pub fn full(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self::saving(per_second, per_second * BURST_SECONDS, now)
    }

    /// Returns a budget of which nothing has been used for long, and so much may be used at once.
    pub fn saving(per_second: f64, saved_max: f64, now: Instant) -> Self {
        Self { per_second, saved_max, left: saved_max, filled: now }
    }

    /// Returns a budget of which everything has just been used.
    pub fn empty(per_second: u32, now: Instant) -> Self {
        Self { left: 0.0, ..Self::full(per_second, now) }
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now.max(self.filled);
        self.left = (self.left + elapsed * self.per_second).min(self.saved_max);
    }

    /// Takes so much when it is there; returns whether it was.
    pub fn spend(&mut self, amount: f64, now: Instant) -> bool {
        self.fill(now);
        let is_there = self.left >= amount;
        if is_there {
            self.left -= amount;
        }
        is_there
    }

    /// Takes so much as far as it is there; returns what is missing.
    pub fn spend_some(&mut self, amount: f64, now: Instant) -> f64 {
        self.fill(now);
        let taken = amount.min(self.left.max(0.0));
        self.left -= taken;
        amount - taken
    }

    /// Takes so much, although it is not there yet.
    pub fn owe(&mut self, amount: f64, now: Instant) {
        self.fill(now);
        self.left -= amount;
    }

    /// Returns when nothing will be owed any more.
    pub fn until_paid(&mut self, now: Instant) -> Duration {
        self.fill(now);
        Duration::try_from_secs_f64(-self.left / self.per_second).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut budget = Bucket::full(10, start);
        let allowed = (0..100).filter(|_| budget.spend(1.0, start)).count();
        assert_eq!(allowed, 50);
        let later = start + Duration::from_secs(1);
        let allowed = (0..100).filter(|_| budget.spend(1.0, later)).count();
        assert_eq!(allowed, 10);
    }

    #[test]
    fn what_is_owed_is_paid_at_the_rate() {
        let start = Instant::now();
        let mut budget = Bucket::empty(10, start);
        assert!((budget.spend_some(5.0, start) - 5.0).abs() < 1e-9);
        assert_eq!(budget.until_paid(start), Duration::ZERO);
        budget.owe(5.0, start);
        assert_eq!(budget.until_paid(start), Duration::from_millis(500));
        assert!((budget.spend_some(7.0, start + Duration::from_secs(1)) - 2.0).abs() < 1e-9);
    }
}
