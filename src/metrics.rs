//! Names and counters: everything that `/metrics` shows, in one place. Floors count here; only `transport` reads.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::protocol::{CloseReason, ErrorCode};

type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

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
    /// Events written to sessions.
    pub events_delivered: Counter,
    /// Writes: chunks handed to the HTTP dispatcher, each at most one system call.
    pub writes: Counter,
    /// Bytes in those writes.
    pub bytes_written: Counter,
    /// Events that were skipped because a session's outbox was full (`push.outbox_events_max`).
    pub events_skipped: Counter,
    /// Times that a session fell behind and turned to catching up.
    pub lags: Counter,
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
    /// Connections that were refused because `server.connections_max` was reached.
    pub connections_refused: Counter,
    /// Connections that had to wait for their turn to begin or to end (`server.turn_connections_max`).
    pub connections_delayed: Counter,
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

    /// Counts an error that was answered to a client.
    pub fn count_error(&self, code: ErrorCode) {
        self.errors.get_or_create(&[("code", code.name())]).inc();
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
        counter("events_delivered", "Events written to sessions", &self.events_delivered);
        counter("writes", "Chunks handed to the dispatcher", &self.writes);
        counter("bytes_written", "Bytes handed to the dispatcher", &self.bytes_written);
        counter("events_skipped", "Events skipped because an outbox was full", &self.events_skipped);
        counter("lags", "Times that a session fell behind", &self.lags);
        counter("sessions_crowded_out", "Sessions over push.waiting_bytes_max", &self.sessions_crowded_out);
        counter("answers_refused", "Answers over push.waiting_bytes_max", &self.answers_refused);
        let scanned = &self.replay_events_scanned;
        counter("replay_events_scanned", "Events that recoveries and polls have looked at", scanned);
        counter("work", "What requests have cost, in looks at one event", &self.work);
        counter("requests_slowed", "Requests over session.work_per_second_max", &self.requests_slowed);
        counter("requests", "Requests from clients", &self.requests);
        counter("connections_dismissed", "Connections closed to make room", &self.connections_dismissed);
        counter("origins_refused", "Requests from pages of other origins", &self.origins_refused);
        counter("requests_timed_out", "Requests that did not arrive in time", &self.requests_timed_out);
        let too_long = &self.request_heads_too_long;
        counter("request_heads_too_long", "Requests over server.request_head_bytes_max", too_long);
        counter("requests_malformed", "Requests that are no HTTP", &self.requests_malformed);
        counter("connections_refused", "Connections over server.connections_max", &self.connections_refused);
        counter("connections_delayed", "Connections that waited for their turn", &self.connections_delayed);
        counter("traffic_clients_evicted", "Clients whose accounts were given up", &self.traffic_clients_evicted);
        counter("traffic_clients_refused", "Requests that found no account", &self.traffic_clients_refused);
        counter("bars_reads_refused", "Reads of bars over server.bars_reads_max", &self.bars_reads_refused);
        counter("past_bars_made", "Bars from before the start made for readers", &self.past_bars_made);
        counter("past_series_evicted", "Series over history.past_bars_max", &self.past_series_evicted);
        counter("captures_refused", "Captures over handshake.captures_max", &self.captures_refused);
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
        registry.register("recoveries", "Subscriptions that came with a cursor", self.recoveries.clone());
        registry.register("errors", "Errors answered to clients", self.errors.clone());
        registry.register("closes", "Sessions ended by the server or their client", self.closes.clone());
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
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
}
