//! The report: what was seen, judged, and in numbers that are ready to be read. The shape of the JSON object is a contract;
//! [`KEYS`] documents it for `--help`. How it looks for people is `table`'s business.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::options::Plan;
use crate::process::CpuTime;
use crate::run::Outcome;
use crate::watch::Usage;

/// From this share of one core on, this program is too busy for its latencies to be the server's.
const BUSY_FRACTION: f64 = 0.85;
/// From this share of the window on, waiting for the CPU disturbs what is measured. A few per cent are normal where
/// several threads share a core.
const WAIT_FRACTION: f64 = 0.25;

/// The keys of the JSON object, for `--help`.
pub(crate) const KEYS: &str = "\
Exit code: 0 clean; 1 missing, repeated or no events, failed or dropped sessions, errors from the server; 2 no run.

Keys of --json (times in microseconds unless the name says otherwise; null where nothing was measured):
  tool, version, url, interrupted, window_s
  clean, failures[], warnings[]        failures is empty exactly when the exit code is 0
  sessions                             active, idle, stalled (asked for); opened, failed, dropped, stalled_ended;
                                       native (speak tickcast), verified (checked to the end)
  connect_us                           count, mean, min, p50, p90, p99, p99_9, max
  connect_failures{reason: n}, closes{code: n}, lag{messages, skipped}, errors{count, first}, malformed
  window                               events, frames, reads, bytes; events_per_s, frames_per_s, reads_per_s,
                                       bytes_per_s, events_per_read; early (events with a ts from the future)
  latency_us                           as connect_us: from the event's ts to the read that brought it
  events_per_session                   min, median, max
  completeness                         streams, due, arrived, missing, merged, holes, repeated, snapshots_stale,
                                       sessions_unannounced (missing is not what lag announced); over the whole run
  server (with --pid)                  cpu_us_per_event, cpu_user_us_per_event, cpu_system_us_per_event, cpu_fraction,
                                       cpu_wait_fraction (its threads were ready and others had the CPU),
                                       rss_before_bytes, rss_start_bytes, rss_end_bytes, rss_peak_bytes,
                                       rss_per_session_bytes, rss_slope_bytes_per_min, rss_series_bytes[] (one a
                                       second), tcp_before_bytes, tcp_peak_bytes (all sockets of the machine)
  generator                            cpu_us_per_event, cpu_user_us_per_event, cpu_system_us_per_event, cpu_fraction,
                                       cpu_wait_fraction, rss_peak_bytes";

/// Everything that is reported.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    tool: &'static str,
    version: &'static str,
    pub(crate) url: String,
    pub(crate) interrupted: bool,
    pub(crate) window_s: f64,
    /// Whether there is nothing to complain of.
    pub(crate) clean: bool,
    pub(crate) failures: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) sessions: Sessions,
    pub(crate) connect_us: Option<Quantiles>,
    pub(crate) connect_failures: BTreeMap<String, u64>,
    pub(crate) closes: BTreeMap<u16, u64>,
    pub(crate) lag: Lag,
    pub(crate) errors: Errors,
    pub(crate) malformed: u64,
    pub(crate) window: Window,
    pub(crate) latency_us: Option<Quantiles>,
    pub(crate) events_per_session: Option<Spread>,
    pub(crate) completeness: Arrivals,
    pub(crate) server: Option<Server>,
    pub(crate) generator: Generator,
}

/// How many sessions there were.
#[derive(Debug, Serialize)]
pub(crate) struct Sessions {
    pub(crate) active: usize,
    pub(crate) idle: usize,
    pub(crate) stalled: usize,
    pub(crate) opened: usize,
    pub(crate) failed: usize,
    pub(crate) dropped: usize,
    pub(crate) stalled_ended: usize,
    pub(crate) native: usize,
    pub(crate) verified: usize,
}

/// A distribution, in microseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) min: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
    pub(crate) max: u64,
}

/// What the server has announced as skipped.
#[derive(Debug, Serialize)]
pub(crate) struct Lag {
    pub(crate) messages: u64,
    pub(crate) skipped: u64,
}

/// What the server has refused.
#[derive(Debug, Serialize)]
pub(crate) struct Errors {
    pub(crate) count: u64,
    pub(crate) first: Option<String>,
}

/// What came in the window.
#[derive(Debug, Serialize)]
pub(crate) struct Window {
    pub(crate) events: u64,
    pub(crate) frames: u64,
    pub(crate) reads: u64,
    pub(crate) bytes: u64,
    pub(crate) events_per_s: f64,
    pub(crate) frames_per_s: f64,
    pub(crate) reads_per_s: f64,
    pub(crate) bytes_per_s: f64,
    pub(crate) events_per_read: Option<f64>,
    pub(crate) early: u64,
}

/// Events of one session in the window.
#[derive(Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) max: u64,
}

/// Whether everything came, over the whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Arrivals {
    pub(crate) streams: u64,
    pub(crate) due: u64,
    pub(crate) arrived: u64,
    pub(crate) missing: u64,
    pub(crate) merged: u64,
    pub(crate) holes: u64,
    pub(crate) repeated: u64,
    pub(crate) snapshots_stale: u64,
    pub(crate) sessions_unannounced: usize,
}

/// What the server has used.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) cpu_us_per_event: Option<f64>,
    pub(crate) cpu_user_us_per_event: Option<f64>,
    pub(crate) cpu_system_us_per_event: Option<f64>,
    pub(crate) cpu_fraction: f64,
    pub(crate) cpu_wait_fraction: Option<f64>,
    pub(crate) rss_before_bytes: u64,
    pub(crate) rss_start_bytes: u64,
    pub(crate) rss_end_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) rss_per_session_bytes: Option<f64>,
    pub(crate) rss_slope_bytes_per_min: Option<f64>,
    pub(crate) rss_series_bytes: Vec<u64>,
    pub(crate) tcp_before_bytes: Option<u64>,
    pub(crate) tcp_peak_bytes: Option<u64>,
}

/// What this program has used.
#[derive(Debug, Serialize)]
pub(crate) struct Generator {
    pub(crate) cpu_us_per_event: Option<f64>,
    pub(crate) cpu_user_us_per_event: Option<f64>,
    pub(crate) cpu_system_us_per_event: Option<f64>,
    pub(crate) cpu_fraction: f64,
    pub(crate) cpu_wait_fraction: Option<f64>,
    pub(crate) rss_peak_bytes: u64,
}

impl Report {
    /// Judges a run.
    pub(crate) fn new(plan: &Plan, outcome: &Outcome) -> Self {
        let (seconds, events) = (outcome.window.as_secs_f64(), outcome.counters.events);
        let failures = failures(plan, outcome);
        let generator = Generator {
            cpu_us_per_event: per(outcome.own_cpu.total(), events),
            cpu_user_us_per_event: per(outcome.own_cpu.user, events),
            cpu_system_us_per_event: per(outcome.own_cpu.system, events),
            cpu_fraction: outcome.own_cpu.total().as_secs_f64() / seconds,
            cpu_wait_fraction: outcome.own_cpu.waited().map(|waited| waited.as_secs_f64() / seconds),
            rss_peak_bytes: outcome.own_resident_peak,
        };
        let usage = outcome.server.as_ref().and_then(|server| server.as_ref().ok());
        let server = usage.map(|usage| server(usage, outcome));
        Self {
            tool: "tickcast-load",
            version: env!("CARGO_PKG_VERSION"),
            url: plan.url.clone(),
            interrupted: outcome.interrupted,
            window_s: seconds,
            clean: failures.is_empty(),
            failures,
            warnings: warnings(outcome, &generator, server.as_ref()),
            sessions: sessions(plan, outcome),
            connect_us: Quantiles::of(&outcome.connect),
            connect_failures: outcome.failed.iter().cloned().collect(),
            closes: outcome.closes.iter().copied().collect(),
            lag: Lag { messages: outcome.counters_total.lags, skipped: outcome.counters_total.lag_skipped },
            errors: Errors { count: outcome.counters_total.errors, first: outcome.first_error.clone() },
            malformed: outcome.counters_total.malformed,
            window: window(outcome),
            latency_us: Quantiles::of(&outcome.latency),
            events_per_session: spread(&outcome.events_by_session),
            completeness: arrivals(outcome),
            server,
            generator,
        }
    }

    /// Returns the report as one JSON object.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings always serialise")
    }
}

/// Returns what is wrong; nothing when the run is clean.
fn failures(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let Outcome { census, completeness: counts, counters_total: total, .. } = outcome;
    let unverified = outcome.native.saturating_sub(outcome.verified);
    let is_lag_accepted = plan.allow_lag && outcome.unannounced == 0;
    let mut failures = Vec::new();
    let mut check = |count: u64, what: &str| {
        if count > 0 {
            failures.push(format!("{count} {what}"));
        }
    };
    check(census.failed as u64, "connections failed");
    check(census.dropped as u64, "sessions were dropped");
    check(if is_lag_accepted { 0 } else { counts.missing }, "events are missing");
    check(counts.repeated, "events came twice or out of order");
    check(counts.snapshots_stale, "snapshots were older than events before them");
    check(unverified as u64, "sessions could not be checked to their end");
    check(total.errors, "requests were answered with an error");
    check(if outcome.native > 0 { total.malformed } else { 0 }, "messages were not JSON");
    if counts.due != counts.arrived + counts.missing + counts.merged {
        failures.push("the sums of due and arrived events contradict each other".into());
    }
    if plan.sessions > 0 && total.events == 0 {
        failures.push("no event came".into());
    }
    if !outcome.settled && !outcome.interrupted {
        failures.push("not every session was subscribed when the measurement began".into());
    }
    if let Some(Err(err)) = &outcome.server {
        failures.push(format!("the server's process is gone: {err}"));
    }
    failures
}

fn warnings(outcome: &Outcome, generator: &Generator, server: Option<&Server>) -> Vec<String> {
    let mut warnings = Vec::new();
    if generator.cpu_fraction > BUSY_FRACTION {
        warnings.push("the load generator had no time to spare: latencies are its own, not the server's".into());
    }
    let own = ("the load generator", generator.cpu_wait_fraction);
    let other = ("the server", server.and_then(|server| server.cpu_wait_fraction));
    for (name, waited) in [own, other] {
        if let Some(waited) = waited.filter(|waited| *waited > WAIT_FRACTION) {
            let percent = waited * 100.0;
            warnings.push(format!("{name} waited for the CPU {percent:.0} % of the time: something else was running"));
        }
    }
    if outcome.counters.early > 0 {
        warnings.push(format!("{} events have a time stamp from the future: check --ts-unit", outcome.counters.early));
    }
    if outcome.counters_total.malformed > 0 && outcome.native == 0 {
        warnings.push(format!("{} messages were not JSON: see --ts-key ''", outcome.counters_total.malformed));
    }
    warnings
}

fn sessions(plan: &Plan, outcome: &Outcome) -> Sessions {
    Sessions {
        active: plan.sessions,
        idle: plan.idle,
        stalled: plan.stalled,
        opened: outcome.census.opened,
        failed: outcome.census.failed,
        dropped: outcome.census.dropped,
        stalled_ended: outcome.census.stalled_ended,
        native: outcome.native,
        verified: outcome.verified,
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile);
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            mean: histogram.mean(),
            min: histogram.min(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn window(outcome: &Outcome) -> Window {
    let counters = outcome.counters;
    let per_second = |count: u64| count as f64 / outcome.window.as_secs_f64();
    Window {
        events: counters.events,
        frames: counters.frames,
        reads: counters.reads,
        bytes: counters.bytes,
        events_per_s: per_second(counters.events),
        frames_per_s: per_second(counters.frames),
        reads_per_s: per_second(counters.reads),
        bytes_per_s: per_second(counters.bytes),
        events_per_read: (counters.reads > 0).then(|| counters.events as f64 / counters.reads as f64),
        early: counters.early,
    }
}

fn spread(sorted: &[u64]) -> Option<Spread> {
    Some(Spread { min: *sorted.first()?, median: sorted[sorted.len() / 2], max: *sorted.last()? })
}

fn arrivals(outcome: &Outcome) -> Arrivals {
    let counts = outcome.completeness;
    Arrivals {
        streams: counts.streams,
        due: counts.due,
        arrived: counts.arrived,
        missing: counts.missing,
        merged: counts.merged,
        holes: counts.holes,
        repeated: counts.repeated,
        snapshots_stale: counts.snapshots_stale,
        sessions_unannounced: outcome.unannounced,
    }
}

fn server(usage: &Usage, outcome: &Outcome) -> Server {
    let (seconds, events) = (outcome.window.as_secs_f64(), outcome.counters.events);
    let CpuTime { user, system, .. } = usage.cpu;
    let series: Vec<_> = usage.samples.iter().map(|sample| sample.resident_bytes).collect();
    let start = series.first().copied().unwrap_or(usage.resident_before);
    let opened = outcome.census.opened;
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^53")]
    let per_session = (start as f64 - usage.resident_before as f64) / opened as f64;
    Server {
        cpu_us_per_event: per(usage.cpu.total(), events),
        cpu_user_us_per_event: per(user, events),
        cpu_system_us_per_event: per(system, events),
        cpu_fraction: usage.cpu.total().as_secs_f64() / seconds,
        cpu_wait_fraction: usage.cpu.waited().map(|waited| waited.as_secs_f64() / seconds),
        rss_before_bytes: usage.resident_before,
        rss_start_bytes: start,
        rss_end_bytes: series.last().copied().unwrap_or(start),
        rss_peak_bytes: usage.resident_peak,
        rss_per_session_bytes: (opened > 0).then_some(per_session),
        rss_slope_bytes_per_min: usage.resident_growth_per_minute(),
        rss_series_bytes: series,
        tcp_before_bytes: usage.tcp_bytes.map(|(before, _)| before),
        tcp_peak_bytes: usage.tcp_bytes.map(|(_, peak)| peak),
    }
}

/// Returns the microseconds for each event.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn per(time: Duration, events: u64) -> Option<f64> {
    (events > 0).then(|| time.as_secs_f64() * 1e6 / events as f64)
}
