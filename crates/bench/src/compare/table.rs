//! The samples as table rows, for the terminal and for the page.

use std::path::Path;

use crate::compare::result::{Comparison, Sample};

/// The cell of a missing figure.
pub(crate) const NOTHING: &str = "–";
/// The least width of a column on a terminal.
const WIDTH: usize = 8;

/// The name of a column, and its cell for a sample.
type Column = (&'static str, fn(&Sample) -> String);

/// The columns that do not depend on other samples.
const COLUMNS: [Column; 16] = [
    ("clients", |sample| sample.clients.to_string()),
    ("events/s", |sample| sample.rate.to_string()),
    ("transport         ", named),
    ("events", |sample| sample.result.events.to_string()),
    ("requests/event", |sample| significant(sample.requests_per_event())),
    ("in vain", |sample| format!("{:.0} %", 100.0 * (1.0 - 1.0 / sample.requests_per_event().max(1.0)))),
    ("requests/client/s", |sample| significant(sample.requests_per_client_second())),
    ("B/event", |sample| significant(sample.bytes_per_event())),
    ("B/client/s", |sample| significant(sample.bytes_per_client_second())),
    ("p50 ms", |sample| significant(sample.p50_ms())),
    ("p99 ms", |sample| figure(sample.p99_ms())),
    ("gross µs/event", |sample| significant(sample.cpu_us_per_event(sample.server_cpu()))),
    ("server CPU", |sample| format!("{:.0} %", 100.0 * sample.server_cpu())),
    ("own CPU", |sample| format!("{:.0} %", 100.0 * sample.generator_cpu)),
    ("faults", |sample| (sample.result.missing + sample.result.repeated + sample.result.faults).to_string()),
    ("open ends", |sample| sample.result.open_ended.to_string()),
];

/// Returns a number with two significant digits, or without fraction.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.01 => format!("{value:.4}"),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 1.0 => format!("{value:.2}"),
        size if size < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Returns a figure, or [`NOTHING`].
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or(NOTHING.into(), significant)
}

/// Returns the transport, and whether a CPU was full.
pub(crate) fn named(sample: &Sample) -> String {
    format!("{}{}", sample.result.transport, if sample.is_full() { " (full)" } else { "" })
}

/// Returns the names of the columns for a terminal.
pub(crate) fn head() -> String {
    COLUMNS.map(|(name, _)| format!("{name:>WIDTH$}")).join(" ")
}

/// Returns a row for a terminal.
pub(crate) fn row(sample: &Sample) -> String {
    COLUMNS.map(|(name, cell)| format!("{:>width$}", cell(sample), width = WIDTH.max(name.chars().count()))).join(" ")
}

/// Returns the names of the columns for the page, and the cells of every sample.
pub(crate) fn matrix(comparison: &Comparison) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let names = COLUMNS.iter().map(|(name, _)| name.trim()).chain(["net µs/event"]).collect();
    let row = |sample: &Sample| {
        let net = figure(comparison.net_us_per_event(sample));
        COLUMNS.iter().map(|(_, cell)| cell(sample)).chain([net]).collect()
    };
    (names, comparison.samples.iter().map(row).collect())
}

/// Returns the last lines on the terminal.
pub(crate) fn foot(comparison: &Comparison, out: &Path) -> String {
    let together = &comparison.together;
    let same = if together.same_events { "the same events" } else { "NOT the same events" };
    let due: Vec<_> = together.transports.iter().map(|group| group.events_due.to_string()).collect();
    let verdict = if comparison.is_clean() { "clean" } else { "FAULTS: see the last columns" };
    format!(
        "\nAt the same time on one server, {} clients of each transport got {same} ({}).\n{verdict}\nwritten: {}",
        together.clients,
        due.join(", "),
        out.join("COMPARISON.md").display()
    )
}
