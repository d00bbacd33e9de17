//! All counters and gauges of `/metrics`, in one place. Every floor counts here; `transport` renders them, and the
//! watchdog of `app` reads the progress of feed and hubs.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::protocol::{CloseReason, ErrorCode};

type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// Codes of errors over HTTP, beside those of [`ErrorCode`].
pub const HTTP_ERRORS: [&str; 8] = [
    "not_found",
    "method_not_allowed",
    "upgrade_required",
    "forbidden_origin",
    "unavailable",
    "request_timeout",
    "head_too_long",
    "tls_required",
];

/// Bounds of the histogram of event ages, in seconds.
const AGES: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Counters of the whole process, even if it runs several servers: there is one log and one table of open files.
#[derive(Clone, Debug)]
pub struct ProcessMetrics {
    /// Lines of the log that were dropped: the queue was full (`log.waiting_bytes_max`) or standard error closed.
    pub log_lines_dropped: Counter,
    /// Failed attempts to accept a connection, mostly for lack of file descriptors (EMFILE). The server tries again.
    pub accept_errors: Counter,
}

/// Returns the same counters to every caller.
impl Default for ProcessMetrics {
    fn default() -> Self {
        static SHARED: LazyLock<ProcessMetrics> = LazyLock::new(|| ProcessMetrics {
            log_lines_dropped: Counter::default(),
            accept_errors: Counter::default(),
        });
        SHARED.clone()
    }
}

/// A histogram of durations.
#[derive(Clone, Debug)]
pub struct Ages(Histogram);

impl Ages {
    /// Records one duration.
    pub fn observe(&self, age: Duration) {
        self.0.observe(age.as_secs_f64());
    }
}

impl Default for Ages {
    fn default() -> Self {
        Self(Histogram::new(AGES))
    }
}

/// All counters of one server. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Events that the feed has published.
    pub events_published: Counter,
    /// Batches that a hub's full mailbox refused; the hub reads them from the history instead.
    pub hub_mailbox_full: Counter,
    /// Steps that the feed postponed because the history's mailbox was full.
    pub history_mailbox_full: Counter,
    /// Jumps of the market to the present, because it was late by more than `feed.catch_up_max_ms`.
    pub feed_gaps: Counter,
    /// Times that the wall clock was set back so far that the market is far ahead of it.
    pub feed_clock_set_back: Counter,
    /// Milliseconds by which the market is ahead of the wall clock; negative if it is behind.
    pub feed_ahead_ms: Gauge,
    /// Holes that a hub detected in its stream and filled from the history.
    pub hub_holes: Counter,
    /// Open sessions, of every transport.
    pub sessions: Gauge,
    /// Sessions begun, of every transport: each poll is one.
    pub sessions_opened: Counter,
    /// Events written to sessions.
    pub events_delivered: Counter,
    /// Successful writes to sockets, of every connection: system calls.
    pub writes: Counter,
    /// Bytes written to sockets, including TLS, HTTP heads and frames.
    pub bytes_written: Counter,
    /// Events skipped because a session's outbox was full (`push.outbox_events_max`), announced or not yet.
    pub events_skipped: Counter,
    /// Times that a session fell behind and events were skipped.
    pub lags: Counter,
    /// Pings without a pong, because too many pongs were queued for the client, or its socket accepted nothing.
    pub pongs_skipped: Counter,
    /// Bytes of queued answers, of every transport (`push.waiting_bytes_max`).
    pub waiting_bytes: Gauge,
    /// Sessions ended because they had the most queued bytes when the limit for all clients was exceeded.
    pub sessions_crowded_out: Counter,
    /// Answers over HTTP refused because the limit of queued bytes for all clients was exceeded.
    pub answers_refused: Counter,
    /// Events that recoveries and polls have read in the rings of the hubs, and topics that they have looked up there.
    pub replay_events_scanned: Counter,
    /// Cost of requests, and of recoveries of sessions that sent another request, in units of one event read.
    pub work: Counter,
    /// Requests that delayed the next request of their session because it had used up `session.work_per_second_max`.
    pub requests_slowed: Counter,
    /// Time from the publication of an event to its write: the first event of each write of live events.
    pub event_age: Ages,
    /// Times that more events arrived at once than fit into a session's outbox, and the rest was read from the ring.
    pub bursts: Counter,
    /// Requests from clients, of every transport.
    pub requests: Counter,
    /// Polls waiting for events.
    pub polls_waiting: Gauge,
    /// Open TCP connections.
    pub connections: Gauge,
    /// Connections that were closed to make room for new ones: without a request, or an answer, not a session.
    pub connections_dismissed: Counter,
    /// Requests refused because of their `Origin` (`server.allowed_origins`).
    pub origins_refused: Counter,
    /// Requests that were not complete in time (`server.request_timeout_ms`).
    pub requests_timed_out: Counter,
    /// Requests with a head longer than `server.request_head_bytes_max`.
    pub request_heads_too_long: Counter,
    /// Requests that are not valid HTTP.
    pub requests_malformed: Counter,
    /// Sessions refused because `server.connections_max` was reached.
    pub connections_refused: Counter,
    /// Sessions refused because the server is shutting down.
    pub connections_refused_draining: Counter,
    /// Steps of the feed.
    pub feed_steps: Counter,
    /// Counters of the process.
    pub process: ProcessMetrics,
    feed_offset: Gauge,
    feed_lag: Gauge<f64, AtomicU64>,
    /// Offsets of the hubs, in the order of their start.
    hubs: Arc<Mutex<Vec<Gauge>>>,
    /// Connections that waited for a turn to begin or to end (`server.turn_connections_max`).
    pub connections_delayed: Counter,
    /// Answers over HTTP, and pieces of long answers, that waited for a turn (`server.turn_answers_max`).
    pub answers_delayed: Counter,
    /// Traffic accounts that were evicted for new ones (`server.traffic_clients_max`).
    pub traffic_clients_evicted: Counter,
    /// Requests served without a traffic account, because every account was in use.
    pub traffic_clients_refused: Counter,
    /// Reads of bars refused because too many were running (`server.bars_reads_max`).
    pub bars_reads_refused: Counter,
    /// Bars from before the start that were computed for readers.
    pub past_bars_made: Counter,
    /// Series of bars from before the start that were evicted from the cache (`history.past_bars_max`).
    pub past_series_evicted: Counter,
    /// Captures refused because `handshake.captures_max` was reached.
    pub captures_refused: Counter,
    /// Captures ended to make room for others.
    pub captures_dismissed: Counter,
    /// Frames left out of a capture because it had reached `handshake.capture_pending_bytes_max`.
    pub capture_frames_skipped: Counter,
    /// Handshake attempts refused because `handshake.attempts_max` was reached.
    pub attempts_refused: Counter,
    /// Failed TLS handshakes.
    pub tls_handshakes_failed: Counter,
    /// TLS handshakes that took longer than `server.tls.handshake_timeout_ms`.
    pub tls_handshake_timeouts: Counter,
    recoveries: Labelled,
    errors: Labelled,
    closes: Labelled,
}

impl Metrics {
    /// Counts a subscription with a cursor, and whether it was recovered.
    pub fn count_recovery(&self, recovered: bool) {
        self.recoveries.get_or_create(&[("recovered", if recovered { "true" } else { "false" })]).inc();
    }

    /// Counts an error sent to a client in a message.
    pub fn count_error(&self, code: ErrorCode) {
        self.count_problem(code.name());
    }

    /// Counts an error sent to a client over HTTP: the code of an [`ErrorCode`], or one of [`HTTP_ERRORS`].
    pub fn count_problem(&self, code: &'static str) {
        self.errors.get_or_create(&[("code", code)]).inc();
    }

    /// Returns the gauge of another hub's offset.
    ///
    /// # Panics
    ///
    /// Never: no code panics while the list is locked.
    pub fn new_hub(&self) -> Gauge {
        let hub = Gauge::default();
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).push(hub.clone());
        hub
    }

    /// Returns the offset of each hub, in the order of their start.
    pub fn hub_offsets(&self) -> Vec<u64> {
        let hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.iter().map(|hub| hub.get().try_into().unwrap_or(0)).collect()
    }

    /// Sets the offset of the newest event that the feed has published.
    pub fn set_feed_offset(&self, offset: u64) {
        self.feed_offset.set(offset.try_into().unwrap_or(i64::MAX));
    }

    /// Returns the offset of the newest event that the feed has published.
    pub fn feed_offset(&self) -> u64 {
        self.feed_offset.get().try_into().unwrap_or(0)
    }

    /// Sets how long ago the next event to be published was due.
    pub fn set_feed_lag(&self, lag: Duration) {
        self.feed_lag.set(lag.as_secs_f64());
    }

    /// Returns how long ago the next event to be published was due.
    pub fn feed_lag(&self) -> Duration {
        Duration::try_from_secs_f64(self.feed_lag.get()).unwrap_or_default()
    }

    /// Counts the end of a session.
    pub fn count_close(&self, reason: CloseReason) {
        self.closes.get_or_create(&[("reason", reason.name())]).inc();
    }

    /// Returns how many errors with this code were sent.
    pub fn errors(&self, code: ErrorCode) -> u64 {
        self.errors.get_or_create(&[("code", code.name())]).get()
    }

    /// Returns how many sessions have ended for this reason.
    pub fn closes(&self, reason: CloseReason) -> u64 {
        self.closes.get_or_create(&[("reason", reason.name())]).get()
    }

    /// Returns all metrics as text in the `OpenMetrics` format 1.0, which Prometheus reads.
    ///
    /// # Panics
    ///
    /// Never: writing to a string does not fail.
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("tickcast");
        let mut counter = |name: &str, help: &str, counter: &Counter<u64, AtomicU64>| {
            registry.register(name, help, counter.clone());
        };
        counter("events_published", "Events published by the feed", &self.events_published);
        counter("hub_mailbox_full", "Batches refused by a hub's full mailbox", &self.hub_mailbox_full);
        counter(
            "history_mailbox_full",
            "Steps postponed because the history's mailbox was full",
            &self.history_mailbox_full,
        );
        counter("feed_gaps", "Jumps of the market to the present", &self.feed_gaps);
        counter("feed_clock_set_back", "Times that the wall clock was set back far", &self.feed_clock_set_back);
        counter("hub_holes", "Holes that a hub filled from the history", &self.hub_holes);
        counter("sessions_opened", "Sessions begun", &self.sessions_opened);
        counter("events_delivered", "Events written to sessions", &self.events_delivered);
        counter("writes", "Writes to sockets", &self.writes);
        counter("bytes_written", "Bytes written to sockets", &self.bytes_written);
        counter("events_skipped", "Events skipped because an outbox was full", &self.events_skipped);
        counter("lags", "Times that a session fell behind and events were skipped", &self.lags);
        counter("pongs_skipped", "Pings not answered, because newer ones had arrived", &self.pongs_skipped);
        counter("sessions_crowded_out", "Sessions over push.waiting_bytes_max", &self.sessions_crowded_out);
        counter("answers_refused", "Answers over push.waiting_bytes_max", &self.answers_refused);
        let scanned = &self.replay_events_scanned;
        counter("replay_events_scanned", "Events read by recoveries and polls", scanned);
        counter("work", "Cost of requests, in units of one event read", &self.work);
        counter("requests_slowed", "Requests over session.work_per_second_max", &self.requests_slowed);
        counter("bursts", "Times that more events arrived at once than fit into an outbox", &self.bursts);
        counter("requests", "Requests from clients", &self.requests);
        counter("connections_dismissed", "Connections closed to make room", &self.connections_dismissed);
        counter("origins_refused", "Requests refused because of their Origin", &self.origins_refused);
        counter("requests_timed_out", "Requests not complete in time", &self.requests_timed_out);
        let too_long = &self.request_heads_too_long;
        counter("request_heads_too_long", "Requests over server.request_head_bytes_max", too_long);
        counter("requests_malformed", "Requests that are not valid HTTP", &self.requests_malformed);
        counter("connections_refused", "Sessions over server.connections_max", &self.connections_refused);
        let draining = &self.connections_refused_draining;
        counter("connections_refused_draining", "Sessions refused because the server is shutting down", draining);
        counter("feed_steps", "Steps of the feed", &self.feed_steps);
        let dropped = &self.process.log_lines_dropped;
        counter("log_lines_dropped", "Lines of the log over log.waiting_bytes_max", dropped);
        counter("accept_errors", "Failed attempts to accept a connection", &self.process.accept_errors);
        counter("connections_delayed", "Connections that waited for a turn", &self.connections_delayed);
        counter("answers_delayed", "Answers and pieces of answers that waited for a turn", &self.answers_delayed);
        counter("traffic_clients_evicted", "Traffic accounts evicted for new ones", &self.traffic_clients_evicted);
        counter("traffic_clients_refused", "Requests without a traffic account", &self.traffic_clients_refused);
        counter("bars_reads_refused", "Reads of bars over server.bars_reads_max", &self.bars_reads_refused);
        counter("past_bars_made", "Bars from before the start computed for readers", &self.past_bars_made);
        counter("past_series_evicted", "Series over history.past_bars_max", &self.past_series_evicted);
        counter("captures_refused", "Captures over handshake.captures_max", &self.captures_refused);
        counter("captures_dismissed", "Captures ended to make room", &self.captures_dismissed);
        let skipped = &self.capture_frames_skipped;
        counter("capture_frames_skipped", "Frames over handshake.capture_pending_bytes_max", skipped);
        counter("attempts_refused", "Handshakes over handshake.attempts_max", &self.attempts_refused);
        counter("tls_handshakes_failed", "Failed TLS handshakes", &self.tls_handshakes_failed);
        counter("tls_handshake_timeouts", "TLS handshakes that took too long", &self.tls_handshake_timeouts);
        registry.register("connections", "Open TCP connections", self.connections.clone());
        let ahead = self.feed_ahead_ms.clone();
        registry.register("feed_ahead_ms", "Milliseconds by which the market is ahead of the wall clock", ahead);
        registry.register("sessions", "Open sessions", self.sessions.clone());
        registry.register("waiting_bytes", "Bytes of queued answers", self.waiting_bytes.clone());
        registry.register("polls_waiting", "Polls waiting for events", self.polls_waiting.clone());
        self.register_labelled(&mut registry);
        let age = "Time from the publication of an event to its write";
        registry.register_with_unit("event_age", age, Unit::Seconds, self.event_age.0.clone());
        self.register_places(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }

    /// Progress of the feed and the hubs in the stream.
    fn register_places(&self, registry: &mut Registry) {
        registry.register("feed_offset", "Offset of the newest event of the feed", self.feed_offset.clone());
        let lag = "How long ago the next event of the feed was due";
        registry.register_with_unit("feed_lag", lag, Unit::Seconds, self.feed_lag.clone());
        let hubs: Family<[(&str, String); 1], Gauge> = Family::default();
        for (index, hub) in self.hubs.lock().unwrap_or_else(PoisonError::into_inner).iter().enumerate() {
            hubs.get_or_create(&[("hub", index.to_string())]).set(hub.get());
        }
        registry.register("hub_offset", "Offset of the newest event routed by each hub", hubs);
    }

    /// Every label exists from the start. If a label appeared with its first increment, a rate over it would miss that
    /// increment.
    fn register_labelled(&self, registry: &mut Registry) {
        for recovered in ["true", "false"] {
            drop(self.recoveries.get_or_create(&[("recovered", recovered)]));
        }
        for code in ErrorCode::ALL.map(ErrorCode::name).into_iter().chain(HTTP_ERRORS) {
            drop(self.errors.get_or_create(&[("code", code)]));
        }
        for reason in CloseReason::ALL {
            drop(self.closes.get_or_create(&[("reason", reason.name())]));
        }
        registry.register("recoveries", "Subscriptions that came with a cursor", self.recoveries.clone());
        registry.register("errors", "Errors answered to clients", self.errors.clone());
        registry.register("closes", "Sessions ended by the server or the client", self.closes.clone());
    }
}

/// The counters, shared by every floor and thread.
pub type SharedMetrics = Arc<Metrics>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_rendered_under_its_name() {
        let metrics = Metrics::default();
        metrics.count_close(CloseReason::Flood);
        metrics.count_error(ErrorCode::BadJson);
        metrics.count_recovery(true);
        metrics.events_published.inc_by(7);
        let text = metrics.render();
        assert!(text.contains("tickcast_events_published_total 7\n"), "{text}");
        assert!(text.contains("tickcast_closes_total{reason=\"flood\"} 1\n"), "{text}");
        assert!(text.contains("tickcast_recoveries_total{recovered=\"true\"} 1\n"), "{text}");
        assert!(text.contains("tickcast_errors_total{code=\"bad_json\"} 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_is_rendered_before_its_first_increment() {
        let metrics = Metrics::default();
        metrics.new_hub();
        metrics.new_hub().set(7);
        metrics.set_feed_lag(Duration::from_millis(1_500));
        let text = metrics.render();
        for line in [
            "tickcast_closes_total{reason=\"flood\"} 0",
            "tickcast_errors_total{code=\"bad_json\"} 0",
            "tickcast_errors_total{code=\"forbidden_origin\"} 0",
            "tickcast_recoveries_total{recovered=\"false\"} 0",
            "tickcast_event_age_seconds_count 0",
            "tickcast_event_age_seconds_bucket{le=\"0.001\"} 0",
            "tickcast_hub_offset{hub=\"0\"} 0",
            "tickcast_hub_offset{hub=\"1\"} 7",
            "tickcast_feed_lag_seconds 1.5",
            "tickcast_feed_offset 0",
        ] {
            assert!(text.lines().any(|each| each == line), "{line}: {text}");
        }
    }
}
