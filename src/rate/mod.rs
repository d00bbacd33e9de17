//! The only rate limiter of the server, for requests, frames, work, writes and turns; and the network by which an address is counted.
//!
//! `RateLimiter` is the generic cell rate algorithm (ITU-T I.371, annex A), which stores one moment per limit instead
//! of a count of tokens and a time. The caller decides what happens to a client over its limit.

mod network;
mod pauses;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use network::network_of;
pub use pauses::{LOOK_INTERVAL_MAX, Pauses};

const SECOND: Duration = Duration::from_secs(1);
/// Limits per second are averages over so many seconds: a client that was quiet for as long may use all of it at once.
const BURST_SECONDS: u32 = 5;

/// Allows a number of cells (requests, frames, units of work) per period, and a burst of them after a quiet time.
#[derive(Debug)]
pub struct RateLimiter {
    cells: u32,
    /// In microseconds: every session has several limiters.
    period_us: u32,
    /// The periods whose cells may be used at once.
    burst_periods: u32,
    /// The theoretical arrival time: the cells allowed so far use up the limit until then.
    used_until: Instant,
    pauses: Option<Arc<Pauses>>,
}

impl RateLimiter {
    /// Returns a limiter that allows `cells` per second, at least 1, on average over five seconds. The burst is unused.
    pub fn per_second(cells: u32, now: Instant) -> Self {
        Self { cells: cells.max(1), burst_periods: BURST_SECONDS, ..Self::every(SECOND, 1, now) }
    }

    /// Returns a limiter that allows one cell per `period`, and `burst_cells` at once after a quiet time. The period is at most an
    /// hour, in whole microseconds.
    pub fn every(period: Duration, burst_cells: u32, now: Instant) -> Self {
        let period_us = u32::try_from(period.as_micros()).unwrap_or(u32::MAX);
        Self { cells: 1, period_us, burst_periods: burst_cells, used_until: now, pauses: None }
    }

    /// Allows `cells` per period from now on, at least 1. The cells that were used remain used.
    pub fn set_cells(&mut self, cells: u32, now: Instant) {
        let cells = cells.max(1);
        if cells != self.cells {
            let used = self.used_until.saturating_duration_since(now).min(Duration::from_secs(u32::MAX.into()));
            self.used_until = now + used * self.cells / cells;
            self.cells = cells;
        }
    }

    /// Marks the burst as used: the first cells are allowed after some time.
    #[must_use]
    pub fn used_up(self) -> Self {
        Self { used_until: self.used_until + self.burst(), ..self }
    }

    /// Adds the length of a pause of the process to the burst right after the pause. Without this, a client whose messages
    /// piled up in its socket while the process was stopped would be over its limit.
    #[must_use]
    pub fn with_pauses(self, pauses: Arc<Pauses>) -> Self {
        Self { pauses: Some(pauses), ..self }
    }

    /// Uses `cells` if all of them are allowed now; returns whether they are.
    pub fn allow(&mut self, cells: u32, now: Instant) -> bool {
        self.take_if(cells, now, |cost, room| cost <= room) == 0
    }

    /// Uses as many of `cells` as are allowed now; returns the number of the others, rounded up.
    pub fn take(&mut self, cells: u32, now: Instant) -> u32 {
        self.take_if(cells, now, |_, _| true)
    }

    /// Uses `cells` although they may not be allowed yet: [`wait`](Self::wait) then returns for how long they are owed.
    pub fn charge(&mut self, cells: u32, now: Instant) {
        self.used_until = self.unused_since(now) + self.cost(cells);
    }

    /// Returns in what time `cells` will be allowed, if nothing else is used until then. For 0 cells: until nothing is owed.
    pub fn wait(&self, cells: u32, now: Instant) -> Duration {
        (self.unused_since(now) + self.cost(cells)).saturating_duration_since(now + self.burst())
    }

    /// Returns whether nothing is used of the limit, as if it were new.
    pub fn is_unused(&self, now: Instant) -> bool {
        self.used_until <= now
    }

    fn take_if(&mut self, cells: u32, now: Instant, is_enough: impl FnOnce(Duration, Duration) -> bool) -> u32 {
        let since = self.unused_since(now);
        let (cost, room) = (self.cost(cells), (now + self.burst()).saturating_duration_since(since));
        if !is_enough(cost, room) {
            return cells;
        }
        self.used_until = since + cost.min(room);
        if cost <= room {
            return 0;
        }
        self.cells_in(cost.saturating_sub(room)).min(cells)
    }

    /// Returns the moment since which the limit is unused. Unused time beyond the burst is lost, except that of a pause
    /// of the process.
    fn unused_since(&self, now: Instant) -> Instant {
        let credit = self.pauses.as_ref().map_or(Duration::ZERO, |pauses| pauses.credit(now));
        self.used_until.max(now.checked_sub(credit).unwrap_or(now))
    }

    const fn period(&self) -> Duration {
        Duration::from_micros(self.period_us as u64)
    }

    /// Returns the time whose cells may be used at once.
    fn burst(&self) -> Duration {
        self.period() * self.burst_periods
    }

    fn cost(&self, cells: u32) -> Duration {
        self.period() * cells / self.cells
    }

    fn cells_in(&self, time: Duration) -> u32 {
        let cells = (time.as_nanos() * u128::from(self.cells)).div_ceil(self.period().as_nanos().max(1));
        u32::try_from(cells).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_millis(20);

    /// A token bucket in integers that never round: it fills by `cells` each nanosecond, and a cell takes `period_ns` tokens.
    struct Tokens {
        cells: i128,
        period_ns: i128,
        most: i128,
        left: i128,
    }

    impl Tokens {
        fn fill(&mut self, passed: Duration) {
            let passed = i128::try_from(passed.as_nanos()).unwrap();
            self.left = (self.left + passed * self.cells).min(self.most);
        }
    }

    proptest! {
        /// The limiter decides like a token bucket, whatever the calls and their times. (Per-second rates that divide a
        /// nanosecond evenly, so that the limiter does not round either.)
        #[test]
        fn it_is_a_token_bucket(
            rate in prop::sample::select(vec![1_u32, 2, 5, 8, 10, 1_000, 200_000, 1_000_000_000]),
            steps in prop::collection::vec((0_u64..3_000_000, 0_u32..3, 0_u32..100), 1..200),
        ) {
            let mut now = Instant::now();
            let mut limiter = RateLimiter::per_second(rate, now);
            let most = i128::from(rate) * 5_000_000_000;
            let mut tokens = Tokens { cells: i128::from(rate), period_ns: 1_000_000_000, most, left: most };
            for (micros, how, tenths) in steps {
                let passed = Duration::from_micros(micros);
                now += passed;
                tokens.fill(passed);
                let cells = u32::try_from(u64::from(rate) * u64::from(tenths) / 10).unwrap_or(u32::MAX);
                let cost = i128::from(cells) * tokens.period_ns;
                let there = tokens.left.max(0);
                match how {
                    0 => {
                        prop_assert_eq!(limiter.allow(cells, now), cost <= there || cost == 0);
                        tokens.left -= if cost <= there { cost } else { 0 };
                    }
                    1 => {
                        let missing = (cost - there).max(0);
                        prop_assert_eq!(i128::from(limiter.take(cells, now)), (missing + tokens.period_ns - 1) / tokens.period_ns);
                        tokens.left -= cost - missing;
                    }
                    _ => {
                        limiter.charge(cells, now);
                        tokens.left -= cost;
                    }
                }
                let wait_ns = (-tokens.left).max(0) / tokens.cells;
                prop_assert_eq!(limiter.wait(0, now).as_nanos(), u128::try_from(wait_ns).unwrap());
            }
        }

        /// A change of the rate takes nothing and gives at most a cell, which is a nanosecond at the highest rate.
        #[test]
        fn what_was_used_remains_used_when_the_rate_changes(
            rates in prop::collection::vec(1_u32..=1_000_000_000, 1..20), used in 1_u32..1_000,
        ) {
            let (now, changes) = (Instant::now(), rates.len() + 1);
            let mut limiter = RateLimiter::per_second(1_000, now);
            limiter.charge(5_000 + used, now);
            for rate in rates.into_iter().chain([1_000]) {
                limiter.set_cells(rate, now);
            }
            let (owed, most) = (limiter.wait(0, now).as_micros(), u128::from(used) * 1_000);
            prop_assert!(owed <= most && owed + 1_000 * changes as u128 >= most, "{owed}");
        }

        /// However rates are rounded, no stretch of time has more cells than the rate and one burst, but for a
        /// nanosecond each.
        #[test]
        fn no_stretch_of_time_has_more_than_the_rate_and_one_burst(
            rate in 1_u32..2_000,
            gaps in prop::collection::vec(0_u64..2_000_000, 1..200),
        ) {
            let mut now = Instant::now();
            let mut limiter = RateLimiter::per_second(rate, now);
            let mut allowed: Vec<(Instant, u32)> = Vec::new();
            for gap in gaps {
                now += Duration::from_micros(gap);
                allowed.push((now, 2 * rate - limiter.take(2 * rate, now)));
            }
            for (from, (first, _)) in allowed.iter().enumerate() {
                let mut sum = 0;
                for (last, cells) in &allowed[from..] {
                    sum += cells;
                    let least = (SECOND * sum / rate).saturating_sub(Duration::from_nanos(u64::from(sum)));
                    prop_assert!(least <= SECOND * BURST_SECONDS + (*last - *first), "{sum} at {rate}/s");
                }
            }
        }

        /// With any gaps between events and any delays of writes, no stretch of time has more writes than its
        /// windows and one burst, and an event waits for at most one window.
        #[test]
        fn writes_keep_to_the_rate_and_events_wait_for_at_most_one_window(
            gaps in prop::collection::vec(0u64..60_000, 1..200),
            late in prop::collection::vec(0u64..3_000, 200),
            burst in 1u32..5,
        ) {
            let start = Instant::now();
            let (mut limiter, mut next, mut event) = (RateLimiter::every(WINDOW, burst, start), start, start);
            let mut writes: Vec<Instant> = Vec::new();
            for (gap, late) in gaps.iter().zip(late) {
                event += Duration::from_micros(*gap);
                if writes.last().is_some_and(|last| *last >= event) {
                    // The last write included the event.
                    continue;
                }
                prop_assert!(next <= event + WINDOW, "it would wait for more than a window");
                let now = event.max(next) + Duration::from_micros(late);
                limiter.take(1, now);
                next = now + limiter.wait(1, now);
                writes.push(now);
            }
            for (from, first) in writes.iter().enumerate() {
                for (count, last) in (1u32..).zip(&writes[from..]) {
                    prop_assert!(count <= burst || *last - *first >= WINDOW * (count - burst), "{writes:?}");
                }
            }
        }
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate_holds() {
        let start = Instant::now();
        for rate in [10, 7] {
            let mut limiter = RateLimiter::per_second(rate, start);
            let allowed = |limiter: &mut RateLimiter, now| (0..100).filter(|_| limiter.allow(1, now)).count();
            assert_eq!(allowed(&mut limiter, start), 5 * rate as usize);
            assert_eq!(allowed(&mut limiter, start + SECOND), rate as usize);
        }
    }

    #[test]
    fn after_a_pause_of_the_process_cells_of_its_length_are_allowed_for_a_short_time() {
        let (start, pauses) = (Instant::now(), Arc::<Pauses>::default());
        let run = |from: Instant, seconds: u64| {
            (0..=seconds * 2)
                .for_each(|look| pauses.look(from + Duration::from_millis(500) * u32::try_from(look).unwrap()));
            from + Duration::from_secs(seconds)
        };
        let now = run(start, 2);
        let limiter = || RateLimiter::per_second(10, now).with_pauses(pauses.clone());
        let (mut early, mut late, mut long) = (limiter(), limiter(), limiter());
        let allowed = |limiter: &mut RateLimiter, now| (0..10_000).filter(|_| limiter.allow(1, now)).count();
        let after = now + Duration::from_millis(20_500);
        assert_eq!(allowed(&mut early, after), 50 + 200, "before the next look");
        late.charge(1, after);
        let later = run(after, 15);
        assert_eq!(allowed(&mut early, after), 0, "once");
        assert_eq!(allowed(&mut late, later), 50 + 200 - 150, "time that passes unused is lost");
        assert_eq!(allowed(&mut long, later + Duration::from_hours(1)), 50 + 600);
        let fresh = &mut RateLimiter::per_second(10, after).with_pauses(pauses.clone());
        assert_eq!(allowed(fresh, after), 50, "it began after the pause");
    }

    #[test]
    fn cells_that_are_owed_are_waited_for() {
        let start = Instant::now();
        let mut limiter = RateLimiter::per_second(10, start).used_up();
        assert_eq!(limiter.take(5, start), 5);
        assert_eq!(limiter.wait(0, start), Duration::ZERO);
        limiter.charge(5, start);
        assert_eq!(limiter.take(1, start), 1, "a debt is not forgiven");
        assert_eq!(limiter.wait(0, start), Duration::from_millis(500));
        assert_eq!(limiter.take(7, start + SECOND), 2);
    }

    #[test]
    fn writes_over_the_rate_do_not_delay_later_ones_for_long() {
        let mut now = Instant::now();
        let mut limiter = RateLimiter::every(WINDOW, 2, now);
        for _ in 0..1_000 {
            limiter.take(1, now);
        }
        assert_eq!(limiter.wait(1, now), WINDOW);
        for _ in 0..3 {
            now += Duration::from_mins(1);
            let waits = [(); 2].map(|()| {
                limiter.take(1, now);
                limiter.wait(1, now)
            });
            assert_eq!(waits, [Duration::ZERO, WINDOW], "after a quiet time the burst goes at once");
        }
    }
}
