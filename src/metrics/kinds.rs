//! The types of the metrics, and how each is rendered. Every label of a metric exists from the start: if a label appeared with its
//! first increment, a rate over it would miss that increment.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::{AUTH_RESULTS, FAULT_KINDS, HTTP_ERRORS};
use crate::protocol::{CloseReason, ErrorCode, Refusal};

/// Bounds of the histogram of event ages, in seconds.
const AGES: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

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

/// A histogram of durations.
#[derive(Clone, Debug)]
pub struct Ages(Histogram);

impl Ages {
    /// Records one duration.
    pub fn observe(&self, age: Duration) {
        self.0.observe(age.as_secs_f64());
    }
}

impl Default for Ages {
    fn default() -> Self {
        Self(Histogram::new(AGES))
    }
}

impl Rendered for Ages {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
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
    /// Counters by the result of a check of credentials.
    Auths,
    "result",
    AUTH_RESULTS
);
labelled!(
    /// Counters by the kind of a fault.
    Faults,
    "kind",
    FAULT_KINDS
);
