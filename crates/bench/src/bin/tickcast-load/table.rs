//! The report for people: one fact a line, numbers aligned, what is wrong at the end.

use std::fmt::Write;

use crate::report::{Quantiles, Report, Server};

/// The width of the names.
const NAME_WIDTH: usize = 20;

/// Returns the report as text of several lines.
pub(crate) fn render(report: &Report) -> String {
    let mut table = Table::default();
    table.line("url", &report.url);
    sessions(&mut table, report);
    window(&mut table, report);
    completeness(&mut table, report);
    if let Some(server) = &report.server {
        usage(&mut table, server, report);
    }
    let generator = &report.generator;
    let parts = [generator.cpu_us_per_event, generator.cpu_user_us_per_event, generator.cpu_system_us_per_event];
    table.line("generator cpu", &cpu(parts, generator.cpu_fraction, generator.cpu_wait_fraction));
    for warning in &report.warnings {
        table.line("warning", warning);
    }
    for failure in &report.failures {
        table.line("FAILED", failure);
    }
    if report.clean {
        table.line("result", "clean");
    }
    table.0.truncate(table.0.trim_end().len());
    table.0
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, name: &str, value: &str) {
        writeln!(self.0, "{name:<NAME_WIDTH$} {value}").expect("a string takes everything");
    }
}

fn sessions(table: &mut Table, report: &Report) {
    let sessions = &report.sessions;
    let mut text = format!("{} active", sessions.active);
    for (count, name) in [(sessions.idle, "idle"), (sessions.stalled, "stalled")] {
        if count > 0 {
            write!(text, ", {count} {name}").expect("a string takes everything");
        }
    }
    write!(text, "; {} opened, {} failed, {} dropped", sessions.opened, sessions.failed, sessions.dropped)
        .expect("a string takes everything");
    if sessions.stalled > 0 {
        write!(text, "; {} stalled were ended", sessions.stalled_ended).expect("a string takes everything");
    }
    table.line("sessions", &text);
    quantiles(table, "connect us", report.connect_us.as_ref());
    for (reason, count) in &report.connect_failures {
        table.line("connect failure", &format!("{count} times: {reason}"));
    }
    for (code, count) in &report.closes {
        table.line("closed by server", &format!("{count} times with {code}"));
    }
}

fn window(table: &mut Table, report: &Report) {
    let window = &report.window;
    let early = if report.interrupted { " (interrupted)" } else { "" };
    table.line("measured", &format!("{:.1} s{early}", report.window_s));
    table.line("events", &format!("{}, {:.0} per second", window.events, window.events_per_s));
    table.line("frames", &format!("{}, {:.0} per second", window.frames, window.frames_per_s));
    table.line("reads", &format!("{}, {} events each", window.reads, decimal(window.events_per_read)));
    table.line("bytes", &format!("{}, {:.2} MB per second", window.bytes, window.bytes_per_s / 1e6));
    quantiles(table, "latency us", report.latency_us.as_ref());
    if let Some(spread) = &report.events_per_session {
        table.line("events per session", &format!("min {}, median {}, max {}", spread.min, spread.median, spread.max));
    }
}

fn completeness(table: &mut Table, report: &Report) {
    let (counts, sessions) = (&report.completeness, &report.sessions);
    table.line(
        "completeness",
        &format!(
            "due {}, arrived {}, missing {}, merged {}, repeated {}",
            counts.due, counts.arrived, counts.missing, counts.merged, counts.repeated
        ),
    );
    table.line(
        "checked",
        &format!("{} streams; {} of {} sessions to their end", counts.streams, sessions.verified, sessions.active),
    );
    if report.lag.messages > 0 || counts.holes > 0 {
        let (lag, holes) = (&report.lag, counts.holes);
        let unannounced = counts.sessions_unannounced;
        table.line(
            "lag",
            &format!(
                "{} messages announce {} skipped; {holes} holes; {unannounced} sessions where these do not agree",
                lag.messages, lag.skipped
            ),
        );
    }
    if let Some(first) = &report.errors.first {
        table.line("errors", &format!("{}, the first: {first}", report.errors.count));
    }
}

fn usage(table: &mut Table, server: &Server, report: &Report) {
    let parts = [server.cpu_us_per_event, server.cpu_user_us_per_event, server.cpu_system_us_per_event];
    table.line("server cpu", &cpu(parts, server.cpu_fraction, server.cpu_wait_fraction));
    table.line(
        "server memory",
        &format!(
            "{} MiB before, {} at start, {} at end, {} peak",
            mebibytes(server.rss_before_bytes),
            mebibytes(server.rss_start_bytes),
            mebibytes(server.rss_end_bytes),
            mebibytes(server.rss_peak_bytes)
        ),
    );
    let kib = |bytes: f64| format!("{:.1} KiB", bytes / 1_024.0);
    let per_session = server.rss_per_session_bytes.map_or_else(|| "-".into(), kib);
    let slope = server.rss_slope_bytes_per_min.map_or_else(|| "-".into(), kib);
    table.line("", &format!("{per_session} per session; {slope} a minute over {:.0} s", report.window_s));
    if let (Some(before), Some(peak)) = (server.tcp_before_bytes, server.tcp_peak_bytes) {
        table.line("kernel tcp memory", &format!("{} MiB before, {} peak", mebibytes(before), mebibytes(peak)));
    }
}

fn quantiles(table: &mut Table, name: &str, quantiles: Option<&Quantiles>) {
    if let Some(Quantiles { p50, p90, p99, p99_9, max, .. }) = quantiles {
        table.line(name, &format!("p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}"));
    }
}

fn cpu(per_event: [Option<f64>; 3], fraction: f64, wait_fraction: Option<f64>) -> String {
    let [total, user, system] = per_event.map(decimal);
    let waited = wait_fraction.map(|waited| format!(", waited {:.1} %", waited * 100.0)).unwrap_or_default();
    format!("{total} us per event ({user} user, {system} system), {:.1} % of a core{waited}", fraction * 100.0)
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^53")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
