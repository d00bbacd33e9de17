//! `Bucket`: a rate with a burst. What was not used in the last seconds may be used at once, and what was not used while the
//! process stood still, right after that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hub::Pauses;

/// Seconds of unused budget that may be spent at once.
const BURST_SECONDS: f64 = 5.0;
/// What a longer pause brings is no more than what this one does: clients that were silent for longer would have been closed.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// A budget that fills at a rate; see the module.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    saved_max: f64,
    left: f64,
    filled: Instant,
    excuse: Option<Excuse>,
}

/// The pauses of the process, and for how long it had stood still when the bucket was last filled.
#[derive(Debug)]
struct Excuse {
    pauses: Arc<Pauses>,
    known: Duration,
}

impl Bucket {
    /// Returns a budget of which nothing has been used for long.
    pub fn full(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self::saving(per_second, per_second * BURST_SECONDS, now)
    }

    /// Returns a budget of which nothing has been used for long, and so much may be used at once.
    pub fn saving(per_second: f64, saved_max: f64, now: Instant) -> Self {
        Self { per_second, saved_max, left: saved_max, filled: now, excuse: None }
    }

    /// Lets what comes right after a pause of the process be spread over the pause: it has been sent meanwhile.
    #[must_use]
    pub fn excusing(self, pauses: Arc<Pauses>) -> Self {
        let known = pauses.total(self.filled);
        Self { excuse: Some(Excuse { pauses, known }), ..self }
    }

    /// Returns a budget of which everything has just been used.
    pub fn empty(per_second: u32, now: Instant) -> Self {
        Self { left: 0.0, ..Self::full(per_second, now) }
    }

    fn fill(&mut self, now: Instant) {
        let fresh = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.filled = now.max(self.filled);
        let paused = self.excuse.as_mut().map_or(Duration::ZERO, |excuse| {
            let total = excuse.pauses.total(now);
            total.saturating_sub(std::mem::replace(&mut excuse.known, total)).min(PAUSE_MAX)
        });
        // What the last pause has brought is for what comes right after it, and is lost again at the same rate.
        let beyond = (self.left - self.saved_max - fresh).max(0.0);
        self.left = (self.left + fresh).min(self.saved_max + beyond + paused.as_secs_f64() * self.per_second);
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
    fn after_a_pause_of_the_process_as_much_more_is_allowed_as_was_within_it_and_not_for_long() {
        let (start, pauses) = (Instant::now(), Arc::<Pauses>::default());
        let run = |from: Instant, seconds: u64| {
            (0..=seconds * 2)
                .for_each(|look| pauses.look(from + Duration::from_millis(500) * u32::try_from(look).unwrap()));
            from + Duration::from_secs(seconds)
        };
        let now = run(start, 2);
        let bucket = || Bucket::full(10, now).excusing(pauses.clone());
        let (mut early, mut late, mut long) = (bucket(), bucket(), bucket());
        let allowed = |budget: &mut Bucket, now| (0..10_000).filter(|_| budget.spend(1.0, now)).count();
        let after = now + Duration::from_millis(20_500);
        assert_eq!(allowed(&mut early, after), 50 + 200, "before anybody has looked");
        late.spend(1.0, after);
        let later = run(after, 15);
        assert_eq!(allowed(&mut early, after), 0, "once");
        assert_eq!(allowed(&mut late, later), 50 + 199 - 150, "what is not used at once is lost");
        assert_eq!(allowed(&mut long, later + Duration::from_hours(1)), 50 + 600);
        assert_eq!(allowed(&mut Bucket::full(10, after).excusing(pauses.clone()), after), 50, "it was not there");
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
