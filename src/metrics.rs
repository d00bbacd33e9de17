//! Names and counters: everything that `/metrics` shows, in one place. Floors count here; only `transport` reads, and the
//! watchdog of `app`, which looks whether the parts get on.

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

/// Codes of errors over HTTP beside those of [`ErrorCode`].
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

/// The bounds of the histogram of ages, in seconds.
const AGES: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// What is counted for the whole process, whatever servers run in it: there is one log and one table of open files.
#[derive(Clone, Debug)]
pub struct ProcessMetrics {
    /// Lines of the log that found no room in its queue (`log.waiting_bytes_max`), or nobody to read them.
    pub log_lines_dropped: Counter,
    /// Connections that could not be accepted, above all for want of descriptors (EMFILE); it is tried again.
    pub accept_errors: Counter,
}

/// The same counters for everybody.
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
    /// Counts one.
    pub fn observe(&self, age: Duration) {
        self.0.observe(age.as_secs_f64());
    }
}

impl Default for Ages {
    fn default() -> Self {
        Self(Histogram::new(AGES))
    }
}

/// All counters of the process. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Events that the feed has published.
    pub events_published: Counter,
    /// Batches that a hub's mailbox refused because it was full; the hub reads them from the history instead.
    pub hub_mailbox_full: Counter,
    /// Steps that the feed put off because the history's mailbox was full.
    pub history_mailbox_full: Counter,
    /// Times that the market was too late (`feed.catch_up_max_ms`) and went on from the present.
    pub feed_gaps: Counter,
    /// Times that the wall clock was set back so far that the market is ahead of it for long.
    pub feed_clock_set_back: Counter,
    /// By how many milliseconds the market is ahead of the wall clock now; negative when it is behind.
    pub feed_ahead_ms: Gauge,
    /// Holes that a hub found in its stream and filled from the history.
    pub hub_holes: Counter,
    /// Sessions that are open now, of every transport.
    pub sessions: Gauge,
    /// Sessions that have begun, of every transport: each poll is one.
    pub sessions_opened: Counter,
    /// Events written to sessions.
    pub events_delivered: Counter,
    /// Writes to sockets that took something, of every connection: system calls.
    pub writes: Counter,
    /// Bytes that sockets took, with everything around the messages: TLS, heads, frames.
    pub bytes_written: Counter,
    /// Events that were skipped because a session's outbox was full (`push.outbox_events_max`), told or not yet told.
    pub events_skipped: Counter,
    /// Times that a session fell behind and events were skipped.
    pub lags: Counter,
    /// Pings without a pong: too many pongs waited for one client, or one waited while its socket took nothing.
    pub pongs_skipped: Counter,
    /// Bytes of answers that wait for clients now, of every transport (`push.waiting_bytes_max`).
    pub waiting_bytes: Gauge,
    /// Sessions that were ended because they held most when too much waited for all clients.
    pub sessions_crowded_out: Counter,
    /// Answers over HTTP that were refused because too much waited for other clients.
    pub answers_refused: Counter,
    /// Events that recoveries and polls have looked at in the rings of the hubs, and topics that they have looked up there.
    pub replay_events_scanned: Counter,
    /// What requests, and recoveries of sessions that have asked again, have cost: looks at one event.
    pub work: Counter,
    /// Requests that made the next one of their session wait because it had used up `session.work_per_second_max`.
    pub requests_slowed: Counter,
    /// How long before its write an event was published: the first one of each write of events as they happen.
    pub event_age: Ages,
    /// Times that more came at once than a session's outbox holds, so that some of it was left in the ring for it.
    pub bursts: Counter,
    /// Requests from clients, of every transport.
    pub requests: Counter,
    /// Polls that are waiting now.
    pub polls_waiting: Gauge,
    /// TCP connections that are open now.
    pub connections: Gauge,
    /// Connections without a request, or with an answer that was no session, that were closed to make room for new ones.
    pub connections_dismissed: Counter,
    /// Requests that were refused because they came from pages of other origins (`server.allowed_origins`).
    pub origins_refused: Counter,
    /// Requests that have not arrived in time (`server.request_timeout_ms`).
    pub requests_timed_out: Counter,
    /// Requests whose head was longer than `server.request_head_bytes_max`.
    pub request_heads_too_long: Counter,
    /// Requests that could not be understood as HTTP.
    pub requests_malformed: Counter,
    /// Sessions that were refused because `server.connections_max` was reached.
    pub connections_refused: Counter,
    /// Sessions that were refused because the server is going down.
    pub connections_refused_draining: Counter,
    /// How often the feed has looked for events that came due.
    pub feed_steps: Counter,
    /// What there is one of in the process.
    pub process: ProcessMetrics,
    feed_offset: Gauge,
    feed_lag: Gauge<f64, AtomicU64>,
    /// The offsets of the hubs, in the order in which they were started.
    hubs: Arc<Mutex<Vec<Gauge>>>,
    /// Connections that had to wait for their turn to begin or to end (`server.turn_connections_max`).
    pub connections_delayed: Counter,
    /// Answers over HTTP, and pieces of long ones, that had to wait for their turn (`server.turn_answers_max`).
    pub answers_delayed: Counter,
    /// Clients whose accounts were given up for new ones (`server.traffic_clients_max`).
    pub traffic_clients_evicted: Counter,
    /// Requests served without an account because there were too many clients that may not be forgotten.
    pub traffic_clients_refused: Counter,
    /// Reads of bars that were refused because as many were under way (`server.bars_reads_max`).
    pub bars_reads_refused: Counter,
    /// Bars from before the start that have been made for readers.
    pub past_bars_made: Counter,
    /// Symbols and intervals whose bars from before the start were forgotten for others (`history.past_bars_max`).
    pub past_series_evicted: Counter,
    /// Captures that were refused because `handshake.captures_max` was reached.
    pub captures_refused: Counter,
    /// Captures that were ended to make room for others.
    pub captures_dismissed: Counter,
    /// Frames that were left out of a capture because it had reached `handshake.capture_pending_bytes_max`.
    pub capture_frames_skipped: Counter,
    /// Handshakes that were not shown because `handshake.attempts_max` was reached.
    pub attempts_refused: Counter,
    /// Handshakes of TLS that have failed.
    pub tls_handshakes_failed: Counter,
    /// Handshakes of TLS that took too long (`server.tls.handshake_timeout_ms`).
    pub tls_handshake_timeouts: Counter,
    recoveries: Labelled,
    errors: Labelled,
    closes: Labelled,
}

impl Metrics {
    /// Counts a subscription that came with a cursor, and whether everything after that could be given.
    pub fn count_recovery(&self, recovered: bool) {
        self.recoveries.get_or_create(&[("recovered", if recovered { "true" } else { "false" })]).inc();
    }

    /// Counts an error that was answered to a client in a message.
    pub fn count_error(&self, code: ErrorCode) {
        self.count_problem(code.name());
    }

    /// Counts an error that was answered to a client over HTTP: the code of an [`ErrorCode`], or one of [`HTTP_ERRORS`].
    pub fn count_problem(&self, code: &'static str) {
        self.errors.get_or_create(&[("code", code)]).inc();
    }

    /// Returns the gauge of another hub's offset.
    ///
    /// # Panics
    ///
    /// Never: nothing panics while the list is locked.
    pub fn new_hub(&self) -> Gauge {
        let hub = Gauge::default();
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).push(hub.clone());
        hub
    }

    /// Returns the offset of each hub, in the order in which they were started.
    pub fn hub_offsets(&self) -> Vec<u64> {
        let hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.iter().map(|hub| hub.get().try_into().unwrap_or(0)).collect()
    }

    /// Sets the offset of the newest event that the feed has made.
    pub fn set_feed_offset(&self, offset: u64) {
        self.feed_offset.set(offset.try_into().unwrap_or(i64::MAX));
    }

    /// Returns the offset of the newest event that the feed has made.
    pub fn feed_offset(&self) -> u64 {
        self.feed_offset.get().try_into().unwrap_or(0)
    }

    /// Sets how long ago the next event that the feed will publish came due.
    pub fn set_feed_lag(&self, lag: Duration) {
        self.feed_lag.set(lag.as_secs_f64());
    }

    /// Returns how long ago the next event that the feed will publish came due.
    pub fn feed_lag(&self) -> Duration {
        Duration::try_from_secs_f64(self.feed_lag.get()).unwrap_or_default()
    }

    /// Counts the end of a session.
    pub fn count_close(&self, reason: CloseReason) {
        self.closes.get_or_create(&[("reason", reason.name())]).inc();
    }

    /// Returns how many errors with this code have been answered.
    pub fn errors(&self, code: ErrorCode) -> u64 {
        self.errors.get_or_create(&[("code", code.name())]).get()
    }

    /// Returns how many sessions have ended for this reason.
    pub fn closes(&self, reason: CloseReason) -> u64 {
        self.closes.get_or_create(&[("reason", reason.name())]).get()
    }

    /// Returns everything as text in the `OpenMetrics` format 1.0, which Prometheus reads.
    ///
    /// # Panics
    ///
    /// Never: writing to a string does not fail.
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("tickcast");
        let mut counter = |name: &str, help: &str, counter: &Counter<u64, AtomicU64>| {
            registry.register(name, help, counter.clone());
        };
        counter("events_published", "Events that the feed has published", &self.events_published);
        counter("hub_mailbox_full", "Batches that a full hub refused", &self.hub_mailbox_full);
        counter("history_mailbox_full", "Steps put off because the history was full", &self.history_mailbox_full);
        counter("feed_gaps", "Times that the market left out time", &self.feed_gaps);
        counter("feed_clock_set_back", "Times that the wall clock was set back far", &self.feed_clock_set_back);
        counter("hub_holes", "Holes that a hub filled from the history", &self.hub_holes);
        counter("sessions_opened", "Sessions that have begun", &self.sessions_opened);
        counter("events_delivered", "Events written to sessions", &self.events_delivered);
        counter("writes", "Writes to sockets", &self.writes);
        counter("bytes_written", "Bytes that sockets took", &self.bytes_written);
        counter("events_skipped", "Events skipped because an outbox was full", &self.events_skipped);
        counter("lags", "Times that a session fell behind and events were skipped", &self.lags);
        counter("pongs_skipped", "Pings that were not answered, as newer ones had come", &self.pongs_skipped);
        counter("sessions_crowded_out", "Sessions over push.waiting_bytes_max", &self.sessions_crowded_out);
        counter("answers_refused", "Answers over push.waiting_bytes_max", &self.answers_refused);
        let scanned = &self.replay_events_scanned;
        counter("replay_events_scanned", "Events that recoveries and polls have looked at", scanned);
        counter("work", "What requests have cost, in looks at one event", &self.work);
        counter("requests_slowed", "Requests over session.work_per_second_max", &self.requests_slowed);
        counter("bursts", "Times that more came at once than a session's outbox holds", &self.bursts);
        counter("requests", "Requests from clients", &self.requests);
        counter("connections_dismissed", "Connections closed to make room", &self.connections_dismissed);
        counter("origins_refused", "Requests from pages of other origins", &self.origins_refused);
        counter("requests_timed_out", "Requests that did not arrive in time", &self.requests_timed_out);
        let too_long = &self.request_heads_too_long;
        counter("request_heads_too_long", "Requests over server.request_head_bytes_max", too_long);
        counter("requests_malformed", "Requests that are no HTTP", &self.requests_malformed);
        counter("connections_refused", "Sessions over server.connections_max", &self.connections_refused);
        let draining = &self.connections_refused_draining;
        counter("connections_refused_draining", "Sessions refused by a server that goes down", draining);
        counter("feed_steps", "Times that the feed has looked for events", &self.feed_steps);
        let dropped = &self.process.log_lines_dropped;
        counter("log_lines_dropped", "Lines of the log over log.waiting_bytes_max", dropped);
        counter("accept_errors", "Connections that could not be accepted", &self.process.accept_errors);
        counter("connections_delayed", "Connections that waited for their turn", &self.connections_delayed);
        counter("answers_delayed", "Answers and pieces of answers that waited for their turn", &self.answers_delayed);
        counter("traffic_clients_evicted", "Clients whose accounts were given up", &self.traffic_clients_evicted);
        counter("traffic_clients_refused", "Requests that found no account", &self.traffic_clients_refused);
        counter("bars_reads_refused", "Reads of bars over server.bars_reads_max", &self.bars_reads_refused);
        counter("past_bars_made", "Bars from before the start made for readers", &self.past_bars_made);
        counter("past_series_evicted", "Series over history.past_bars_max", &self.past_series_evicted);
        counter("captures_refused", "Captures over handshake.captures_max", &self.captures_refused);
        counter("captures_dismissed", "Captures ended to make room", &self.captures_dismissed);
        let skipped = &self.capture_frames_skipped;
        counter("capture_frames_skipped", "Frames over handshake.capture_pending_bytes_max", skipped);
        counter("attempts_refused", "Handshakes over handshake.attempts_max", &self.attempts_refused);
        counter("tls_handshakes_failed", "Handshakes of TLS that have failed", &self.tls_handshakes_failed);
        counter("tls_handshake_timeouts", "Handshakes of TLS that took too long", &self.tls_handshake_timeouts);
        registry.register("connections", "TCP connections that are open", self.connections.clone());
        let ahead = self.feed_ahead_ms.clone();
        registry.register("feed_ahead_ms", "Milliseconds that the market is ahead of the wall clock", ahead);
        registry.register("sessions", "Sessions that are open", self.sessions.clone());
        registry.register("waiting_bytes", "Bytes of answers that wait for clients", self.waiting_bytes.clone());
        registry.register("polls_waiting", "Polls that are waiting", self.polls_waiting.clone());
        self.register_labelled(&mut registry);
        let age = "How long before its write an event was published";
        registry.register_with_unit("event_age", age, Unit::Seconds, self.event_age.0.clone());
        self.register_places(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }

    /// Where the feed and the hubs are in the stream.
    fn register_places(&self, registry: &mut Registry) {
        registry.register("feed_offset", "The newest offset of the feed", self.feed_offset.clone());
        let lag = "How long ago the next event of the feed came due";
        registry.register_with_unit("feed_lag", lag, Unit::Seconds, self.feed_lag.clone());
        let hubs: Family<[(&str, String); 1], Gauge> = Family::default();
        for (index, hub) in self.hubs.lock().unwrap_or_else(PoisonError::into_inner).iter().enumerate() {
            hubs.get_or_create(&[("hub", index.to_string())]).set(hub.get());
        }
        registry.register("hub_offset", "The newest offset that each hub has routed", hubs);
    }

    /// Each label is there from the start: what appears with its first increment hides that from who watches the rate.
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
        registry.register("closes", "Sessions ended by the server or their client", self.closes.clone());
    }
}

/// The counters, shared by every floor and thread.
pub type SharedMetrics = Arc<Metrics>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_shows_under_its_name() {
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
    fn everything_is_there_before_the_first_increment() {
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
