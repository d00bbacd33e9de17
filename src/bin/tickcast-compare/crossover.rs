//! Where polling is as cheap as a WebSocket: computed from the samples, between them on a straight line in the logarithm of
//! the rate.

use crate::result::Sample;

/// The part of one core by which 1,000 clients may cost more than those of a WebSocket and still be called as cheap.
pub(crate) const CPU_OF_1000_CLIENTS: f64 = 0.01;

/// The ratio to a WebSocket up to which a transport is called as cheap: what two runs differ by is below it.
pub(crate) const AS_CHEAP: f64 = 1.1;

/// On which side of a limit the measured values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Crossing {
    /// All of them are within it.
    Always,
    /// None is.
    Never,
    /// They are within it up to this rate.
    UpTo(f64),
    /// They are within it from this rate on.
    From(f64),
    /// They go in and out, and are within it at the first rate or not: no single number tells.
    Mixed,
}

/// Returns where values by rate, in ascending order, pass `limit`; at most `limit` is within it.
pub(crate) fn crossing(points: &[(f64, f64)], limit: f64) -> Crossing {
    let within = |point: &(f64, f64)| point.1 <= limit;
    let changes: Vec<_> = points.windows(2).filter(|pair| within(&pair[0]) != within(&pair[1])).collect();
    match (changes.as_slice(), points.first().is_some_and(within)) {
        ([], true) => Crossing::Always,
        ([], false) => Crossing::Never,
        ([pair], first) => {
            let [(rate, value), (next_rate, next_value)] = [pair[0], pair[1]];
            let share = (limit - value) / (next_value - value);
            let at = (rate.ln() + share * (next_rate.ln() - rate.ln())).exp();
            if first { Crossing::UpTo(at) } else { Crossing::From(at) }
        }
        _ => Crossing::Mixed,
    }
}

impl Crossing {
    /// Returns when it is so, in words.
    pub(crate) fn words(self, rates: (f64, f64)) -> String {
        match self {
            Self::Always => format!("at every rate measured ({} to {} events/s)", rates.0, rates.1),
            Self::Never => format!("at no rate measured ({} to {} events/s)", rates.0, rates.1),
            Self::UpTo(rate) => format!("up to about {} events/s", significant(rate)),
            Self::From(rate) => format!("from about {} events/s on", significant(rate)),
            Self::Mixed => "at some rates and not at others".into(),
        }
    }
}

/// Returns a number with two significant digits, or without fraction.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.01 => format!("{value:.4}"),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 1.0 => format!("{value:.2}"),
        size if size < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Pairs the samples of a transport with those of the WebSocket at as many clients, by rate.
pub(crate) fn pairs<'a>(samples: &'a [Sample], transport: &str, clients: usize) -> Vec<(&'a Sample, &'a Sample)> {
    let of = |name: &str| {
        samples.iter().filter(|sample| sample.clients == clients && sample.result.transport == name).collect::<Vec<_>>()
    };
    let sockets = of("WebSocket");
    let beside = |sample: &'a Sample| sockets.iter().find(|socket| socket.rate.total_cmp(&sample.rate).is_eq());
    let mut found: Vec<_> = of(transport).into_iter().filter_map(|sample| Some((sample, *beside(sample)?))).collect();
    found.sort_by(|a, b| a.0.rate.total_cmp(&b.0.rate));
    found
}

/// Returns the ratio of a figure to the WebSocket's, by rate.
pub(crate) fn ratios(pairs: &[(&Sample, &Sample)], figure: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    pairs.iter().map(|(sample, socket)| (sample.rate, figure(sample) / figure(socket).max(f64::MIN_POSITIVE))).collect()
}

/// Returns the part of one core that 1,000 clients cost more than those of a WebSocket, by rate.
pub(crate) fn cpu_more(pairs: &[(&Sample, &Sample)]) -> Vec<(f64, f64)> {
    let of = |sample: &Sample| sample.server_cpu() * 1e3 / sample.clients.max(1) as f64;
    pairs.iter().map(|(sample, socket)| (sample.rate, of(sample) - of(socket))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossing_is_between_the_rates_that_it_divides() {
        assert_eq!(crossing(&[(1.0, 5.0), (10.0, 3.0), (100.0, 2.0)], 1.0), Crossing::Never);
        assert_eq!(crossing(&[(1.0, 0.5), (10.0, 1.0)], 1.0), Crossing::Always);
        let Crossing::From(rate) = crossing(&[(1.0, 3.0), (10.0, 2.0), (1_000.0, 0.0)], 1.0) else { panic!() };
        assert!((rate - 100.0).abs() < 1e-9, "half the way from 10 to 1000 by logarithm: {rate}");
        let Crossing::UpTo(rate) = crossing(&[(0.1, 0.0), (10.0, 0.02)], 0.01) else { panic!() };
        assert!((rate - 1.0).abs() < 1e-9, "{rate}");
        assert_eq!(crossing(&[(1.0, 2.0), (2.0, 0.0), (3.0, 2.0)], 1.0), Crossing::Mixed);
        assert_eq!(Crossing::UpTo(0.123).words((0.1, 1.0)), "up to about 0.12 events/s");
    }
}
