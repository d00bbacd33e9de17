//! Where a transport is as cheap as a WebSocket, in words: for each rate that was measured, computed from the samples. What cannot
//! be told is named: figures below the noise, rows in which a CPU was full.

use std::fmt::Write;

use crate::compare::page::{clients_most, others};
use crate::compare::result::{Comparison, Sample};
use crate::compare::table::significant;

/// The part of one core by which 1,000 clients may cost more than those of a WebSocket and still be called as cheap.
const CPU_OF_1000_CLIENTS: f64 = 0.01;
/// The ratio to a WebSocket up to which a transport is called as cheap.
const AS_CHEAP: f64 = 1.1;

/// A sample, and that of the WebSocket at the same rate with as many clients.
type Pair<'a> = (&'a Sample, &'a Sample);

/// Returns the section.
pub(crate) fn section(comparison: &Comparison) -> String {
    let samples = &comparison.samples;
    let clients = clients_most(samples);
    let mut text = format!(
        "## Where polling is as cheap\n\n\
         Measured with {clients} clients; rates are those of each client. \"As few\" and \"as little\" is at most {:.0} % more than WebSocket for\n\
         each event, CPU net of what servers without clients spend. A rate is left out where a CPU was full, or where the limit is nearer\n\
         than servers without clients differ by.\n\n",
        100.0 * (AS_CHEAP - 1.0)
    );
    for name in others(samples) {
        let pairs = pairs(samples, name, clients);
        let bytes = verdict(&pairs, |sample, socket| Some(bytes_ratio(sample, socket) <= AS_CHEAP));
        let cpu =
            verdict(&pairs, |sample, socket| cpu_ratio(comparison, sample, socket).map(|ratio| ratio <= AS_CHEAP));
        let _ = writeln!(text, "- **{name}**: as few bytes as WebSocket: {bytes}; as little CPU: {cpu}.");
        if pairs.iter().any(|(sample, _)| sample.result.is_poll) {
            let more = verdict(&pairs, |sample, socket| is_little_more(comparison, sample, socket));
            let limit = 100.0 * CPU_OF_1000_CLIENTS;
            let _ = writeln!(text, "  - At most {limit} % of a core more than WebSocket for 1,000 clients: {more}.");
            text += &promptness(comparison, name);
        }
    }
    text + "\n"
}

/// Pairs the samples of a transport with those of the WebSocket at as many clients, by rate.
pub(crate) fn pairs<'a>(samples: &'a [Sample], transport: &str, clients: usize) -> Vec<Pair<'a>> {
    let of = |name: &str| {
        samples.iter().filter(|sample| sample.clients == clients && sample.result.transport == name).collect::<Vec<_>>()
    };
    let sockets = of("WebSocket");
    let beside = |sample: &'a Sample| sockets.iter().find(|socket| socket.rate.total_cmp(&sample.rate).is_eq());
    let mut found: Vec<_> = of(transport).into_iter().filter_map(|sample| Some((sample, *beside(sample)?))).collect();
    found.sort_by(|a, b| a.0.rate.total_cmp(&b.0.rate));
    found
}

/// Returns at which rates a transport is as cheap, in words; `None` of `is_cheap` is within the noise.
fn verdict(pairs: &[Pair<'_>], is_cheap: impl Fn(&Sample, &Sample) -> Option<bool>) -> String {
    let is_full = |(sample, socket): &Pair<'_>| sample.is_full() || socket.is_full();
    let told = [
        (Some(Some(true)), "yes at", ""),
        (Some(Some(false)), "no at", ""),
        (Some(None), "not told at", " (within what idle servers differ by)"),
        (None, "not told at", " (a CPU was full)"),
    ];
    let words = told.iter().filter_map(|(reading, verb, why)| {
        let of = pairs.iter().filter(|pair| (!is_full(pair)).then(|| is_cheap(pair.0, pair.1)) == *reading);
        let rates: Vec<_> = of.map(|pair| pair.0.rate.to_string()).collect();
        (!rates.is_empty()).then(|| format!("{verb} {} events/s{why}", rates.join(", ")))
    });
    words.collect::<Vec<_>>().join("; ")
}

fn bytes_ratio(sample: &Sample, socket: &Sample) -> f64 {
    sample.bytes_per_event() / socket.bytes_per_event().max(f64::MIN_POSITIVE)
}

/// Returns how many times the WebSocket's net CPU for each event this is. What is less than idle servers differ by counts as
/// that much; `None` when both are, or when the limit of what is as cheap is nearer than that.
fn cpu_ratio(comparison: &Comparison, sample: &Sample, socket: &Sample) -> Option<f64> {
    let spread = comparison.net(sample)?.spread;
    let [net, net_of_socket] = [comparison.net(sample)?, comparison.net(socket)?].map(|net| net.cpu.max(net.spread));
    // On the scale of this sample, which may have had other events.
    let beside = net_of_socket * sample.result.events as f64 / socket.result.events.max(1) as f64;
    ((net - beside * AS_CHEAP).abs() > spread).then_some(net / beside)
}

/// Returns whether 1,000 clients cost at most [`CPU_OF_1000_CLIENTS`] more than those of a WebSocket.
fn is_little_more(comparison: &Comparison, sample: &Sample, socket: &Sample) -> Option<bool> {
    let of_1000 = 1e3 / sample.clients.max(1) as f64;
    let spread = comparison.net(sample)?.spread * of_1000;
    let more = (sample.server_cpu() - socket.server_cpu()) * of_1000 - CPU_OF_1000_CLIENTS;
    (more.abs() > spread).then_some(more <= 0.0)
}

/// How late a poll is beside WebSocket, with any number of clients.
fn promptness(comparison: &Comparison, name: &str) -> String {
    let samples = &comparison.samples;
    let mut counts: Vec<_> = samples.iter().map(|sample| sample.clients).collect();
    counts.sort_unstable();
    counts.dedup();
    let all = counts.iter().flat_map(|clients| pairs(samples, name, *clients));
    let free = all.filter(|(sample, socket)| !sample.is_full() && !socket.is_full());
    let mut ratios: Vec<_> =
        free.map(|(sample, socket)| sample.p50_ms() / socket.p50_ms().max(f64::MIN_POSITIVE)).collect();
    ratios.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (ratios.first(), ratios.last()) else { return String::new() };
    let mut text = format!(
        "  - Its median latency is at most {:.0} % over WebSocket's in {} of the {} rows in which no CPU was full: from {} times to {} times.\n",
        100.0 * (AS_CHEAP - 1.0),
        ratios.iter().filter(|ratio| **ratio <= AS_CHEAP).count(),
        ratios.len(),
        significant(*first),
        significant(*last),
    );
    let coalesce_ms = comparison.pace.coalesce_ms;
    if first * AS_CHEAP < 1.0 && coalesce_ms > 0 {
        let _ = writeln!(
            text,
            "  - It can be sooner because a poll is answered at once, while what is pushed waits for the end of a window of {coalesce_ms} ms when its\n    \
               first writes are made."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};
    use crate::compare::result::Idle;

    /// Two rates; the parts of a core of WebSocket and poll at each. 4 % are the market's, idle servers differ by 1 %.
    fn example(name: &str, [low, high]: [(f64, f64); 2]) -> Comparison {
        let idle = |rate| Idle::new(rate, vec![0.035, 0.045]);
        let samples = vec![
            sample("WebSocket", 100, 1.0, low.0),
            sample(name, 100, 1.0, low.1),
            sample("WebSocket", 100, 100.0, high.0),
            sample(name, 100, 100.0, high.1),
        ];
        comparison(vec![idle(1.0), idle(100.0)], samples)
    }

    #[test]
    fn the_words_say_at_which_rates_a_transport_is_as_cheap_and_where_that_is_not_told() {
        for (parts, cpu) in [
            ([(0.24, 0.22), (0.44, 0.84)], "yes at 1 events/s; no at 100 events/s."),
            ([(0.24, 0.44), (0.44, 0.84)], "no at 1, 100 events/s."),
            (
                [(0.043, 0.044), (0.44, 0.84)],
                "no at 100 events/s; not told at 1 events/s (within what idle servers differ by).",
            ),
            ([(0.24, 0.44), (0.44, 0.99)], "no at 1 events/s; not told at 100 events/s (a CPU was full)."),
        ] {
            let text = section(&example("long poll", parts));
            assert!(text.contains("is at most 10 % more") && text.contains(&format!("as little CPU: {cpu}")), "{text}");
            assert!(text.contains("as few bytes as WebSocket: no at 1"), "{text}");
        }
    }

    #[test]
    fn how_prompt_a_poll_is_comes_from_the_figures() {
        let mut all = example("long poll", [(0.24, 0.44), (0.44, 0.84)]);
        let mut set = |at: usize, us| all.samples[at].result.latency_us.insert("p50".into(), us);
        let _ = (set(1, 1_800), set(2, 9_000), set(3, 900));
        let text = section(&all);
        assert!(text.contains("over WebSocket's in 1 of the 2 rows"), "{text}");
        assert!(text.contains("from 0.10 times to 2.0 times"), "{text}");
        assert!(text.contains("sooner because") && text.contains("a window of 20 ms"), "{text}");
        all.pace.coalesce_ms = 0;
        assert!(!section(&all).contains("sooner because"));
        all.pace.coalesce_ms = 20;
        all.samples[3].result.latency_us.insert("p50".into(), 9_500);
        assert!(!section(&all).contains("sooner because"), "it is not");
        all.samples[3].server_cpu_us = 0.99 * 4e6;
        assert!(section(&all).contains("in 0 of the 1 rows"), "a full row is left out");
    }

    /// Whether a long poll has as little CPU at 10 events/s, given its part of a core and that of the WebSocket: 4 % are the
    /// market's, and idle servers differ by `spread`.
    fn told(poll: f64, socket: f64, spread: f64) -> Option<bool> {
        let samples = vec![sample("WebSocket", 100, 10.0, socket), sample("long poll", 100, 10.0, poll)];
        let all = comparison(vec![Idle::new(10.0, vec![0.04 - spread / 2.0, 0.04 + spread / 2.0])], samples);
        cpu_ratio(&all, &all.samples[1], &all.samples[0]).map(|ratio| ratio <= AS_CHEAP)
    }

    #[test]
    fn cpu_is_told_from_what_the_clients_add() {
        assert_eq!(told(0.46, 0.44, 0.01), Some(true), "0.42 beside 0.40");
        assert_eq!(told(0.24, 0.14, 0.01), Some(false), "0.20 beside 0.10");
        assert_eq!(told(0.153, 0.14, 0.001), Some(false), "the whole is within 10 %, but it is 0.113 beside 0.100");
        assert_eq!(told(0.045, 0.048, 0.01), None, "both add less than idle servers differ by");
        assert_eq!(told(0.058, 0.045, 0.01), None, "0.018 beside at most 0.010: closer than that");
        assert_eq!(told(0.14, 0.03, 0.01), Some(false), "0.100 beside at most 0.010, whatever it is");
        assert_eq!(told(0.03, 0.14, 0.01), Some(true), "at most 0.010 beside 0.100");
        assert_eq!(told(0.155, 0.14, 0.01), None, "0.115 beside a limit of 0.110: closer than that");
    }

    #[test]
    fn cpu_beyond_that_of_a_socket_is_counted_for_1000_clients() {
        let told = |poll| {
            let samples = vec![sample("WebSocket", 1_000, 10.0, 0.10), sample("long poll", 1_000, 10.0, poll)];
            let all = comparison(vec![Idle::new(10.0, vec![0.039, 0.041])], samples);
            is_little_more(&all, &all.samples[1], &all.samples[0])
        };
        assert_eq!([0.105, 0.111, 0.12].map(told), [Some(true), None, Some(false)]);
    }
}
