//! Samples for tests, with chosen figures.

use std::collections::BTreeMap;

use crate::compare::result::{Comparison, GroupResult, Idle, Machine, Sample, Together};
use crate::compare::server;

/// Seconds of each sample.
const WINDOW_S: f64 = 4.0;

/// Returns a sample of a transport whose server used this share of a core.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
pub(crate) fn sample(transport: &str, clients: usize, rate: f64, server_cpu: f64) -> Sample {
    let events = (clients as f64 * rate * WINDOW_S) as u64;
    let is_poll = transport.contains("poll");
    let result = GroupResult {
        transport: transport.into(),
        is_poll,
        events,
        events_due: events,
        events_different: 1_000,
        requests: if is_poll { events } else { 0 },
        bytes_up: if is_poll { 200 * events } else { 0 },
        bytes_down: 100 * events,
        latency_us: BTreeMap::from([("p50", 900), ("p99", 2_000)].map(|(name, value)| (name.to_owned(), value))),
        ..GroupResult::default()
    };
    let server_cpu_us = server_cpu * WINDOW_S * 1e6;
    Sample { clients, rate, window_s: WINDOW_S, server_cpu_us, generator_cpu: 0.1, result, ..Sample::default() }
}

/// Returns a comparison of these samples.
pub(crate) fn comparison(idle: Vec<Idle>, samples: Vec<Sample>) -> Comparison {
    let machine = Machine { commit: "0123456789ab".into(), changed: Some(false), ..Machine::default() };
    let (together, pace) = (Together { same_events: true, ..Together::default() }, server::PACE);
    Comparison { machine, seed: 42, pace, idle, samples, together, ..Comparison::default() }
}
