//! How fast one client may ask: a token bucket.

use std::time::Instant;

/// Seconds of unused budget that a session may spend at once.
const BURST_SECONDS: f64 = 5.0;

/// What a client may still ask for now.
#[derive(Debug)]
pub(super) struct RequestBudget {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl RequestBudget {
    /// Returns a full budget.
    pub(super) fn new(requests_per_second_max: u32, now: Instant) -> Self {
        let per_second = f64::from(requests_per_second_max);
        Self { per_second, tokens: per_second * BURST_SECONDS, filled: now }
    }

    /// Takes one request from the budget; returns false when there is none left.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second * BURST_SECONDS);
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut budget = RequestBudget::new(10, start);
        let allowed = (0..100).filter(|_| budget.spend(start)).count();
        assert_eq!(allowed, 50);
        let later = start + Duration::from_secs(1);
        let allowed = (0..100).filter(|_| budget.spend(later)).count();
        assert_eq!(allowed, 10);
    }
}
