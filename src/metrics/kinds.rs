//! The types of the metrics, and how each is rendered. Every label of a metric exists from the start: if a label appeared with its
//! first increment, a rate over it would miss that increment.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::{
    AUTH_RESULTS, AUTH_WAYS, FAULT_KINDS, HTTP_ERRORS, LIMITS, PUBLISH_REFUSALS, RENEWAL_RESULTS, REPLAY_SKIPS,
    TICKET_RESULTS,
};
use crate::protocol::{CloseReason, ErrorCode, Refusal};

/// Bounds of the histogram of event ages, in seconds.
const AGES: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Bounds of the histogram of writes, in seconds.
const WRITE_TIMES: [f64; 17] = [
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5,
    1.0, 5.0, 10.0,
];

/// A metric, or several.
pub(super) trait Rendered {
    /// Registers the metric, to be rendered with its present value.
    fn register(&self, name: &str, help: &str, registry: &mut Registry);
}

impl Rendered for Counter {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register(name, help, self.clone());
    }
}

impl Rendered for Gauge {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register(name, help, self.clone());
    }
}

/// Makes a histogram of durations with these bounds.
macro_rules! durations {
    ($(#[$doc:meta])* $Durations:ident, $bounds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Durations(Histogram);

        impl $Durations {
            /// Records one duration.
            pub fn observe(&self, duration: Duration) {
                self.0.observe(duration.as_secs_f64());
            }

            /// Returns the number of durations up to each bound, and above the one before: the bound in seconds, the last one infinite.
            pub fn buckets(&self) -> Vec<(f64, u64)> {
                buckets(&self.0)
            }
        }

        impl Default for $Durations {
            fn default() -> Self {
                Self(Histogram::new($bounds))
            }
        }

        impl Rendered for $Durations {
            fn register(&self, name: &str, help: &str, registry: &mut Registry) {
                registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
            }
        }
    };
}

durations!(
    /// A histogram of times over a network: milliseconds to seconds.
    Ages,
    AGES
);

durations!(
    /// A histogram of times within the machine: microseconds to seconds.
    WriteTimes,
    WRITE_TIMES
);

/// The library shows the counts of a histogram only in its text, where each includes those before it.
fn buckets(histogram: &Histogram) -> Vec<(f64, u64)> {
    let (mut registry, mut text) = (Registry::default(), String::new());
    registry.register("a", "", histogram.clone());
    encode(&mut text, &registry).expect("writing to a string does not fail");
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix("a_bucket{le=\"")?.split_once("\"} ")?;
        Some((bound.parse::<f64>().ok()?, count.parse::<u64>().ok()?))
    };
    let mut before = 0;
    let own = |(bound, count): (f64, u64)| (bound, count - std::mem::replace(&mut before, count));
    text.lines().filter_map(bucket).map(own).collect()
}

/// A part of a whole, 0 to 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Share(pub(super) Gauge<f64, AtomicU64>);

impl Rendered for Share {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register(name, help, self.0.clone());
    }
}

/// A duration in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Seconds(pub(super) Gauge<f64, AtomicU64>);

impl Rendered for Seconds {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
    }
}

/// A gauge of each hub, in the order of their start.
#[derive(Clone, Debug, Default)]
pub(super) struct Hubs(Arc<Mutex<Vec<Gauge>>>);

impl Hubs {
    /// Adds and returns the gauge of another hub.
    pub(super) fn add(&self) -> Gauge {
        let hub = Gauge::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(hub.clone());
        hub
    }

    /// Returns the gauge of each hub.
    pub(super) fn all(&self) -> Vec<Gauge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Rendered for Hubs {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        let hubs: Family<[(&str, String); 1], Gauge> = Family::default();
        for (index, hub) in self.all().iter().enumerate() {
            hubs.get_or_create(&[("hub", index.to_string())]).set(hub.get());
        }
        registry.register(name, help, hubs);
    }
}

/// Makes a family of counters by one label, and its constructor with every value of the label.
macro_rules! labelled {
    ($(#[$doc:meta])* $Family:ident, $label:literal, $values:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $Family(Family<[(&'static str, &'static str); 1], Counter>);

        impl $Family {
            /// Returns the counter with this value of the label.
            pub(super) fn of(&self, value: &'static str) -> Counter {
                self.0.get_or_create_owned(&[($label, value)])
            }
        }

        impl Default for $Family {
            fn default() -> Self {
                let family = Self(Family::default());
                for value in $values {
                    drop(family.of(value));
                }
                family
            }
        }

        impl Rendered for $Family {
            fn register(&self, name: &str, help: &str, registry: &mut Registry) {
                registry.register(name, help, self.0.clone());
            }
        }
    };
}

labelled!(
    /// Counters by whether a cursor was recovered.
    Recoveries,
    "recovered",
    ["true", "false"]
);
labelled!(
    /// Counters by the code of an error.
    Errors,
    "code",
    ErrorCode::ALL.map(ErrorCode::name).into_iter().chain(HTTP_ERRORS)
);
labelled!(
    /// Counters by the reason of a refusal in the dialect of a vendor.
    Refusals,
    "reason",
    Refusal::ALL.map(Refusal::name)
);
labelled!(
    /// Counters by the reason for which a session has ended.
    Closes,
    "reason",
    CloseReason::ALL.map(CloseReason::name)
);
labelled!(
    /// Counters by the result of a read of the issuer's keys.
    Refreshes,
    "result",
    ["good", "failed"]
);
labelled!(
    /// Counters by the limit that was exceeded.
    Excesses,
    "limit",
    LIMITS
);
labelled!(
    /// Counters by the result of a request `auth`.
    Renewals,
    "result",
    RENEWAL_RESULTS
);
labelled!(
    /// Counters by what has become of tickets.
    Tickets,
    "result",
    TICKET_RESULTS
);
labelled!(
    /// Counters by the reason why events of a publisher are refused.
    PublishRefusals,
    "reason",
    PUBLISH_REFUSALS
);
labelled!(
    /// Counters by the reason why a record became no event.
    ReplaySkips,
    "reason",
    REPLAY_SKIPS
);
labelled!(
    /// Counters by the kind of a fault.
    Faults,
    "kind",
    FAULT_KINDS
);

/// Counters by the way and the result of a check of credentials.
#[derive(Clone, Debug)]
pub(super) struct Auths(Family<[(&'static str, &'static str); 2], Counter>);

impl Auths {
    /// Returns the counter of this way, one of [`AUTH_WAYS`], with this result.
    pub(super) fn of(&self, way: &'static str, result: &'static str) -> Counter {
        self.0.get_or_create_owned(&[("way", way), ("result", result)])
    }
}

impl Default for Auths {
    fn default() -> Self {
        let all = Self(Family::default());
        for (way, result) in AUTH_WAYS.into_iter().flat_map(|way| AUTH_RESULTS.map(|result| (way, result))) {
            drop(all.of(way, result));
        }
        all
    }
}

impl Rendered for Auths {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register(name, help, self.0.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_a_histogram_have_the_durations_between_their_bounds() {
        let ages = Ages::default();
        for millis in [0, 1, 2, 3, 1_500, 60_000] {
            ages.observe(Duration::from_millis(millis));
        }
        let found: Vec<_> = ages.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, [(0.001, 2), (0.002, 1), (0.005, 1), (2.0, 1), (f64::INFINITY, 1)]);
        assert_eq!(ages.buckets().len(), AGES.len() + 1);
    }
}
