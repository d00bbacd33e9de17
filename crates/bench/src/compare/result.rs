//! The results of measurements: the raw data of the comparison, and figures derived from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Above this share of its core the generator itself adds to the latencies.
const GENERATOR_CPU_MAX: f64 = 0.9;
/// Above this share of its core the server was at its limit.
const SERVER_CPU_MAX: f64 = 0.97;
/// The fewest distinct events for a p99: with fewer it would depend on a single event.
pub(crate) const P99_EVENTS_MIN: u64 = 100;

/// The result of one transport in one cell, during the window unless stated otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct GroupResult {
    /// The name of the transport with its interval.
    pub(crate) transport: String,
    pub(crate) is_poll: bool,
    pub(crate) events: u64,
    /// Events with a time stamp in the window, whenever they arrived.
    pub(crate) events_due: u64,
    /// The number of distinct events among these, up to 1,000.
    pub(crate) events_different: u64,
    pub(crate) requests: u64,
    /// Connections since the start.
    pub(crate) connections: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    /// Bytes in both directions until every client was subscribed.
    pub(crate) setup_bytes: u64,
    /// Time from the time stamp of an event to the read that completed it, in microseconds, by percentile.
    pub(crate) latency_us: BTreeMap<String, u64>,
    /// Events that had not arrived at the end of the drain, from the first snapshot of each symbol to the one after the window.
    pub(crate) missing: u64,
    /// Events that were repeated or out of order.
    pub(crate) repeated: u64,
    /// `lag`, errors, and invalid messages.
    pub(crate) faults: u64,
    /// Clients whose last events are not verified, because the market had no event after the window.
    pub(crate) open_ended: usize,
    /// Hashes over the offsets of each client's events.
    #[serde(skip)]
    pub(crate) digests: Vec<u64>,
}

impl GroupResult {
    /// Returns the sum of missing and repeated events, faults, and clients with an unverified end.
    pub(crate) fn unclean(&self) -> u64 {
        self.missing + self.repeated + self.faults + self.open_ended as u64
    }
}

/// The measurement of one transport alone on one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) clients: usize,
    /// Events per second of each client, on average.
    pub(crate) rate: f64,
    /// The delay of the proxy for a round trip.
    pub(crate) round_trip_ms: f64,
    pub(crate) window_s: f64,
    /// CPU time of the server, including its market.
    pub(crate) server_cpu_us: f64,
    /// CPU time of the generator, as a share of one core.
    pub(crate) generator_cpu: f64,
    #[serde(flatten)]
    pub(crate) result: GroupResult,
}

impl Sample {
    fn per_event(&self, total: f64) -> f64 {
        total / self.result.events.max(1) as f64
    }

    fn bytes(&self) -> f64 {
        (self.result.bytes_up + self.result.bytes_down) as f64
    }

    /// Returns bytes in both directions for each delivered event.
    pub(crate) fn bytes_per_event(&self) -> f64 {
        self.per_event(self.bytes())
    }

    /// Returns requests for each delivered event.
    pub(crate) fn requests_per_event(&self) -> f64 {
        self.per_event(self.result.requests as f64)
    }

    /// Converts a share of one core during the window to microseconds for each delivered event.
    pub(crate) fn cpu_us_per_event(&self, cpu: f64) -> f64 {
        self.per_event(cpu * self.window_s * 1e6)
    }

    /// Returns the CPU time of the server as a share of one core.
    pub(crate) fn server_cpu(&self) -> f64 {
        self.server_cpu_us / 1e6 / self.window_s
    }

    /// Returns bytes in both directions for each client and second.
    pub(crate) fn bytes_per_client_second(&self) -> f64 {
        self.bytes() / self.window_s / self.clients.max(1) as f64
    }

    /// Returns requests for each client and second.
    pub(crate) fn requests_per_client_second(&self) -> f64 {
        self.result.requests as f64 / self.window_s / self.clients.max(1) as f64
    }

    /// Returns whether server or generator was at its limit, so that the figures include queueing.
    pub(crate) fn is_full(&self) -> bool {
        self.server_cpu() > SERVER_CPU_MAX || self.generator_cpu > GENERATOR_CPU_MAX
    }

    /// Returns the median latency in milliseconds.
    pub(crate) fn p50_ms(&self) -> f64 {
        self.latency_ms("p50")
    }

    /// Returns the p99 latency in milliseconds; `None` for too few distinct events.
    pub(crate) fn p99_ms(&self) -> Option<f64> {
        (self.result.events_different >= P99_EVENTS_MIN).then(|| self.latency_ms("p99"))
    }

    fn latency_ms(&self, percentile: &str) -> f64 {
        self.result.latency_us.get(percentile).copied().unwrap_or_default() as f64 / 1e3
    }
}

/// The measurement of all transports on one server at the same time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Together {
    /// Clients of each transport.
    pub(crate) clients: usize,
    /// Events per second of each client.
    pub(crate) rate: f64,
    /// Whether the clients with the same index received the same events in the same order over each transport.
    pub(crate) same_events: bool,
    pub(crate) transports: Vec<GroupResult>,
}

/// Coalescing and heartbeats of the servers: see `push` and `session` in `config/default.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) coalesce_ms: u64,
    pub(crate) burst_writes: u32,
    pub(crate) heartbeat_ms: u64,
}

/// The machine and the commit of a measurement.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) commit: String,
    /// Whether the sources had uncommitted changes; `None` if unknown.
    pub(crate) changed: Option<bool>,
    /// The date, as `2026-11-23`.
    pub(crate) date: String,
}

/// The CPU time of servers without clients, which is that of the market.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Idle {
    /// Events per second of each client in the cells from which it is subtracted.
    pub(crate) rate: f64,
    /// The mean of the measurements, as a share of one core.
    pub(crate) server_cpu: f64,
    /// The measurements, each on a new server, before the matrix and after it.
    pub(crate) measurements: Vec<f64>,
}

impl Idle {
    /// Returns the measurements with their mean.
    pub(crate) fn new(rate: f64, measurements: Vec<f64>) -> Self {
        let server_cpu = measurements.iter().sum::<f64>() / measurements.len().max(1) as f64;
        Self { rate, server_cpu, measurements }
    }

    /// Returns the difference between the lowest and the highest measurement; `None` for fewer than two.
    fn spread(&self) -> Option<f64> {
        let (low, high) =
            (self.measurements.iter().copied().reduce(f64::min)?, self.measurements.iter().copied().reduce(f64::max)?);
        (self.measurements.len() > 1).then_some(high - low)
    }
}

/// CPU time of a server minus that of a server without clients, as a share of one core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Net {
    pub(crate) cpu: f64,
    /// The spread of servers without clients; a smaller difference is noise.
    pub(crate) spread: f64,
}

/// A complete comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) machine: Machine,
    /// The seed of the market.
    pub(crate) seed: u64,
    pub(crate) symbols_per_client: usize,
    /// Whether server and generator each had their own core.
    pub(crate) pinned: bool,
    pub(crate) arguments: Vec<String>,
    pub(crate) pace: Pace,
    /// The servers without clients.
    pub(crate) idle: Vec<Idle>,
    /// The matrix.
    pub(crate) samples: Vec<Sample>,
    /// The samples through the proxy.
    pub(crate) delayed: Vec<Sample>,
    pub(crate) together: Together,
}

impl Comparison {
    /// Returns the most clients of any sample; the transports are compared with WebSocket at this number.
    pub(crate) fn clients_max(&self) -> usize {
        self.samples.iter().map(|sample| sample.clients).max().unwrap_or(0)
    }

    /// Returns the transports other than WebSocket, in the order of the samples.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        let names = self.samples.iter().map(|sample| sample.result.transport.as_str());
        let is_first =
            |(at, name): &(usize, &str)| !self.samples[..*at].iter().any(|sample| sample.result.transport == *name);
        names.enumerate().filter(is_first).map(|(_, name)| name).filter(|name| *name != "WebSocket")
    }

    /// Returns the results of all samples, and of the transports together.
    pub(crate) fn results(&self) -> impl Iterator<Item = &GroupResult> {
        let alone = self.samples.iter().chain(&self.delayed).map(|sample| &sample.result);
        alone.chain(&self.together.transports)
    }

    /// Returns whether every result is clean and verified, and all transports together received the same events.
    pub(crate) fn is_clean(&self) -> bool {
        self.together.same_events && self.results().all(|result| result.unclean() == 0)
    }

    /// Returns the net CPU of a sample; `None` if no server without clients was measured at its rate at least twice.
    pub(crate) fn net(&self, sample: &Sample) -> Option<Net> {
        let idle = self.idle.iter().find(|idle| idle.rate.total_cmp(&sample.rate).is_eq())?;
        Some(Net { cpu: sample.server_cpu() - idle.server_cpu, spread: idle.spread()? })
    }

    /// Returns the net CPU for each delivered event in microseconds; `None` if it is below the spread of idle servers.
    pub(crate) fn net_us_per_event(&self, sample: &Sample) -> Option<f64> {
        self.net(sample).filter(|net| net.cpu > net.spread).map(|net| sample.cpu_us_per_event(net.cpu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};

    #[test]
    fn a_fault_or_an_unverified_end_is_not_clean() {
        let mut all = comparison(Vec::new(), vec![sample("WebSocket", 100, 10.0, 0.1)]);
        assert!(all.is_clean());
        for spoil in [
            (|result: &mut GroupResult| result.open_ended = 1) as fn(&mut GroupResult),
            |result| result.missing = 1,
            |result| result.repeated = 1,
            |result| result.faults = 1,
        ] {
            let clean = all.samples[0].result.clone();
            spoil(&mut all.samples[0].result);
            assert!(!all.is_clean());
            all.samples[0].result = clean;
        }
        all.together.same_events = false;
        assert!(!all.is_clean());
    }
}
