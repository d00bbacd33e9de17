//! Where polling is as cheap as a WebSocket, in words: every sentence is computed from the samples and true whichever way they
//! come out.

use std::fmt::Write;

use crate::crossover::{AS_CHEAP, CPU_OF_1000_CLIENTS, Verdict, bytes, cpu, cpu_more, pairs, significant};
use crate::page::{clients_most, others};
use crate::result::{Comparison, Sample};

/// A sample, and that of the WebSocket at the same rate with as many clients.
type Pair<'a> = (&'a Sample, &'a Sample);

/// Returns the section.
pub(crate) fn section(comparison: &Comparison) -> String {
    let samples = &comparison.samples;
    let clients = clients_most(samples);
    let mut text = format!(
        "## Where polling is as cheap\n\n\
         Measured with {clients} clients; rates are those of each client. \"As few\", \"as little\" and \"as cheap\" is at most {:.0} % more than\n\
         WebSocket for each event, CPU net of what servers without clients spend; between the rates measured, a straight line over the\n\
         logarithm of the rate.\n\n",
        100.0 * (AS_CHEAP - 1.0)
    );
    for name in others(samples) {
        let pairs = pairs(samples, name, clients);
        let (bytes, cpu) = (bytes(&pairs), cpu(comparison, &pairs));
        let _ = writeln!(
            text,
            "- **{name}**: as few bytes as WebSocket: {}; as little CPU: {}.",
            bytes.words(),
            cpu.words()
        );
        if pairs.iter().any(|(sample, _)| sample.result.is_poll) {
            let _ = writeln!(
                text,
                "  - At most {} % of a core more than WebSocket for 1,000 clients: {}.",
                100.0 * CPU_OF_1000_CLIENTS,
                cpu_more(comparison, &pairs).words()
            );
            text += &at_the_ends(&pairs, (&bytes, &cpu));
            text += &promptness(comparison, name);
        }
    }
    text + "\n"
}

/// What a poll costs at the lowest rate and at the highest where no CPU was full: there it asks in vain, here it bundles.
fn at_the_ends(pairs: &[Pair<'_>], (bytes, cpu): (&Verdict, &Verdict)) -> String {
    let mut free = pairs.iter().filter(|(sample, socket)| !sample.is_full() && !socket.is_full());
    let Some((low, socket)) = free.next() else { return String::new() };
    let rate = low.rate;
    let mut text = format!(
        "  - At {rate} events/s, the lowest rate, it is {} and {}: a client has {} bytes and {} requests per second\n    (WebSocket: {} bytes)",
        told(cpu.is_cheap_at(rate), "CPU"),
        told(bytes.is_cheap_at(rate), "bytes"),
        significant(low.bytes_per_client_second()),
        significant(low.requests_per_client_second()),
        significant(socket.bytes_per_client_second()),
    );
    let in_vain = 1.0 - 1.0 / low.requests_per_event();
    if in_vain > 0.0 {
        let _ = write!(text, ", and at least {:.0} % of the requests are in vain", 100.0 * in_vain);
    }
    text += ".\n";
    if let Some((high, _)) = free.next_back() {
        let _ = writeln!(
            text,
            "  - At {} events/s it is {} and {}: one request brings {} events, on average.",
            high.rate,
            told(cpu.is_cheap_at(high.rate), "CPU"),
            told(bytes.is_cheap_at(high.rate), "bytes"),
            significant(1.0 / high.requests_per_event().max(f64::MIN_POSITIVE)),
        );
    }
    text
}

fn told(is_cheap: Option<bool>, what: &str) -> String {
    match is_cheap {
        Some(true) => format!("as cheap in {what}"),
        Some(false) => format!("not as cheap in {what}"),
        None => format!("not told apart in {what}"),
    }
}

/// How late a poll is beside WebSocket, with any number of clients.
fn promptness(comparison: &Comparison, name: &str) -> String {
    let samples = &comparison.samples;
    let mut counts: Vec<_> = samples.iter().map(|sample| sample.clients).collect();
    counts.sort_unstable();
    counts.dedup();
    let all = counts.iter().flat_map(|clients| pairs(samples, name, *clients));
    let ratio = |(sample, socket): &Pair<'_>| sample.p50_ms() / socket.p50_ms().max(f64::MIN_POSITIVE);
    let mut free: Vec<_> = all.filter(|(sample, socket)| !sample.is_full() && !socket.is_full()).collect();
    free.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let (Some(first), Some(last)) = (free.first(), free.last()) else { return String::new() };
    let prompt = free.iter().filter(|pair| ratio(pair) <= AS_CHEAP).count();
    let at = |pair: &Pair<'_>| {
        format!(
            "{} times ({} ms beside {} ms, {} at {} events/s)",
            significant(ratio(pair)),
            significant(pair.0.p50_ms()),
            significant(pair.1.p50_ms()),
            if pair.0.clients == 1 { "1 client".into() } else { format!("{} clients", pair.0.clients) },
            pair.0.rate
        )
    };
    let mut text = format!(
        "  - Its median latency is at most {:.0} % over WebSocket's in {prompt} of the {} rows in which no CPU was full: from {} to\n    {}.\n",
        100.0 * (AS_CHEAP - 1.0),
        free.len(),
        at(first),
        at(last),
    );
    let coalesce_ms = comparison.pace.map_or(0, |pace| pace.coalesce_ms);
    if ratio(first) * AS_CHEAP < 1.0 && coalesce_ms > 0 {
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
    use crate::example::{comparison, sample};
    use crate::idle::Idle;
    use crate::result::Pace;

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
    fn a_long_poll_that_is_cheap_at_low_rates_is_said_to_be() {
        let text = section(&example("long poll", [(0.24, 0.22), (0.44, 0.84)]));
        for part in [
            "is at most 10 % more",
            "as little CPU: up to about 2.3 events/s (yes at 1, no at 100).",
            "as few bytes as WebSocket: at none of 1 and 100 events/s",
            "At 1 events/s, the lowest rate, it is as cheap in CPU and not as cheap in bytes",
            "At 100 events/s it is not as cheap in CPU and not as cheap in bytes: one request brings 1.0 events",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn one_that_is_not_is_said_not_to_be_and_noise_is_said_to_be_noise() {
        let text = section(&example("long poll", [(0.24, 0.44), (0.44, 0.84)]));
        assert!(text.contains("as little CPU: at none of 1 and 100 events/s."), "{text}");
        assert!(text.contains("the lowest rate, it is not as cheap in CPU"), "{text}");
        let text = section(&example("long poll", [(0.043, 0.044), (0.44, 0.84)]));
        assert!(text.contains("not at 100 events/s; not told at 1 events/s (within what idle"), "{text}");
        assert!(text.contains("the lowest rate, it is not told apart in CPU"), "{text}");
    }

    #[test]
    fn a_full_row_is_no_end() {
        let text = section(&example("long poll", [(0.24, 0.44), (0.44, 0.99)]));
        assert!(
            text.contains("not told at 100 events/s (a CPU was full)") && !text.contains("At 100 events/s"),
            "{text}"
        );
        assert!(text.contains("in 1 of the 1 rows"), "{text}");
    }

    #[test]
    fn how_prompt_a_poll_is_comes_from_the_figures() {
        let mut all = example("long poll", [(0.24, 0.44), (0.44, 0.84)]);
        let mut set = |at: usize, us| all.samples[at].result.latency_us.insert("p50".into(), us);
        let _ = (set(1, 1_800), set(2, 9_000), set(3, 900));
        let text = section(&all);
        assert!(text.contains("over WebSocket's in 1 of the 2 rows"), "{text}");
        assert!(
            text.contains("from 0.10 times (0.90 ms beside 9.0 ms, 100 clients at 100 events/s) to\n    2.0 times"),
            "{text}"
        );
        assert!(text.contains("sooner because") && text.contains("a window of 20 ms"), "{text}");
        all.pace = Some(Pace { coalesce_ms: 0, burst_writes: 1, heartbeat_ms: 1 });
        assert!(!section(&all).contains("sooner because"));
        all.samples[3].result.latency_us.insert("p50".into(), 9_500);
        all.pace = Some(Pace { coalesce_ms: 20, burst_writes: 1, heartbeat_ms: 1 });
        assert!(!section(&all).contains("sooner because"), "it is not");
    }

    #[test]
    fn requests_in_vain_are_counted() {
        let mut all = example("short poll 100 ms", [(0.24, 0.44), (0.44, 0.84)]);
        all.samples[1].result.requests = 10 * all.samples[1].result.events;
        all.samples[3].result.requests = all.samples[3].result.events / 10;
        let text = section(&all);
        assert!(text.contains("at least 90 % of the requests are in vain"), "{text}");
        assert!(text.contains("one request brings 10 events"), "{text}");
    }
}
