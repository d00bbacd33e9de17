//! The rates at which a transport is as cheap as WebSocket. Rates with figures below the noise or with a full CPU have no verdict,
//! and the text names them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::compare::result::{Comparison, Sample};

/// The share of one core by which 1,000 clients may cost more than 1,000 WebSocket clients to count as little more.
const CPU_OF_1000_CLIENTS: f64 = 0.01;
/// The highest ratio to WebSocket that counts as equally cheap.
pub(crate) const AS_CHEAP: f64 = 1.1;

/// A sample, and the WebSocket sample with the same rate and number of clients.
type Pair<'a> = (&'a Sample, &'a Sample);

/// How a transport compares with WebSocket at the most clients.
#[derive(Debug, Serialize)]
pub(crate) struct Cheap<'a> {
    transport: &'a str,
    is_poll: bool,
    /// The rates at which it needs as few bytes, and as little CPU time, in words.
    bytes: String,
    cpu: String,
    /// The rates at which 1,000 clients cost at most [`CPU_OF_1000_CLIENTS`] more, in words.
    little_more: String,
    /// The ratios of its median latency to that of WebSocket, for every number of clients, except rows with a full CPU.
    p50_ratios: Vec<f64>,
    /// The number of these ratios up to [`AS_CHEAP`].
    prompt_rows: usize,
}

impl<'a> Cheap<'a> {
    /// Compares a transport.
    pub(crate) fn new(comparison: &'a Comparison, transport: &'a str) -> Self {
        let pairs_of = |clients| pairs(comparison, transport, clients);
        let most = pairs_of(comparison.clients_max());
        let counts: BTreeSet<_> = comparison.samples.iter().map(|sample| sample.clients).collect();
        let free =
            counts.into_iter().flat_map(pairs_of).filter(|(sample, socket)| !sample.is_full() && !socket.is_full());
        let ratio = |(sample, socket): Pair<'_>| sample.p50_ms() / socket.p50_ms().max(f64::MIN_POSITIVE);
        let p50_ratios: Vec<_> = free.map(ratio).collect();
        Self {
            transport,
            is_poll: most.iter().any(|(sample, _)| sample.result.is_poll),
            bytes: verdict(&most, |sample, socket| {
                Some(sample.bytes_per_event() <= socket.bytes_per_event() * AS_CHEAP)
            }),
            cpu: verdict(&most, |sample, socket| cpu_ratio(comparison, sample, socket).map(|ratio| ratio <= AS_CHEAP)),
            little_more: verdict(&most, |sample, socket| is_little_more(comparison, sample, socket)),
            prompt_rows: p50_ratios.iter().filter(|ratio| **ratio <= AS_CHEAP).count(),
            p50_ratios,
        }
    }
}

/// Pairs the samples of a transport with the WebSocket samples of the same rate, for one number of clients, by rate.
pub(crate) fn pairs<'a>(comparison: &'a Comparison, transport: &str, clients: usize) -> Vec<Pair<'a>> {
    let of = |name: &str| {
        let is_of = |sample: &&Sample| sample.clients == clients && sample.result.transport == name;
        comparison.samples.iter().filter(is_of).collect::<Vec<_>>()
    };
    let sockets = of("WebSocket");
    let beside = |sample: &Sample| sockets.iter().find(|socket| socket.rate.total_cmp(&sample.rate).is_eq());
    let mut found: Vec<_> = of(transport).into_iter().filter_map(|sample| Some((sample, *beside(sample)?))).collect();
    found.sort_by(|a, b| a.0.rate.total_cmp(&b.0.rate));
    found
}

/// Returns the rates at which a transport is cheap, in words; `is_cheap` returns `None` for a difference within the noise.
fn verdict(pairs: &[Pair<'_>], is_cheap: impl Fn(&Sample, &Sample) -> Option<bool>) -> String {
    let is_full = |(sample, socket): &Pair<'_>| sample.is_full() || socket.is_full();
    let told = [
        (Some(Some(true)), "yes at", ""),
        (Some(Some(false)), "no at", ""),
        (Some(None), "no verdict at", " (within the spread of idle servers)"),
        (None, "no verdict at", " (a CPU was full)"),
    ];
    let words = told.iter().filter_map(|(reading, verb, why)| {
        let of = pairs.iter().filter(|pair| (!is_full(pair)).then(|| is_cheap(pair.0, pair.1)) == *reading);
        let rates: Vec<_> = of.map(|pair| pair.0.rate.to_string()).collect();
        (!rates.is_empty()).then(|| format!("{verb} {} events/s{why}", rates.join(", ")))
    });
    words.collect::<Vec<_>>().join("; ")
}

/// Returns the ratio of the net CPU for each event to that of WebSocket. A net CPU below the spread of idle servers counts as the
/// spread. `None` if the difference to the limit [`AS_CHEAP`] is below the spread.
fn cpu_ratio(comparison: &Comparison, sample: &Sample, socket: &Sample) -> Option<f64> {
    let spread = comparison.net(sample)?.spread;
    let [net, net_of_socket] = [comparison.net(sample)?, comparison.net(socket)?].map(|net| net.cpu.max(net.spread));
    // Scaled to the number of events of this sample, which may differ.
    let beside = net_of_socket * sample.result.events as f64 / socket.result.events.max(1) as f64;
    ((net - beside * AS_CHEAP).abs() > spread).then_some(net / beside)
}

/// Returns whether 1,000 clients cost at most [`CPU_OF_1000_CLIENTS`] more than 1,000 WebSocket clients; `None` within the noise.
fn is_little_more(comparison: &Comparison, sample: &Sample, socket: &Sample) -> Option<bool> {
    let of_1000 = 1e3 / sample.clients.max(1) as f64;
    let spread = comparison.net(sample)?.spread * of_1000;
    let more = (sample.server_cpu() - socket.server_cpu()) * of_1000 - CPU_OF_1000_CLIENTS;
    (more.abs() > spread).then_some(more <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};
    use crate::compare::result::Idle;

    /// Samples at two rates, with the share of a core of WebSocket and poll at each. The market uses 4 %, with a spread of 1 %.
    fn example([low, high]: [(f64, f64); 2]) -> Comparison {
        let idle = |rate| Idle::new(rate, vec![0.035, 0.045]);
        let samples = vec![
            sample("WebSocket", 100, 1.0, low.0),
            sample("long poll", 100, 1.0, low.1),
            sample("WebSocket", 100, 100.0, high.0),
            sample("long poll", 100, 100.0, high.1),
        ];
        comparison(vec![idle(1.0), idle(100.0)], samples)
    }

    #[test]
    fn a_verdict_names_the_rates_and_those_that_are_within_the_noise_or_full() {
        for (parts, cpu) in [
            ([(0.24, 0.22), (0.44, 0.84)], "yes at 1 events/s; no at 100 events/s"),
            ([(0.24, 0.44), (0.44, 0.84)], "no at 1, 100 events/s"),
            (
                [(0.043, 0.044), (0.44, 0.84)],
                "no at 100 events/s; no verdict at 1 events/s (within the spread of idle servers)",
            ),
            ([(0.24, 0.44), (0.44, 0.99)], "no at 1 events/s; no verdict at 100 events/s (a CPU was full)"),
        ] {
            let all = example(parts);
            let cheap = Cheap::new(&all, "long poll");
            assert_eq!(cheap.cpu, cpu);
            assert!(cheap.bytes.starts_with("no at 1"), "{}", cheap.bytes);
        }
    }

    #[test]
    fn latency_is_compared_where_no_cpu_was_full() {
        let mut all = example([(0.24, 0.44), (0.44, 0.84)]);
        let mut set = |at: usize, us| all.samples[at].result.latency_us.insert("p50".into(), us);
        let _ = (set(1, 1_800), set(2, 9_000), set(3, 900));
        let cheap = Cheap::new(&all, "long poll");
        assert_eq!((cheap.prompt_rows, cheap.p50_ratios), (1, vec![2.0, 0.1]));
        all.samples[3].server_cpu_us = 0.99 * 4e6;
        assert_eq!(Cheap::new(&all, "long poll").p50_ratios, [2.0], "a row with a full CPU is left out");
    }

    /// Returns whether a long poll needs as little CPU at 10 events/s, given its share of a core and that of WebSocket. The market
    /// uses 4 %, with the spread `spread`.
    fn told(poll: f64, socket: f64, spread: f64) -> Option<bool> {
        let samples = vec![sample("WebSocket", 100, 10.0, socket), sample("long poll", 100, 10.0, poll)];
        let all = comparison(vec![Idle::new(10.0, vec![0.04 - spread / 2.0, 0.04 + spread / 2.0])], samples);
        cpu_ratio(&all, &all.samples[1], &all.samples[0]).map(|ratio| ratio <= AS_CHEAP)
    }

    #[test]
    fn net_cpu_is_compared_with_the_spread_of_idle_servers() {
        assert_eq!(told(0.46, 0.44, 0.01), Some(true), "net 0.42 and 0.40");
        assert_eq!(told(0.24, 0.14, 0.01), Some(false), "net 0.20 and 0.10");
        assert_eq!(told(0.153, 0.14, 0.001), Some(false), "gross within 10 %, net 0.113 and 0.100");
        assert_eq!(told(0.045, 0.048, 0.01), None, "both net values are below the spread");
        assert_eq!(told(0.058, 0.045, 0.01), None, "0.018 and at most 0.010: difference below the spread");
        assert_eq!(told(0.14, 0.03, 0.01), Some(false), "0.100 and at most 0.010");
        assert_eq!(told(0.03, 0.14, 0.01), Some(true), "at most 0.010 and 0.100");
        assert_eq!(told(0.155, 0.14, 0.01), None, "0.115 and the limit 0.110: difference below the spread");
    }

    #[test]
    fn additional_cpu_is_scaled_to_1000_clients() {
        let told = |poll| {
            let samples = vec![sample("WebSocket", 1_000, 10.0, 0.10), sample("long poll", 1_000, 10.0, poll)];
            let all = comparison(vec![Idle::new(10.0, vec![0.039, 0.041])], samples);
            is_little_more(&all, &all.samples[1], &all.samples[0])
        };
        assert_eq!([0.105, 0.111, 0.12].map(told), [Some(true), None, Some(false)]);
    }
}
