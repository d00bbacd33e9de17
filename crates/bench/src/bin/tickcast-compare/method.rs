//! How the comparison was measured, in words: what holds for every figure of the page, computed from the raw data.

use std::time::Duration;

use tickcast_bench::http::get_request;

use crate::crossover::significant;
use crate::result::{Comparison, GroupResult, Pace};

/// Returns the section.
pub(crate) fn section(comparison: &Comparison) -> String {
    let Comparison { machine, .. } = comparison;
    let cores = if comparison.pinned { "each on a core of its own" } else { "NOT on cores of their own" };
    let arguments = match comparison.arguments.as_slice() {
        [] => "no arguments".into(),
        some => format!("arguments `{}`", some.join(" ")),
    };
    let request = get_request("", "/", "");
    let headers = request.lines().skip(1).filter_map(|line| Some(format!("`{}`", line.split_once(':')?.0)));
    format!(
        "## How it was measured\n\n\
         - {date}, commit `{commit}`; {cpu}, {count} cores, {memory} GiB, Linux {kernel}; loopback; server and generator {cores}.\n\
         - With {arguments}; seed {seed}; {symbols} symbols for each client, channel `trades`, mode `all`; a server of its own, with one worker, for each row.\n\
         {pace}\
         - Bytes are those of the TCP streams, both ways, with all headers and framing, without those of TCP and IP; what a client\n  \
           sends and gets once, to connect and subscribe, is in the raw data as `setup_bytes`. The headers of a poll's request are {headers},\n  \
           no more; a browser sends others too.\n\
         - Latency is from the event's time stamp to the `read` that brought it. It is that of all events made in the window,\n  \
           however late they came. Where a CPU is full, it is that of the queue before it.\n\
         - Staleness: `age` is the mean age of the last known price over time and symbols; `behind` is the part of it that is not\n  \
           the market's own quiet, so that one who knows every price at once has 0. A market begins with its server: where a symbol has no event for longer\n  \
           than a measurement takes, both are shorter than they become with time, and `behind` goes towards the mean latency.\n\
         {idle}\
         - A short poll asks once in its interval, a long poll as soon as it is answered (it does not say `wait_ms`); each client keeps\n  \
           one connection and has one question at a time.\n\
         {complete}",
        date = machine.date,
        commit = machine.commit,
        cpu = machine.cpu,
        count = machine.cores,
        memory = machine.memory_gib,
        kernel = machine.kernel,
        seed = comparison.seed,
        symbols = comparison.symbols_per_client,
        pace = comparison.pace.map(|pace| words_of_pace(pace, comparison)).unwrap_or_default(),
        headers = headers.collect::<Vec<_>>().join(" and "),
        idle = words_of_idle(comparison),
        complete = words_of_completeness(comparison),
    )
}

/// What the server does by itself, and when.
fn words_of_pace(pace: Pace, comparison: &Comparison) -> String {
    let Pace { coalesce_ms, burst_writes, heartbeat_ms } = pace;
    let coalescing = if coalesce_ms == 0 {
        "- What is pushed is not coalesced (`push.coalesce_ms` 0).".into()
    } else {
        format!(
            "- What is pushed, over WebSocket and SSE, is coalesced: after a quiet time {burst_writes} writes go at once, then one in\n  \
             {coalesce_ms} ms (`push.coalesce_ms`), so that an event can wait for so long. A poll is answered at once."
        )
    };
    let longest =
        comparison.samples.iter().chain(&comparison.delayed).map(|sample| sample.window_s).fold(0.0, f64::max);
    let heartbeat_s = Duration::from_millis(heartbeat_ms).as_secs_f64();
    format!(
        "{coalescing}\n\
         - After {heartbeat_s} s without anything to say there is a heartbeat: at most {most} for each client in the longest window, which was\n  \
           {longest} s. Their bytes are counted.\n",
        most = (longest / heartbeat_s).floor() + 1.0,
        longest = significant(longest),
    )
}

/// What servers without clients have spent.
fn words_of_idle(comparison: &Comparison) -> String {
    let each: Vec<_> = comparison
        .idle
        .iter()
        .map(|idle| {
            let (low, high) = idle.range();
            let percent = |part: f64| format!("{:.2}", 100.0 * part);
            format!("{} % ({} to {}) at {} events/s", percent(idle.server_cpu), percent(low), percent(high), idle.rate)
        })
        .collect();
    let times = comparison.idle.iter().map(|idle| idle.measurements.len()).min().unwrap_or_default();
    let times = if times > 1 { format!("{times} times, before the matrix and after it") } else { "once".into() };
    format!(
        "- CPU is that of the server's whole process, its market included. Net is without the mean of what servers without clients\n  \
           spend, each measured {times}; in % of a core, with the lowest and the highest: {}.\n  \
           What is left is no figure where it is less than these two differ by, and there is no verdict where the limit of \"as little\" is\n  \
           nearer than that. Each row is one measurement.\n  \
           The generator's own CPU is in the raw data and the matrix, that of the proxy in it.\n",
        each.join(", ")
    )
}

/// What has come, and what is proven about it.
fn words_of_completeness(comparison: &Comparison) -> String {
    let together = &comparison.together;
    let due: Vec<_> =
        together.transports.iter().map(|group| format!("{} {}", group.transport, group.events_due)).collect();
    let same = if together.same_events { "the same events in the same order" } else { "**not** the same events" };
    let sum = |figure: fn(&GroupResult) -> u64| comparison.results().map(figure).sum::<u64>();
    format!(
        "- What each client should have is told by the server: everything from the snapshot that a symbol begins with to the one that it\n  \
           gives over REST after the window, by `seq` and `offset`. In all measurements together: {} events missing, {} repeated, {} faults;\n  \
           {} clients whose end is not proven, because nothing happened after the window.\n\
         - At the same time on one server, {} clients of each transport got {same} ({}).\n",
        sum(|result| result.missing),
        sum(|result| result.repeated),
        sum(|result| result.faults),
        sum(|result| result.open_ended as u64),
        together.clients,
        due.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{comparison, sample};
    use crate::idle::Idle;

    fn example() -> Comparison {
        comparison(vec![Idle::new(10.0, vec![0.031, 0.033])], vec![sample("WebSocket", 100, 10.0, 0.14)])
    }

    #[test]
    fn what_the_server_does_by_itself_is_told_from_its_settings() {
        let mut all = example();
        let text = section(&all);
        for part in [
            "after a quiet time 2 writes go at once, then one in\n  20 ms (`push.coalesce_ms`)",
            "After 15 s without anything to say there is a heartbeat: at most 1 for each client",
            "request are `Host` and `Accept`,",
            "in % of a core, with the lowest and the highest: 3.20 % (3.10 to 3.30) at 10 events/s",
            "each measured 2 times",
            "With no arguments; seed 42",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        all.samples[0].window_s = 600.0;
        let text = section(&all);
        assert!(text.contains("at most 41 for each client in the longest window, which was\n  600 s"), "{text}");
        all.pace = Some(Pace { coalesce_ms: 0, burst_writes: 2, heartbeat_ms: 15_000 });
        assert!(section(&all).contains("not coalesced"), "{text}");
    }

    #[test]
    fn what_is_missing_or_not_proven_is_on_the_page() {
        let mut all = example();
        assert!(section(&all).contains(": 0 events missing, 0 repeated, 0 faults;\n  0 clients whose end"));
        all.samples[0].result.missing = 3;
        all.together.transports = vec![all.samples[0].result.clone()];
        all.together.transports[0].open_ended = 7;
        all.together.same_events = false;
        let text = section(&all);
        assert!(text.contains(": 6 events missing") && text.contains("  7 clients whose end is not proven"), "{text}");
        assert!(text.contains("got **not** the same events (WebSocket 4000)"), "{text}");
    }
}
