//! Prices on past days: a motion for the market, each sector and each symbol, known at every full hour.
//!
//! A function of seed and calendar alone, so that every start has the same past: each day has its own random numbers. A
//! motion is pulled back to 0, the level at which the live stream begins (an Ornstein-Uhlenbeck process), so that the
//! distance between the close of any day and the start price is that of a change over one day.

use std::ops::RangeInclusive;

use crate::domain::Interval;
use crate::feed::simulated::market::deviation;
use crate::feed::simulated::noise::{Noise, Stream};

/// Full hours of a day, both midnights included.
pub(super) const HOURS: usize = 25;
/// Days that influence a motion; the weight of earlier days is less than 1e-5.
const MEMORY_DAYS: i64 = 24;
/// The part of the distance from 0 that remains after one day: exp(-1/2). With it the distance of a close from 0 has
/// the standard deviation of one free day.
const KEPT: f64 = 0.606_530_659_712_633_4;

/// The motion of one day at each full hour, in units of a Brownian motion with standard deviation 1 over a year.
pub(super) type Day = [f64; HOURS];

/// The random numbers of a motion on one day.
struct Push {
    /// The change of the close, as a standard normal variate.
    close: f64,
    /// The hours, as standard normal variates.
    hours: [f64; HOURS - 1],
}

impl Push {
    fn new(seed: u64, motion: u32, day: i64) -> Self {
        let mut noise = Noise::new(seed, Stream::PastDay { motion, day });
        Self { close: noise.normal(), hours: std::array::from_fn(|_| noise.normal()) }
    }
}

/// Returns a motion on these days, counted from 1970-01-01; each day begins where the previous one ends.
pub(super) fn days(seed: u64, motion: u32, days: RangeInclusive<i64>) -> Vec<Day> {
    let pushes: Vec<Push> =
        (days.start() - MEMORY_DAYS..=*days.end()).map(|day| Push::new(seed, motion, day)).collect();
    let scale = deviation(Interval::D1.micros()) * (1.0 - KEPT * KEPT).sqrt();
    // The sum always starts with the same day, so that its rounding errors do not depend on the range.
    let memory = usize::try_from(MEMORY_DAYS).unwrap_or(0);
    let closes: Vec<f64> = pushes
        .windows(memory)
        .map(|pushes| scale * pushes.iter().fold(0.0, |sum, push| sum * KEPT + push.close))
        .collect();
    pushes[memory..].iter().zip(closes.windows(2)).map(|(push, ends)| between(push, [ends[0], ends[1]])).collect()
}

/// Returns the day between these two closes: a Brownian bridge.
fn between(push: &Push, [from, to]: [f64; 2]) -> Day {
    let step = deviation(Interval::H1.micros());
    let mut day = [0.0; HOURS];
    for (hour, normal) in push.hours.iter().enumerate() {
        day[hour + 1] = day[hour] + normal * step;
    }
    bridge(&mut day, [from, to]);
    day
}

/// Bends a path with equal steps so that it begins and ends at these values.
pub(super) fn bridge(path: &mut [f64], [from, to]: [f64; 2]) {
    let last = path.len() - 1;
    let (shift, turn) = (from - path[0], to - from - (path[last] - path[0]));
    for (index, value) in path.iter_mut().enumerate() {
        *value += shift + turn * part(index, last);
    }
    // Exactly: the next day continues from the same number.
    (path[0], path[last]) = (from, to);
}

#[expect(clippy::cast_precision_loss, reason = "the number of an hour or a minute")]
fn part(index: usize, of: usize) -> f64 {
    index as f64 / of as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_does_not_depend_on_the_range_of_days_and_continues_the_previous_one() {
        let all = days(42, 7, -3..=300);
        for (index, day) in all.iter().enumerate() {
            let number = i64::try_from(index).unwrap() - 3;
            assert_eq!(days(42, 7, number..=number), [*day]);
        }
        assert!(all.windows(2).all(|pair| pair[0][HOURS - 1].to_bits() == pair[1][0].to_bits()));
        assert_ne!(days(42, 8, 0..=0), days(42, 7, 0..=0));
        assert_ne!(days(43, 7, 0..=0), days(42, 7, 0..=0));
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand days")]
    fn a_close_is_as_far_from_zero_as_a_change_of_one_day_and_hours_move_freely() {
        let all = days(1, 0, 0..=20_000);
        let deviation_of = |values: Vec<f64>| (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
        let closes = deviation_of(all.iter().map(|day| day[0]).collect());
        assert!((closes / deviation(Interval::D1.micros()) - 1.0).abs() < 0.03, "{closes}");
        let hours = all.iter().flat_map(|day| day.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>());
        let hours = deviation_of(hours.collect());
        assert!((hours / deviation(Interval::H1.micros()) - 1.0).abs() < 0.02, "{hours}");
    }
}
