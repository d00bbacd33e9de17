//! How the comparison was measured, in words: what holds for every figure of the page, computed from the raw data.

use crate::compare::result::{Comparison, GroupResult, Pace};
use crate::compare::table::significant;

/// Returns the section: `method.md` with the figures filled in.
pub(crate) fn section(comparison: &Comparison) -> String {
    let Comparison { machine, together, samples, delayed, .. } = comparison;
    let pace = comparison.pace;
    let longest = samples.iter().chain(delayed).map(|sample| sample.window_s).fold(0.0, f64::max);
    let heartbeat_s = pace.heartbeat_ms as f64 / 1e3;
    let idle = comparison.idle.iter().map(|idle| {
        let ((low, high), percent) = (idle.range(), |part: f64| format!("{:.2}", 100.0 * part));
        format!("{} % ({} to {}) at {} events/s", percent(idle.server_cpu), percent(low), percent(high), idle.rate)
    });
    let times = comparison.idle.iter().map(|idle| idle.measurements.len()).min().unwrap_or_default();
    let due = together.transports.iter().map(|group| format!("{} {}", group.transport, group.events_due));
    let sum = |figure: fn(&GroupResult) -> u64| comparison.results().map(figure).sum::<u64>();
    format!(
        include_str!("method.md"),
        date = machine.date,
        commit = machine.commit,
        cpu = machine.cpu,
        cores = machine.cores,
        memory_gib = machine.memory_gib,
        kernel = machine.kernel,
        pinned = if comparison.pinned { "each on a core of its own" } else { "NOT on cores of their own" },
        arguments = match comparison.arguments.as_slice() {
            [] => "no arguments".into(),
            some => format!("arguments `{}`", some.join(" ")),
        },
        seed = comparison.seed,
        symbols = comparison.symbols_per_client,
        coalescing = words_of_coalescing(pace),
        heartbeat_s = heartbeat_s,
        heartbeats = (longest / heartbeat_s).floor() + 1.0,
        longest = significant(longest),
        times = if times > 1 { format!("{times} times, before the matrix and after it") } else { "once".into() },
        idle = idle.collect::<Vec<_>>().join(", "),
        missing = sum(|result| result.missing),
        repeated = sum(|result| result.repeated),
        faults = sum(|result| result.faults),
        open_ended = sum(|result| result.open_ended as u64),
        clients = together.clients,
        same = if together.same_events { "the same events in the same order" } else { "**not** the same events" },
        due = due.collect::<Vec<_>>().join(", "),
    )
}

fn words_of_coalescing(Pace { coalesce_ms, burst_writes, .. }: Pace) -> String {
    if coalesce_ms == 0 {
        return "What is pushed is not coalesced (`push.coalesce_ms` 0).".into();
    }
    format!(
        "What is pushed, over WebSocket and SSE, is coalesced: after a quiet time {burst_writes} writes go at once, then one in\n  \
         {coalesce_ms} ms (`push.coalesce_ms`), so that an event can wait for so long. A poll is answered at once."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};
    use crate::compare::result::Idle;

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
        all.pace.coalesce_ms = 0;
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
