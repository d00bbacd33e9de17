//! All counters and gauges of `/metrics`, in one place. Every floor counts here; `transport` renders them, and the
//! watchdog of `app` reads the progress of feed and hubs.
//!
//! To add a metric, add a field with a one-line description to the list of [`Metrics`]: the macro renders every field, by its name
//! and with its description as the help text. `kinds.rs` has the types of the fields.

mod access;
mod feed;
mod kinds;
mod labels;
#[cfg(test)]
mod metrics_test;

use std::sync::{Arc, LazyLock};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::protocol::{CloseReason, ErrorCode, Refusal};

pub use feed::ReplayCounts;
pub use kinds::{Ages, WriteTimes};
use kinds::{
    Auths, Closes, Errors, Excesses, Faults, Hubs, PublishRefusals, Recoveries, Refreshes, Refusals, Rendered,
    Renewals, ReplaySkips, Seconds, Share, Tickets,
};
pub use labels::{
    AUTH_RESULTS, AUTH_WAYS, FAULT_KINDS, HTTP_ERRORS, LIMITS, PUBLISH_REFUSALS, RENEWAL_RESULTS, REPLAY_SKIPS,
    TICKET_RESULTS,
};

/// Makes a struct of metrics that registers each of its fields.
macro_rules! metrics {
    ($(#[$meta:meta])* $Metrics:ident { $($(#[doc = $help:literal])+ $visible:vis $name:ident: $Kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $Metrics {
            $($(#[doc = $help])+ $visible $name: $Kind,)*
        }

        impl Rendered for $Metrics {
            fn register(&self, _: &str, _: &str, registry: &mut Registry) {
                $(self.$name.register(stringify!($name), concat!($($help),+).trim().trim_end_matches('.'), registry);)*
            }
        }

        #[cfg(test)]
        impl $Metrics {
            const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}

metrics! {
    /// Counters of the whole process, even if it runs several servers: there is one log and one table of open files.
    ProcessMetrics {
        /// Lines of the log that were dropped: the queue was full (`log.waiting_bytes_max`) or standard error closed.
        pub log_lines_dropped: Counter,
        /// Failed attempts to accept a connection, mostly for lack of file descriptors (EMFILE). The server tries again.
        pub accept_errors: Counter,
    }
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

metrics! {
    /// All counters of one server. Clones share them.
    #[derive(Default)]
    Metrics {
        /// Events that the feed has published.
        pub events_published: Counter,
        /// Events of publishers that were published.
        pub events_received: Counter,
        /// Requests of publishers that were refused or must wait, by reason: nothing of them was published.
        publishes_refused: PublishRefusals,
        /// Requests of publishers that were repeated with their `Idempotency-Key`, and published nothing.
        pub publishes_repeated: Counter,
        /// Answers to requests with an `Idempotency-Key` that were forgotten before their time, because there were too many of their
        /// publisher, or too many publishers: a repeated request would publish twice.
        pub publish_keys_forgotten: Counter,
        /// Trades of publishers that came after their minute, and were published.
        pub late_trades: Counter,
        /// Events of publishers that were dropped because they were too late (`feed.late`).
        pub late_dropped: Counter,
        /// Files of the state (`feed.state_file`) that were written.
        pub state_files: Counter,
        /// Files of the state that could not be written.
        pub state_failures: Counter,
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
        /// Symbols that the feed has met while it runs.
        pub symbols_added: Counter,
        /// Events dropped because their symbol is new and there are `feed.symbols_max` already.
        pub symbols_refused: Counter,
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
        /// Live events that a newer one of their topic replaced before they were sent, in mode `latest`.
        pub events_conflated: Counter,
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
        /// Events that recoveries, polls and bursts have read in the rings of the hubs.
        pub replay_events_scanned: Counter,
        /// Cost of requests, and of recoveries of sessions that sent another request, in units of one event read.
        pub work: Counter,
        /// Requests that delayed the next request of their session because it had used up `session.work_per_second_max`, or, of a
        /// vendor's client, `session.requests_per_second_max`.
        pub requests_slowed: Counter,
        /// Time from the publication of an event to its write: the first event of each write of live events.
        pub event_age: Ages,
        /// Time from the beginning of a write to a WebSocket until the kernel has taken all of it: of one write in sixteen.
        pub kernel_write: WriteTimes,
        /// Time from a ping of the server to its client's answer: the whole way over the network and through the client, and back.
        pub round_trip: Ages,
        /// Times that a session began to read the events of a burst from the ring, because they did not fit into its outbox.
        pub bursts: Counter,
        /// Requests from clients, of every transport.
        pub requests: Counter,
        /// Polls waiting for events.
        pub polls_waiting: Gauge,
        /// Open TCP connections.
        pub connections: Gauge,
        /// Connections that were closed to make room for new ones: without a request, or an answer, not a session.
        pub connections_dismissed: Counter,
        /// Requests refused because of their `Host` (`server.hosts`).
        pub hosts_refused: Counter,
        /// Requests refused because of their `Origin` (`server.allowed_origins`).
        pub origins_refused: Counter,
        /// Requests that were not complete in time (`server.request_timeout_ms`).
        pub requests_timed_out: Counter,
        /// Requests with a head longer than `server.request_head_bytes_max`.
        pub request_heads_too_long: Counter,
        /// Requests that are not valid HTTP.
        pub requests_malformed: Counter,
        /// Sessions refused because `server.connections_max`, which counts sessions, was reached.
        pub connections_refused: Counter,
        /// Sessions refused because the server is shutting down.
        pub connections_refused_draining: Counter,
        /// Steps of the feed.
        pub feed_steps: Counter,
        /// Counters of the process.
        pub process: ProcessMetrics,
        /// Offset of the newest event that the feed has published.
        feed_offset: Gauge,
        /// Events that wait in delayed streams until they are due (`feed.delay_events_max`).
        pub delayed_events_waiting: Gauge,
        /// Stops of delayed streams, because more events waited than `feed.delay_events_max`.
        pub delayed_streams_stopped: Counter,
        /// Delayed streams that have ended until the process is started again, because their sessions did not end when they stopped.
        pub delayed_streams_ended: Gauge,
        /// Events that wait to be recorded (`feed.record.queue_events_max`).
        pub record_waiting: Gauge,
        /// Bytes of recordings written to the disk, in complete frames.
        pub record_bytes: Counter,
        /// Holes in recordings, each of which a line `gap` announces.
        pub record_gaps: Counter,
        /// Events that are not in recordings: the queue was full, or the disk.
        pub record_events_lost: Counter,
        /// Errors of the disk while recording. The recorder tries again after `feed.record.retry_ms`.
        pub record_failures: Counter,
        /// Events that a replay has published.
        pub replay_events: Counter,
        /// Prices and sizes of a replay's files that were rounded.
        pub replay_rounded: Counter,
        /// Rows of a replay's files that were out of order.
        pub replay_reordered: Counter,
        /// Records of a replay's files that became no event, by reason.
        replay_skipped: ReplaySkips,
        /// Where a replay is between the begin and the end of its files, 0 to 1.
        replay_position: Share,
        /// Files that are being played for one client each, or read for that (`feed.replays_max`).
        pub replays: Gauge,
        /// Files that were opened to be played for one client.
        pub replays_opened: Counter,
        /// Replays for one client refused because `feed.replays_max` was reached.
        pub replays_refused: Counter,
        /// How long ago the next event of the feed was due.
        feed_lag: Seconds,
        /// Offset of the newest event that each hub has routed, in the order of their start.
        hub_offset: Hubs,
        /// Connections that waited for a turn to begin or to end (`server.turn_connections_max`).
        pub connections_delayed: Counter,
        /// Turns of writes after which sessions still had data due (`push.turn_writes_max`).
        pub write_turns_full: Counter,
        /// Answers over HTTP, and pieces of long answers, that waited for a turn (`server.turn_answers_max`).
        pub answers_delayed: Counter,
        /// Traffic accounts that were evicted for new ones (`server.traffic_clients_max`).
        pub traffic_clients_evicted: Counter,
        /// Requests served without a traffic account, because every account was in use.
        pub traffic_clients_refused: Counter,
        /// Reads of bars refused because too many were running (`server.bars_reads_max`).
        pub bars_reads_refused: Counter,
        /// Requests over HTTP at the addresses of vendors.
        pub vendor_requests: Counter,
        /// Requests at the addresses of vendors that were refused.
        pub vendor_requests_refused: Counter,
        /// Reads at the addresses of vendors that were abandoned because their clients had gone.
        pub vendor_reads_abandoned: Counter,
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
        /// Connections of trusted proxies without a valid header of the PROXY protocol (`server.proxy_protocol`).
        pub proxy_headers_malformed: Counter,
        /// Failed TLS handshakes.
        pub tls_handshakes_failed: Counter,
        /// TLS handshakes that took longer than `server.tls.handshake_timeout_ms`.
        pub tls_handshake_timeouts: Counter,
        /// Strikes of faults on request, by kind.
        faults_struck: Faults,
        /// Bytes of frames that faults on request hold back (`fault_limits.held_bytes_max`).
        pub fault_held_bytes: Gauge,
        /// Rules of faults that were refused because there were too many (`fault_limits.rules_max`).
        pub fault_rules_refused: Counter,
        /// Subscriptions that came with a cursor.
        recoveries: Recoveries,
        /// Lines of the audit log.
        pub audit_lines: Counter,
        /// Events that have no line of their own in the audit log, but are in a count: of one address in one second.
        pub audit_lines_merged: Counter,
        /// Checks of credentials, by way and result. None without `auth.keys_file` and `[auth.jwt]`.
        auth: Auths,
        /// Tokens that were remembered, so that their signature was not verified again (`auth.cache_max`).
        pub auth_cache_hits: Counter,
        /// Verified tokens that were forgotten for others (`auth.cache_max`).
        pub auth_cache_evicted: Counter,
        /// Reads of the issuer's keys (`auth.jwt.jwks_url`), by result.
        jwks_refreshes: Refreshes,
        /// Time since the last good read of the issuer's keys, or since the start if there was none; 0 without `auth.jwt.jwks_url`.
        jwks_age: Seconds,
        /// Requests `auth`, by result.
        auth_renewals: Renewals,
        /// Sessions whose clients have not shown a key yet (`auth.pending_max`).
        pub strangers: Gauge,
        /// Addresses whose sessions and costs are counted, each for itself (`limits.addresses_max`).
        pub addresses: Gauge,
        /// Clients refused or ended because of a limit, by limit.
        limit_refused: Excesses,
        /// Tickets, by what has become of them.
        tickets: Tickets,
        /// Errors sent to clients, by code.
        errors: Errors,
        /// Refusals sent to clients in the dialects of vendors, by reason.
        refusals: Refusals,
        /// Sessions that have ended, by reason.
        closes: Closes,
    }
}

impl Metrics {
    /// Counts a subscription with a cursor, and whether it was recovered.
    pub fn count_recovery(&self, recovered: bool) {
        self.recoveries.of(if recovered { "true" } else { "false" }).inc();
    }

    /// Counts an error sent to a client in a message.
    pub fn count_error(&self, code: ErrorCode) {
        self.count_problem(code.name());
    }

    /// Counts an error sent to a client over HTTP: the code of an [`ErrorCode`], or one of [`HTTP_ERRORS`].
    pub fn count_problem(&self, code: &'static str) {
        self.errors.of(code).inc();
    }

    /// Counts a refusal sent to a client in the dialect of a vendor.
    pub fn count_refusal(&self, refusal: Refusal) {
        self.refusals.of(refusal.name()).inc();
    }

    /// Counts a strike of a fault of this kind, one of [`FAULT_KINDS`].
    pub fn count_fault(&self, kind: &'static str) {
        self.faults_struck.of(kind).inc();
    }

    /// Returns how often faults of this kind have struck.
    pub fn faults(&self, kind: &'static str) -> u64 {
        self.faults_struck.of(kind).get()
    }

    /// Returns the gauge of another hub's offset.
    pub fn new_hub(&self) -> Gauge {
        self.hub_offset.add()
    }

    /// Returns the offset of each hub, in the order of their start.
    pub fn hub_offsets(&self) -> Vec<u64> {
        self.hub_offset.all().iter().map(|hub| hub.get().try_into().unwrap_or(0)).collect()
    }

    /// Counts the end of a session.
    pub fn count_close(&self, reason: CloseReason) {
        self.closes.of(reason.name()).inc();
    }

    /// Returns how many errors with this code were sent.
    pub fn errors(&self, code: ErrorCode) -> u64 {
        self.errors.of(code.name()).get()
    }

    /// Returns how many refusals with this reason were sent.
    pub fn refusals(&self, refusal: Refusal) -> u64 {
        self.refusals.of(refusal.name()).get()
    }

    /// Returns how many sessions have ended for this reason.
    pub fn closes(&self, reason: CloseReason) -> u64 {
        self.closes.of(reason.name()).get()
    }

    /// Returns all metrics as text in the `OpenMetrics` format 1.0, which Prometheus reads.
    ///
    /// # Panics
    ///
    /// Never: writing to a string does not fail.
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("tickcast");
        self.register("", "", &mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }
}

/// The counters, shared by every floor and thread.
pub type SharedMetrics = Arc<Metrics>;
