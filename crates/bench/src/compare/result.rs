//! What a measurement has brought, as numbers: the raw data of the comparison.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::compare::intake::Intake;
use crate::compare::transport::Transport;
use crate::connection::Traffic;

/// A generator that has used more of its core than this has made the latencies itself.
const GENERATOR_CPU_MAX: f64 = 0.9;
/// A server that has used more of its core than this was at its limit.
const SERVER_CPU_MAX: f64 = 0.97;
/// With fewer different events than this, the highest percentile in a hundred is that of one event or of none.
pub(crate) const P99_EVENTS_MIN: u64 = 100;

/// One cell, measured.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// How long the window was by the clock.
    pub(crate) took: Duration,
    /// CPU time of the server's whole process in it.
    pub(crate) server_cpu: Duration,
    /// CPU time of this process in it.
    pub(crate) own_cpu: Duration,
    /// By transport.
    pub(crate) groups: Vec<GroupResult>,
}

/// What was counted in the window, and before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) events: u64,
    pub(crate) traffic: Traffic,
    /// Traffic until every client was served.
    pub(crate) setup: Traffic,
}

/// One transport in one cell, in the window if nothing else is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct GroupResult {
    /// The transport and its interval.
    pub(crate) transport: String,
    pub(crate) is_poll: bool,
    pub(crate) events: u64,
    /// Events that were made in the window, whenever they came.
    pub(crate) events_due: u64,
    /// How many of these were different ones, counted up to a thousand.
    pub(crate) events_different: u64,
    pub(crate) requests: u64,
    /// From the start.
    pub(crate) connections: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    /// Bytes both ways until every client was served.
    pub(crate) setup_bytes: u64,
    /// From the time stamp of an event to the read that brought it, in microseconds, by percentile.
    pub(crate) latency_us: BTreeMap<String, u64>,
    /// The mean age of the last known price, and how much of it is not the market's quiet.
    pub(crate) age_ms: f64,
    pub(crate) behind_ms: f64,
    /// Events that had not come when the wait for them was over: from the snapshot that a symbol began with to the one that
    /// the server gave after the window.
    pub(crate) missing: u64,
    /// Events that came twice or out of order.
    pub(crate) repeated: u64,
    /// `lag`, errors, and what could not be read.
    pub(crate) faults: u64,
    /// Clients whose last events of the window are not proven to be all: nothing had happened after it, on the whole market.
    pub(crate) open_ended: usize,
    /// Of the numbers of each client's events of the window.
    #[serde(skip)]
    pub(crate) digests: Vec<u64>,
}

impl GroupResult {
    /// Returns what was counted.
    pub(crate) fn new(transport: Transport, totals: &Totals, intake: &Intake) -> Self {
        let latency = &intake.latency;
        let percentile = |(name, at): (&str, f64)| (name.to_owned(), latency.value_at_percentile(at));
        let mut latency_us: BTreeMap<_, _> =
            [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)].map(percentile).into();
        latency_us.insert("max".into(), latency.max());
        Self {
            transport: transport.label(),
            is_poll: transport.is_poll(),
            events: totals.events,
            events_due: intake.due,
            events_different: intake.different.len() as u64,
            requests: totals.traffic.requests,
            connections: totals.setup.connections,
            bytes_up: totals.traffic.bytes_up,
            bytes_down: totals.traffic.bytes_down,
            setup_bytes: totals.setup.bytes_up + totals.setup.bytes_down,
            latency_us,
            age_ms: intake.ages.mean_micros() / 1e3,
            behind_ms: intake.ages.behind_micros() / 1e3,
            missing: intake.missing,
            repeated: intake.repeated,
            faults: intake.faults,
            ..Self::default()
        }
    }

    /// Returns how much is wrong or not proven: events missing, repeated or spoilt, and clients with an open end.
    pub(crate) fn unclean(&self) -> u64 {
        self.missing + self.repeated + self.faults + self.open_ended as u64
    }
}

/// One transport alone on one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) clients: usize,
    /// Events per second of each client, on average.
    pub(crate) rate: f64,
    /// What a proxy adds.
    pub(crate) round_trip_ms: f64,
    pub(crate) window_s: f64,
    /// CPU time of the server, the market's own included.
    pub(crate) server_cpu_us: f64,
    /// CPU time of the generator, as a part of one core.
    pub(crate) generator_cpu: f64,
    #[serde(flatten)]
    pub(crate) result: GroupResult,
}

impl Sample {
    fn per_event(&self, total: f64) -> f64 {
        total / self.result.events.max(1) as f64
    }

    /// Returns bytes both ways for each delivered event.
    pub(crate) fn bytes_per_event(&self) -> f64 {
        self.per_event((self.result.bytes_up + self.result.bytes_down) as f64)
    }

    /// Returns requests for each delivered event.
    pub(crate) fn requests_per_event(&self) -> f64 {
        self.per_event(self.result.requests as f64)
    }

    /// Returns microseconds for each delivered event of a part of one core over the window.
    pub(crate) fn cpu_us_per_event(&self, cpu: f64) -> f64 {
        self.per_event(cpu * self.window_s * 1e6)
    }

    /// Returns the part of one core that the server has used.
    pub(crate) fn server_cpu(&self) -> f64 {
        self.server_cpu_us / 1e6 / self.window_s
    }

    /// Returns bytes both ways for each client and second.
    pub(crate) fn bytes_per_client_second(&self) -> f64 {
        (self.result.bytes_up + self.result.bytes_down) as f64 / self.window_s / self.clients.max(1) as f64
    }

    /// Returns requests for each client and second.
    pub(crate) fn requests_per_client_second(&self) -> f64 {
        self.result.requests as f64 / self.window_s / self.clients.max(1) as f64
    }

    /// Returns whether server or generator was at its limit: then the figures are those of a queue.
    pub(crate) fn is_full(&self) -> bool {
        self.server_cpu() > SERVER_CPU_MAX || self.generator_cpu > GENERATOR_CPU_MAX
    }

    /// Returns the median latency in milliseconds.
    pub(crate) fn p50_ms(&self) -> f64 {
        self.latency_ms("p50")
    }

    /// Returns what 1 % of the latencies are above, in milliseconds; `None` when there were too few different events for it.
    pub(crate) fn p99_ms(&self) -> Option<f64> {
        (self.result.events_different >= P99_EVENTS_MIN).then(|| self.latency_ms("p99"))
    }

    fn latency_ms(&self, percentile: &str) -> f64 {
        self.result.latency_us.get(percentile).copied().unwrap_or_default() as f64 / 1e3
    }
}

/// All transports on one server at the same time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Together {
    /// Clients of each transport.
    pub(crate) clients: usize,
    /// Events per second of each client.
    pub(crate) rate: f64,
    /// Whether the first client of each transport has got the same events in the same order, the second too, and so on.
    pub(crate) same_events: bool,
    pub(crate) transports: Vec<GroupResult>,
}

/// When servers write without being asked: see `push` and `session` in `config/default.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) coalesce_ms: u64,
    pub(crate) burst_writes: u32,
    pub(crate) heartbeat_ms: u64,
}

/// What it was measured on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) commit: String,
    /// Whether files of the program were not those of the commit; `None` when that is not known.
    pub(crate) changed: Option<bool>,
    /// The day.
    pub(crate) date: String,
}

/// The server with no clients, measured some times: what the market costs alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Idle {
    /// Events per second of each client that might come.
    pub(crate) rate: f64,
    /// The part of one core that it uses, on average.
    pub(crate) server_cpu: f64,
    /// That of each measurement, each on a server of its own, before the matrix and after it.
    pub(crate) measurements: Vec<f64>,
}

impl Idle {
    /// Returns what these measurements say together.
    pub(crate) fn new(rate: f64, measurements: Vec<f64>) -> Self {
        let server_cpu = measurements.iter().sum::<f64>() / measurements.len().max(1) as f64;
        Self { rate, server_cpu, measurements }
    }

    /// Returns the lowest and the highest measurement; the mean for both when they are not known one by one.
    pub(crate) fn range(&self) -> (f64, f64) {
        let mean = (self.server_cpu, self.server_cpu);
        self.measurements.iter().fold(mean, |(low, high), one| (low.min(*one), high.max(*one)))
    }

    /// Returns by how much the measurements differ, from the lowest to the highest; `None` when there are not two.
    fn spread(&self) -> Option<f64> {
        let (low, high) = self.range();
        (self.measurements.len() > 1).then_some(high - low)
    }
}

/// What clients cost a server beyond what it spends with none, as a part of one core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Net {
    pub(crate) cpu: f64,
    /// By how much servers without clients differ from one measurement to another: less than that tells nothing.
    pub(crate) spread: f64,
}

/// The whole comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) machine: Machine,
    /// Fixes the market.
    pub(crate) seed: u64,
    pub(crate) symbols_per_client: usize,
    /// Whether server and generator had a core each.
    pub(crate) pinned: bool,
    /// Whether it is too short to mean much.
    pub(crate) quick: bool,
    pub(crate) arguments: Vec<String>,
    pub(crate) pace: Pace,
    /// Servers with no clients.
    pub(crate) idle: Vec<Idle>,
    /// The matrix.
    pub(crate) samples: Vec<Sample>,
    /// Through the proxy.
    pub(crate) delayed: Vec<Sample>,
    pub(crate) together: Together,
}

impl Comparison {
    /// Returns the results of all clients everywhere.
    pub(crate) fn results(&self) -> impl Iterator<Item = &GroupResult> {
        let alone = self.samples.iter().chain(&self.delayed).map(|sample| &sample.result);
        alone.chain(&self.together.transports)
    }

    /// Returns whether no event was lost, repeated or spoilt anywhere, which is proven to the end of each window, and all
    /// transports together got the same.
    pub(crate) fn is_clean(&self) -> bool {
        self.together.same_events && self.results().all(|result| result.unclean() == 0)
    }

    /// Returns what the clients of a sample have cost its server beyond what a server without clients spends, as a part of
    /// one core; `None` when nothing is known to compare with.
    pub(crate) fn net(&self, sample: &Sample) -> Option<Net> {
        let idle = self.idle.iter().find(|idle| idle.rate.total_cmp(&sample.rate).is_eq())?;
        Some(Net { cpu: sample.server_cpu() - idle.server_cpu, spread: idle.spread()? })
    }

    /// Returns the net CPU for each delivered event in microseconds, where it can be told from the spread of idle servers.
    pub(crate) fn net_us_per_event(&self, sample: &Sample) -> Option<f64> {
        self.net(sample).filter(|net| net.cpu > net.spread).map(|net| sample.cpu_us_per_event(net.cpu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};

    #[test]
    fn an_end_that_is_open_is_not_clean() {
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

    #[test]
    fn a_percentile_needs_events_and_a_core_has_an_end() {
        let mut one = sample("WebSocket", 100, 10.0, 0.5);
        assert!(one.p99_ms().is_some() && !one.is_full());
        one.result.events_different = P99_EVENTS_MIN - 1;
        assert!(one.p99_ms().is_none() && one.p50_ms() > 0.0);
        one.generator_cpu = 0.95;
        assert!(one.is_full() && sample("WebSocket", 100, 10.0, 0.99).is_full());
    }

    #[test]
    fn the_spread_of_idle_servers_is_from_the_lowest_to_the_highest() {
        let idle = Idle::new(1.0, vec![0.04, 0.03, 0.05]);
        assert!((idle.server_cpu - 0.04).abs() < 1e-9 && (idle.spread().unwrap() - 0.02).abs() < 1e-9);
        assert_eq!(Idle::new(1.0, vec![0.04]).spread(), None, "one measurement has none");
    }

    #[test]
    fn the_market_alone_is_not_charged_to_the_clients() {
        // 10 % of a core for 4 s, of which 4 % are the market's.
        let one = sample("WebSocket", 100, 10.0, 0.10);
        let all = comparison(vec![Idle::new(10.0, vec![0.03, 0.05])], vec![one.clone()]);
        assert!((all.net(&one).unwrap().cpu - 0.06).abs() < 1e-9);
        let events = one.result.events as f64;
        assert!((all.net_us_per_event(&one).unwrap() - 0.06 * 4e6 / events).abs() < 1e-6);
        let faint = sample("WebSocket", 1, 10.0, 0.055);
        assert!(
            all.net(&faint).unwrap().cpu > 0.01 && all.net_us_per_event(&faint).is_none(),
            "below the spread of 2 %"
        );
        assert!(all.net(&sample("WebSocket", 1, 99.0, 0.5)).is_none(), "no idle server at this rate");
    }
}
