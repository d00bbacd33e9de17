//! Where a transport is as cheap as a WebSocket: computed from the samples, between them on a straight line in the logarithm of
//! the rate. What cannot be told is left out and named: figures below the noise, rows in which a CPU was full.

use std::fmt::Write;

use crate::result::{Comparison, Sample};

/// The part of one core by which 1,000 clients may cost more than those of a WebSocket and still be called as cheap.
pub(crate) const CPU_OF_1000_CLIENTS: f64 = 0.01;

/// The ratio to a WebSocket up to which a transport is called as cheap.
pub(crate) const AS_CHEAP: f64 = 1.1;

/// What one rate says about a figure beside WebSocket's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// This: at most the limit is as cheap.
    Value(f64),
    /// Nothing: idle servers differ by more.
    Noise,
    /// Nothing: a CPU was at its limit.
    Full,
}

/// On which side of a limit the measured values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Crossing {
    /// All of them are within it.
    Always,
    /// None is.
    Never,
    /// They are within it up to about the first rate, which lies between these two that were measured.
    UpTo(f64, (f64, f64)),
    /// They are within it from about the first rate on, which lies between these two that were measured.
    From(f64, (f64, f64)),
    /// They go in and out: no single number tells.
    Mixed,
    /// There are none.
    Untold,
}

/// Where a figure is as cheap as WebSocket's, and at which rates that cannot be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) crossing: Crossing,
    /// The rates that tell, in ascending order.
    told: Vec<f64>,
    noise: Vec<f64>,
    full: Vec<f64>,
}

impl Verdict {
    /// Returns where readings by rate, in ascending order, pass `limit`; at most `limit` is within it.
    pub(crate) fn new(readings: &[(f64, Reading)], limit: f64) -> Self {
        let at = |wanted: Reading| {
            readings.iter().filter(move |(_, reading)| *reading == wanted).map(|(rate, _)| *rate).collect::<Vec<_>>()
        };
        let points: Vec<_> = readings
            .iter()
            .filter_map(|(rate, reading)| match reading {
                Reading::Value(value) => Some((*rate, *value)),
                _ => None,
            })
            .collect();
        let told = points.iter().map(|(rate, _)| *rate).collect();
        Self { crossing: crossing(&points, limit), told, noise: at(Reading::Noise), full: at(Reading::Full) }
    }

    /// Returns whether it is as cheap at this rate; `None` when that cannot be told.
    pub(crate) fn is_cheap_at(&self, rate: f64) -> Option<bool> {
        let is_told = self.told.iter().any(|told| told.total_cmp(&rate).is_eq());
        match self.crossing {
            _ if !is_told => None,
            Crossing::Always => Some(true),
            Crossing::Never => Some(false),
            Crossing::UpTo(_, (last, _)) => Some(rate <= last),
            Crossing::From(_, (_, first)) => Some(rate >= first),
            Crossing::Mixed | Crossing::Untold => None,
        }
    }

    /// Returns when it is as cheap, in words.
    pub(crate) fn words(&self) -> String {
        let mut text = match self.crossing {
            Crossing::Always if self.told.len() == 1 => format!("at {}", rates(&self.told)),
            Crossing::Always => format!("at each of {}", rates(&self.told)),
            Crossing::Never if self.told.len() == 1 => format!("not at {}", rates(&self.told)),
            Crossing::Never => format!("at none of {}", rates(&self.told)),
            Crossing::UpTo(rate, (last, next)) => {
                format!("up to about {} events/s (yes at {last}, no at {next})", significant(rate))
            }
            Crossing::From(rate, (last, first)) => {
                format!("from about {} events/s on (no at {last}, yes at {first})", significant(rate))
            }
            Crossing::Mixed => format!("at some of {} and not at others", rates(&self.told)),
            Crossing::Untold => "no verdict".into(),
        };
        for (without, why) in [(&self.noise, "within what idle servers differ by"), (&self.full, "a CPU was full")] {
            if !without.is_empty() {
                let _ = write!(text, "; not told at {} ({why})", rates(without));
            }
        }
        text
    }
}

/// Returns rates, in words.
fn rates(rates: &[f64]) -> String {
    let names: Vec<_> = rates.iter().map(f64::to_string).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} events/s"),
        Some((last, rest)) => format!("{} and {last} events/s", rest.join(", ")),
        None => "none".into(),
    }
}

fn crossing(points: &[(f64, f64)], limit: f64) -> Crossing {
    let within = |point: &(f64, f64)| point.1 <= limit;
    let Some(first) = points.first().map(within) else { return Crossing::Untold };
    let changes: Vec<_> = points.windows(2).filter(|pair| within(&pair[0]) != within(&pair[1])).collect();
    match changes.as_slice() {
        [] if first => Crossing::Always,
        [] => Crossing::Never,
        [pair] => {
            let [(rate, value), (next_rate, next_value)] = [pair[0], pair[1]];
            let share = (limit - value) / (next_value - value);
            let at = (rate.ln() + share * (next_rate.ln() - rate.ln())).exp();
            if first { Crossing::UpTo(at, (rate, next_rate)) } else { Crossing::From(at, (rate, next_rate)) }
        }
        _ => Crossing::Mixed,
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

/// Returns what each pair reads as; one with a full CPU says nothing.
fn readings(pairs: &[(&Sample, &Sample)], reading: impl Fn(&Sample, &Sample) -> Option<f64>) -> Vec<(f64, Reading)> {
    let of = |(sample, socket): &(&Sample, &Sample)| {
        let reading = match reading(sample, socket) {
            _ if sample.is_full() || socket.is_full() => Reading::Full,
            Some(value) => Reading::Value(value),
            None => Reading::Noise,
        };
        (sample.rate, reading)
    };
    pairs.iter().map(of).collect()
}

/// Returns where a transport has as few bytes for each event as WebSocket.
pub(crate) fn bytes(pairs: &[(&Sample, &Sample)]) -> Verdict {
    let ratio = |sample: &Sample, socket: &Sample| {
        Some(sample.bytes_per_event() / socket.bytes_per_event().max(f64::MIN_POSITIVE))
    };
    Verdict::new(&readings(pairs, ratio), AS_CHEAP)
}

/// Returns where a transport has as little net CPU for each event as WebSocket.
pub(crate) fn cpu(comparison: &Comparison, pairs: &[(&Sample, &Sample)]) -> Verdict {
    Verdict::new(&readings(pairs, |sample, socket| cpu_ratio(comparison, sample, socket)), AS_CHEAP)
}

/// Returns how many times the WebSocket's net CPU for each event this is. What is less than idle servers differ by counts as
/// that much; `None` when both are, or when the limit of what is as cheap is nearer than that.
fn cpu_ratio(comparison: &Comparison, sample: &Sample, socket: &Sample) -> Option<f64> {
    let [net, net_of_socket] = [comparison.net(sample)?, comparison.net(socket)?].map(|net| net.cpu.max(net.spread));
    // On the scale of this sample, which may have had other events.
    let beside = net_of_socket * sample.result.events as f64 / socket.result.events.max(1) as f64;
    let spread = comparison.net(sample)?.spread;
    ((net - beside * AS_CHEAP).abs() > spread).then_some(net / beside)
}

/// Returns where 1,000 clients of a transport cost at most [`CPU_OF_1000_CLIENTS`] more than those of a WebSocket.
pub(crate) fn cpu_more(comparison: &Comparison, pairs: &[(&Sample, &Sample)]) -> Verdict {
    let more = |sample: &Sample, socket: &Sample| {
        let spread = comparison.net(sample)?.spread;
        let of_1000 = 1e3 / sample.clients.max(1) as f64;
        let more = (sample.server_cpu() - socket.server_cpu()) * of_1000;
        ((more - CPU_OF_1000_CLIENTS).abs() > spread * of_1000).then_some(more)
    };
    Verdict::new(&readings(pairs, more), CPU_OF_1000_CLIENTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{comparison, sample};
    use crate::idle::Idle;

    fn verdict(points: &[(f64, f64)], limit: f64) -> Verdict {
        Verdict::new(&points.iter().map(|(rate, value)| (*rate, Reading::Value(*value))).collect::<Vec<_>>(), limit)
    }

    #[test]
    fn the_crossing_is_between_the_rates_that_it_divides() {
        assert_eq!(verdict(&[(1.0, 5.0), (10.0, 3.0), (100.0, 2.0)], 1.0).crossing, Crossing::Never);
        assert_eq!(verdict(&[(1.0, 0.5), (10.0, 1.0)], 1.0).crossing, Crossing::Always);
        let Crossing::From(rate, between) = verdict(&[(1.0, 3.0), (10.0, 2.0), (1_000.0, 0.0)], 1.0).crossing else {
            panic!()
        };
        assert!((rate - 100.0).abs() < 1e-9, "half the way from 10 to 1000 by logarithm: {rate}");
        assert_eq!(between, (10.0, 1_000.0));
        let Crossing::UpTo(rate, _) = verdict(&[(0.1, 0.0), (10.0, 0.02)], 0.01).crossing else { panic!() };
        assert!((rate - 1.0).abs() < 1e-9, "{rate}");
        assert_eq!(verdict(&[(1.0, 2.0), (2.0, 0.0), (3.0, 2.0)], 1.0).crossing, Crossing::Mixed);
        assert_eq!(verdict(&[], 1.0).crossing, Crossing::Untold);
    }

    #[test]
    fn the_words_say_what_was_measured_and_what_was_not_told() {
        let readings = |list: &[(f64, Reading)]| Verdict::new(list, 1.1).words();
        assert_eq!(
            readings(&[
                (0.1, Reading::Noise),
                (1.0, Reading::Value(1.0)),
                (100.0, Reading::Value(1.2)),
                (1_000.0, Reading::Full)
            ]),
            "up to about 10 events/s (yes at 1, no at 100); not told at 0.1 events/s (within what idle servers differ by); \
             not told at 1000 events/s (a CPU was full)"
        );
        assert_eq!(
            readings(&[(1.0, Reading::Value(3.0)), (10.0, Reading::Value(0.5))]),
            "from about 5.8 events/s on (no at 1, yes at 10)"
        );
        assert_eq!(readings(&[(1.0, Reading::Value(1.1))]), "at 1 events/s");
        assert_eq!(
            readings(&[(1.0, Reading::Value(2.0)), (5.0, Reading::Value(2.0)), (9.0, Reading::Value(2.0))]),
            "at none of 1, 5 and 9 events/s"
        );
        assert!(readings(&[(1.0, Reading::Full)]).starts_with("no verdict; not told at 1 events/s"));
    }

    #[test]
    fn a_verdict_at_one_rate_is_that_of_the_crossing() {
        let up_to = verdict(&[(1.0, 1.0), (10.0, 2.0)], 1.1);
        assert_eq!([1.0, 10.0, 5.0].map(|rate| up_to.is_cheap_at(rate)), [Some(true), Some(false), None]);
        let from = verdict(&[(1.0, 2.0), (10.0, 1.0)], 1.1);
        assert_eq!([1.0, 10.0].map(|rate| from.is_cheap_at(rate)), [Some(false), Some(true)]);
        assert_eq!(verdict(&[], 1.1).is_cheap_at(1.0), None);
    }

    /// Whether a long poll has as little CPU at 10 events/s, given its part of a core and that of the WebSocket: 4 % are the
    /// market's, and idle servers differ by `spread`.
    fn told(poll: f64, socket: f64, spread: f64) -> Option<bool> {
        let samples = vec![sample("WebSocket", 100, 10.0, socket), sample("long poll", 100, 10.0, poll)];
        let idle = vec![0.04 - spread / 2.0, 0.04 + spread / 2.0];
        let all = comparison(vec![Idle::new(10.0, idle)], samples);
        cpu(&all, &pairs(&all.samples, "long poll", 100)).is_cheap_at(10.0)
    }

    #[test]
    fn cpu_is_told_from_what_the_clients_add() {
        assert_eq!(told(0.46, 0.44, 0.01), Some(true), "0.42 beside 0.40");
        assert_eq!(told(0.24, 0.14, 0.01), Some(false), "0.20 beside 0.10");
        assert_eq!(
            told(0.153, 0.14, 0.001),
            Some(false),
            "the whole would be within 10 %, but it is 0.113 beside 0.100"
        );
        assert_eq!(told(0.045, 0.048, 0.01), None, "both add less than idle servers differ by");
        assert_eq!(told(0.058, 0.045, 0.01), None, "0.018 beside at most 0.010: closer than that");
        assert_eq!(told(0.14, 0.03, 0.01), Some(false), "0.100 beside at most 0.010, whatever it is");
        assert_eq!(told(0.03, 0.14, 0.01), Some(true), "at most 0.010 beside 0.100");
        assert_eq!(told(0.155, 0.14, 0.01), None, "0.115 beside a limit of 0.110: closer than that");
        assert_eq!(told(0.99, 0.14, 0.01), None, "full");
        assert_eq!(told(0.14, 0.99, 0.01), None, "the WebSocket is full");
    }

    #[test]
    fn cpu_beyond_that_of_a_socket_is_counted_for_1000_clients() {
        let words = |poll| {
            let samples = vec![sample("WebSocket", 1_000, 10.0, 0.10), sample("long poll", 1_000, 10.0, poll)];
            let all = comparison(vec![Idle::new(10.0, vec![0.039, 0.041])], samples);
            cpu_more(&all, &pairs(&all.samples, "long poll", 1_000)).is_cheap_at(10.0)
        };
        assert_eq!([0.105, 0.111, 0.12].map(words), [Some(true), None, Some(false)]);
    }
}
