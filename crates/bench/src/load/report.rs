//! The report of a run: verdict, and figures as JSON or a table. The keys of the JSON object are a contract; [`KEYS`] documents them
//! for `--help`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tickcast_core::protocol::{CloseReason, Reconnect};

use crate::load::options::Plan;
use crate::load::run::Outcome;
use crate::load::tally::quantiles;
use crate::process::{CpuTime, Usage};

/// Above this share of one core this program is too busy, and adds to the latencies that it measures.
const BUSY_FRACTION: f64 = 0.85;
/// Above this share of the window, waiting for a CPU distorts the figures. A few per cent are normal if several threads share a
/// core.
const WAIT_FRACTION: f64 = 0.25;
/// The width of the names in the table.
const NAME_WIDTH: usize = 20;

/// The keys of the JSON object, for `--help`.
pub(crate) const KEYS: &str = include_str!("keys.txt");

/// The lines of the table: keys of the JSON object. A line lists the keys and values below its key.
const LINES: [&str; 13] = [
    "sessions",
    "connect_us",
    "connect_failures",
    "closes",
    "window_s",
    "window",
    "latency_us",
    "completeness",
    "lag",
    "errors",
    "malformed",
    "server",
    "generator",
];

/// Everything that is reported.
#[derive(Debug)]
pub(crate) struct Report {
    /// Whether `failures` is empty.
    pub(crate) clean: bool,
    /// The JSON object.
    pub(crate) value: Value,
}

impl Report {
    /// Returns the report of a run.
    pub(crate) fn new(plan: &Plan, outcome: &Outcome) -> Self {
        let Outcome { completeness: counts, tally, traffic, events, .. } = outcome;
        let failures = failures(plan, outcome);
        let seconds = outcome.window.as_secs_f64();
        let per_second = |count: u64| float(count) / seconds;
        let generator = costs(&outcome.own.cpu, outcome);
        let server = outcome.server.as_ref().and_then(|server| server.as_ref().ok());
        let server = server.map(|usage| (costs(&usage.cpu, outcome), usage));
        let waited = server.as_ref().map(|(costs, _)| costs);
        let value = json!({
            "tool": "tickcast-load",
            "version": env!("CARGO_PKG_VERSION"),
            "url": plan.url.url,
            "interrupted": outcome.interrupted,
            "window_s": seconds,
            "clean": failures.is_empty(),
            "warnings": warnings(outcome, &generator, waited),
            "failures": failures,
            "sessions": {
                "opened": tally.opened(), "failed": tally.failed(), "dropped": tally.dropped(),
                "stalled_ended": tally.stalled_ended, "active": plan.sessions(), "idle": plan.idle, "stalled": plan.stalled,
                "native": outcome.native, "verified": outcome.verified,
            },
            "connect_us": quantiles(&tally.connect),
            "connect_failures": tally.failed,
            "closes": tally.closes,
            "lag": { "messages": tally.lags, "skipped": tally.lag_skipped },
            "errors": { "count": tally.errors, "first": tally.first_error },
            "malformed": tally.malformed,
            "window": {
                "events": events, "frames": traffic.frames, "reads": traffic.reads, "bytes": traffic.bytes_down,
                "events_per_s": per_second(*events), "frames_per_s": per_second(traffic.frames),
                "reads_per_s": per_second(traffic.reads), "bytes_per_s": per_second(traffic.bytes_down),
                "events_per_read": (traffic.reads > 0).then(|| float(*events) / float(traffic.reads)),
                "early": tally.early,
            },
            "latency_us": quantiles(&tally.latency),
            "completeness": merged(json!(counts), json!({ "sessions_unannounced": outcome.unannounced })),
            "server": server.map(|(costs, usage)| merged(costs, memory(usage, tally.opened()))),
            "generator": merged(generator, json!({ "rss_peak_bytes": outcome.own.rss_peak_bytes })),
        });
        Self { clean: value["clean"] == true, value }
    }

    /// Returns the report as a table; warnings and failures are at the end.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, words: &str| {
            // A string takes everything.
            let _ = writeln!(text, "{name:<NAME_WIDTH$} {words}");
        };
        for (name, value) in ["url"].iter().chain(&LINES).map(|name| (*name, &self.value[*name])) {
            if !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty()) {
                line(name, &words(value));
            }
        }
        // The load generator does not reconnect; it prints what a client should do.
        for reason in CloseReason::ALL.iter().filter(|_| self.value["sessions"]["native"] != 0) {
            if let Some(count) = self.value["closes"][reason.code().to_string()].as_u64() {
                let advice = match reason.reconnect() {
                    Reconnect::Never => "do not reconnect".to_owned(),
                    Reconnect::Resume { delay_ms } => format!("reconnect with the cursor after {delay_ms} ms"),
                    Reconnect::Restart => "reconnect without the cursor after retry_after_ms".to_owned(),
                };
                line("closed", &format!("{count} with {} ({}): {advice}", reason.code(), reason.name()));
            }
        }
        for (name, list) in [("warning", "warnings"), ("FAILED", "failures")] {
            self.value[list].as_array().into_iter().flatten().for_each(|one| line(name, &words(one)));
        }
        let result = match (self.clean, &self.value["interrupted"]) {
            (false, _) => "not clean",
            (true, Value::Bool(true)) => "clean (interrupted)",
            (true, _) => "clean",
        };
        text + &format!("{:<NAME_WIDTH$} {result}", "result")
    }
}

/// Formats a value: an object as its pairs separated by commas, a list as its length.
fn words(value: &Value) -> String {
    match value {
        Value::Object(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key} {}", words(value))).collect();
            pairs.join(", ")
        }
        Value::Array(list) => format!("({})", list.len()),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// Returns the reasons why a run is not clean.
fn failures(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let Outcome { completeness: counts, tally, .. } = outcome;
    let unverified = outcome.native.saturating_sub(outcome.verified);
    let is_lag_accepted = plan.allow_lag && outcome.unannounced == 0;
    let counted = [
        (tally.failed(), "connections failed"),
        (tally.dropped(), "sessions were dropped"),
        (if is_lag_accepted { 0 } else { counts.missing }, "events are missing"),
        (counts.repeated, "events were repeated or out of order"),
        (counts.snapshots_stale, "snapshots were older than events before them"),
        (unverified as u64, "sessions could not be checked to their end"),
        (tally.errors, "requests were answered with an error"),
        (if outcome.native > 0 { tally.malformed } else { 0 }, "messages were not JSON"),
    ];
    let counted = counted.iter().map(|(count, what)| (*count > 0, format!("{count} {what}")));
    let is_contradictory = counts.due != counts.arrived + counts.missing + counts.merged;
    let others = [
        (is_contradictory, "the sums of due and arrived events contradict each other"),
        (plan.sessions() > 0 && tally.events == 0, "no event arrived"),
        (!outcome.settled && !outcome.interrupted, "not every session was subscribed when the measurement began"),
    ];
    let all = counted.chain(others.map(|(is_so, what)| (is_so, what.to_owned())));
    let mut failures: Vec<_> = all.filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
    if let Some(Err(err)) = &outcome.server {
        failures.push(format!("the server's process has ended: {err}"));
    }
    failures
}

fn warnings(outcome: &Outcome, generator: &Value, server: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    if generator["cpu_fraction"].as_f64() > Some(BUSY_FRACTION) {
        warnings.push("the load generator was busy: the latencies include its own delay".into());
    }
    for (name, costs) in [("the load generator", Some(generator)), ("the server", server)] {
        let waited = costs.and_then(|costs| costs["cpu_wait_fraction"].as_f64());
        if let Some(waited) = waited.filter(|waited| *waited > WAIT_FRACTION) {
            let percent = waited * 100.0;
            warnings.push(format!("{name} waited for the CPU {percent:.0} % of the time: something else was running"));
        }
    }
    let tally = &outcome.tally;
    if tally.early > 0 {
        warnings.push(format!(
            "{} events have a `ts` in the future: it must be microseconds since 1970, by this machine's clock",
            tally.early
        ));
    }
    if tally.malformed > 0 && outcome.native == 0 {
        warnings.push(format!("{} messages were not JSON", tally.malformed));
    }
    warnings
}

/// Returns the CPU time of the window for each event, and as a share of one core.
fn costs(cpu: &CpuTime, outcome: &Outcome) -> Value {
    let per_event = |time: Duration| (outcome.events > 0).then(|| time.as_secs_f64() * 1e6 / float(outcome.events));
    let fraction = |time: Duration| time.as_secs_f64() / outcome.window.as_secs_f64();
    json!({
        "cpu_us_per_event": per_event(cpu.total()),
        "cpu_user_us_per_event": per_event(cpu.user),
        "cpu_system_us_per_event": per_event(cpu.system),
        "cpu_fraction": fraction(cpu.total()),
        "cpu_wait_fraction": cpu.waited.map(fraction),
    })
}

fn memory(usage: &Usage, opened: u64) -> Value {
    let added = float(usage.rss_start_bytes) - float(usage.rss_before_bytes);
    merged(json!(usage), json!({ "rss_per_session_bytes": (opened > 0).then(|| added / float(opened)) }))
}

/// Merges two objects.
fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
