//! Samples for tests: what the figures are made of is chosen, nothing is measured.

use std::collections::BTreeMap;

use crate::idle::Idle;
use crate::result::{Comparison, GroupResult, Machine, Pace, Sample, Together};

/// Seconds of each sample.
const WINDOW_S: f64 = 4.0;

/// Returns the sample of a transport whose server has used this part of a core.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
pub(crate) fn sample(transport: &str, clients: usize, rate: f64, server_cpu: f64) -> Sample {
    let events = (clients as f64 * rate * WINDOW_S) as u64;
    let is_poll = transport.contains("poll");
    let result = GroupResult {
        transport: transport.into(),
        is_poll,
        events,
        events_due: events,
        events_different: Some(1_000),
        requests: if is_poll { events } else { 0 },
        connections: clients as u64,
        bytes_up: if is_poll { 200 * events } else { 0 },
        bytes_down: 100 * events,
        setup_bytes: 1_000,
        latency_us: BTreeMap::from([("p50", 900), ("p99", 2_000)].map(|(name, value)| (name.to_owned(), value))),
        age_ms: 100.0,
        behind_ms: 1.0,
        missing: 0,
        repeated: 0,
        faults: 0,
        open_ended: 0,
        digests: Vec::new(),
    };
    Sample {
        clients,
        rate,
        round_trip_ms: 0.0,
        window_s: WINDOW_S,
        server_cpu_us: server_cpu * WINDOW_S * 1e6,
        generator_cpu: 0.1,
        result,
    }
}

/// Returns a comparison of these samples.
pub(crate) fn comparison(idle: Vec<Idle>, samples: Vec<Sample>) -> Comparison {
    Comparison {
        machine: Machine {
            cpu: "a CPU".into(),
            cores: 2,
            memory_gib: 8,
            kernel: "6.1".into(),
            commit: "0123456789ab".into(),
            changed: Some(false),
            date: "2026-01-01".into(),
        },
        seed: 42,
        symbols_per_client: 10,
        pinned: true,
        quick: false,
        arguments: Vec::new(),
        pace: Some(Pace { coalesce_ms: 20, burst_writes: 2, heartbeat_ms: 15_000 }),
        idle,
        samples,
        delayed: Vec::new(),
        together: Together { clients: 0, rate: 10.0, same_events: true, transports: Vec::new() },
    }
}
