//! The comparison as text for a terminal, a row as soon as it is measured.

use std::path::Path;

use crate::result::{Comparison, Sample};

/// What stands where there is no figure.
pub(crate) const NOTHING: &str = "–";

/// Returns the names of the columns.
pub(crate) fn head() -> String {
    format!(
        "{:>7} {:>8} {:<19} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7} {:>7} {:>7}",
        "clients",
        "events/s",
        "transport",
        "events",
        "req/event",
        "B/event",
        "p50 ms",
        "p99 ms",
        "behind ms",
        "gross µs",
        "server",
        "own",
        "faults"
    )
}

/// Returns a row.
pub(crate) fn row(sample: &Sample) -> String {
    let result = &sample.result;
    format!(
        "{:>7} {:>8} {:<19} {:>9} {:>9.3} {:>9.1} {:>9.2} {:>9} {:>9.2} {:>10.2} {:>6.1}% {:>6.1}% {:>7}",
        sample.clients,
        sample.rate,
        result.transport,
        result.events,
        sample.requests_per_event(),
        sample.bytes_per_event(),
        sample.p50_ms(),
        sample.p99_ms().map_or_else(|| NOTHING.into(), |ms| format!("{ms:.2}")),
        result.behind_ms,
        sample.cpu_us_per_event(sample.server_cpu()),
        100.0 * sample.server_cpu(),
        100.0 * sample.generator_cpu,
        result.unclean(),
    )
}

/// Returns what is said at the end.
pub(crate) fn foot(comparison: &Comparison, out: &Path) -> String {
    let together = &comparison.together;
    let same = if together.same_events { "the same events" } else { "NOT the same events" };
    let due: Vec<_> = together.transports.iter().map(|group| group.events_due.to_string()).collect();
    let verdict = if comparison.is_clean() { "clean" } else { "FAULTS: see the last column" };
    format!(
        "\nAt the same time on one server, {} clients of each transport got {same} ({}).\n{verdict}\nwritten: {}",
        together.clients,
        due.join(", "),
        out.join("COMPARISON.md").display()
    )
}
