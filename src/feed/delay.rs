//! A delayed stream: `DelayLine` keeps the batches of the stream until they are due, and then sends them to a history and to hubs of
//! its own, in the same order. So these are, at any time, where those of the present were before; everything else about them is the
//! same. `DelayGate` says whether the delayed stream is served.
//!
//! Nothing is sent early, whatever happens: also if the wall clock is set forward and the market jumps to it, which the line's time does
//! not ([`Pace::held`](crate::feed::pace::Pace)). At its start the server has no past events, so the delayed stream begins later than the
//! server, by the delay. If more events wait than [`FeedConfig::delay_events_max`](crate::feed::FeedConfig), the stream stops: its
//! sessions end, everything that waits is passed on while nobody is served, and the stream goes on when the newest of that is due.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use actix::{Message, Recipient};

use crate::domain::Timestamp;
use crate::feed::Batch;
use crate::feed::receivers::send_to_hubs;
use crate::metrics::SharedMetrics;

/// Asks a hub to end all its sessions. Answered when the last one has left.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Evict;

/// Asks the feed to send the batches of a delayed stream to this hub.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AttachDelayed {
    /// The delay of the stream, in milliseconds.
    pub delay_ms: u64,
    /// Receives the batches.
    pub batches: Recipient<Batch>,
    /// Ends the sessions.
    pub sessions: Recipient<Evict>,
}

/// Whether a delayed stream is served. The feed sets it, and the transports ask.
#[derive(Debug)]
pub struct DelayGate {
    delay_ms: u64,
    is_open: AtomicBool,
    /// The time of the line, in microseconds, at which it opens, and that of its last step.
    opens_at: AtomicI64,
    now: AtomicI64,
}

impl DelayGate {
    /// Returns the gate of a stream that begins at `start`.
    pub fn new(delay_ms: u64, start: Timestamp) -> Self {
        let opens_at = start.plus_micros(micros(delay_ms)).micros();
        let now = AtomicI64::new(start.micros());
        Self { delay_ms, is_open: AtomicBool::new(false), opens_at: AtomicI64::new(opens_at), now }
    }

    /// Returns the delay in milliseconds.
    pub fn delay_ms(&self) -> u64 {
        self.delay_ms
    }

    /// Returns whether everything that the history and the hubs of the stream have is due.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Returns how long it takes until the stream is served again, as far as it is known, in microseconds of the market. By the time of the
    /// line: the market's own jumps when the wall clock is set forward.
    pub fn opens_in_micros(&self) -> u64 {
        let left = self.opens_at.load(Ordering::Acquire).saturating_sub(self.now.load(Ordering::Acquire));
        u64::try_from(left).unwrap_or(0)
    }

    fn open_at(&self, opens_at: i64) {
        self.opens_at.store(opens_at, Ordering::Release);
    }
}

/// The parts of a [`DelayLine`].
pub struct DelayParts {
    /// Shared with the transports.
    pub gate: Arc<DelayGate>,
    /// Most events that wait, see the module.
    pub events_max: usize,
    /// Time at which the stream begins.
    pub start: Timestamp,
    /// Receives every batch, before any hub.
    pub history: Recipient<Batch>,
    /// Set to the offset of the newest event before any receiver gets the event.
    pub head: Arc<AtomicU64>,
    /// Counters.
    pub metrics: SharedMetrics,
}

/// The events of one delayed stream that are not due yet.
pub struct DelayLine {
    parts: DelayParts,
    hubs: Vec<(Recipient<Batch>, ())>,
    sessions: Vec<Recipient<Evict>>,
    /// Each batch with the time of the line at which it was published.
    waiting: VecDeque<(Timestamp, Batch)>,
    events: usize,
    /// Batches that were published until then are passed on at once, and the gate is shut until they are due.
    begun: Timestamp,
    state: State,
}

#[derive(Debug)]
enum State {
    Running,
    /// The sessions are ending; set when all have left.
    Evicting(Arc<AtomicBool>),
    /// The sessions do not end. Nothing is served any more.
    GivenUp,
}

impl DelayLine {
    /// Returns a line without events.
    pub fn new(parts: DelayParts) -> Self {
        let (begun, state) = (parts.start, State::Running);
        Self { parts, hubs: Vec::new(), sessions: Vec::new(), waiting: VecDeque::new(), events: 0, begun, state }
    }

    /// Returns the delay in milliseconds.
    pub(super) fn delay_ms(&self) -> u64 {
        self.parts.gate.delay_ms
    }

    pub(super) fn attach(&mut self, AttachDelayed { batches, sessions, .. }: AttachDelayed) {
        self.hubs.push((batches, ()));
        self.sessions.push(sessions);
    }

    /// Adds a batch that is published at `now`, the time of the line.
    pub(super) fn push(&mut self, batch: Batch, now: Timestamp) {
        if matches!(self.state, State::GivenUp) {
            return;
        }
        self.count(batch.0.len().cast_signed());
        self.waiting.push_back((now, batch));
        let events_max = self.parts.events_max;
        if self.events > events_max && matches!(self.state, State::Running) {
            self.stop();
        } else if self.events > events_max.saturating_mul(2) {
            self.give_up();
        }
    }

    /// Sends what is due at `now`, the time of the line, and opens the gate when the stream may be served.
    pub(super) fn step(&mut self, now: Timestamp) {
        let gate = &self.parts.gate;
        gate.now.store(now.micros(), Ordering::Release);
        match &self.state {
            State::Evicting(are_gone) if are_gone.load(Ordering::Acquire) => {
                self.begun = now;
                gate.open_at(now.plus_micros(micros(gate.delay_ms)).micros());
                self.state = State::Running;
            }
            State::Evicting(_) | State::GivenUp => return,
            State::Running => {}
        }
        let due = now.plus_micros(-micros(gate.delay_ms)).max(self.begun);
        while let Some((at, batch)) = self.waiting.front()
            && *at <= due
        {
            let (batch, offset) = (batch.clone(), batch.0.last().map_or(0, |last| last.event.offset));
            self.parts.head.store(offset, Ordering::Release);
            if self.parts.history.try_send(batch.clone()).is_err() {
                self.parts.metrics.history_mailbox_full.inc();
                return;
            }
            send_to_hubs(&mut self.hubs, &batch, &self.parts.metrics);
            self.waiting.pop_front();
            self.count(-batch.0.len().cast_signed());
        }
        let gate = &self.parts.gate;
        if !gate.is_open() && gate.opens_in_micros() == 0 {
            gate.is_open.store(true, Ordering::Release);
            log::info!("delayed stream is served delay_ms={}", gate.delay_ms);
        }
    }

    /// Shuts the gate and ends the sessions, because too many events wait.
    fn stop(&mut self) {
        let DelayParts { gate, metrics, events_max, .. } = &self.parts;
        gate.is_open.store(false, Ordering::Release);
        metrics.delayed_streams_stopped.inc();
        log::error!(
            "delayed stream stops for the time of its delay, because too many events wait: delay_ms={} feed.delay_events_max={events_max}",
            gate.delay_ms
        );
        let are_gone = Arc::new(AtomicBool::new(false));
        self.state = State::Evicting(are_gone.clone());
        let sessions = self.sessions.clone();
        actix::spawn(async move {
            // All at once, so that a late hub delays no other one.
            let sent: Vec<_> = sessions.iter().map(|hub| hub.send(Evict)).collect();
            for ended in sent {
                // A hub that has ended has no session left.
                let _ = ended.await;
            }
            are_gone.store(true, Ordering::Release);
        });
    }

    /// Drops everything that waits: twice as many events as may have come, and the sessions are still there.
    fn give_up(&mut self) {
        log::error!(
            "delayed stream ends until the server is started again, because its sessions do not end: delay_ms={}",
            self.delay_ms()
        );
        self.state = State::GivenUp;
        self.parts.metrics.delayed_streams_ended.inc();
        self.parts.gate.open_at(i64::MAX);
        self.waiting.clear();
        self.count(-self.events.cast_signed());
    }

    fn count(&mut self, added: isize) {
        self.events = self.events.saturating_add_signed(added);
        self.parts.metrics.delayed_events_waiting.inc_by(i64::try_from(added).unwrap_or_default());
    }
}

/// Returns the microseconds of a delay.
fn micros(delay_ms: u64) -> i64 {
    i64::try_from(delay_ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler, ResponseFuture};

    use super::*;
    use crate::domain::{Event, EventBody, Gap, SymbolId};
    use crate::metrics::Metrics;
    use crate::protocol::Publication;

    /// A history, and a hub whose sessions never end.
    struct Stuck;

    impl Actor for Stuck {
        type Context = Context<Self>;
    }

    impl Handler<Batch> for Stuck {
        type Result = ();

        fn handle(&mut self, _: Batch, _: &mut Self::Context) {}
    }

    impl Handler<Evict> for Stuck {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, _: Evict, _: &mut Self::Context) -> Self::Result {
            Box::pin(std::future::pending())
        }
    }

    fn batch(events: u64) -> Batch {
        let body = EventBody::Gap(Gap { since: Timestamp::default(), ts: Timestamp::default() });
        let event = Event { offset: 1, seq: 1, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body };
        Batch((0..events).map(|_| Publication::new(event.clone())).collect())
    }

    #[test]
    fn a_stream_whose_sessions_do_not_end_is_counted_and_is_never_served_again() {
        actix::System::new().block_on(async { stop_and_end() });
    }

    fn stop_and_end() {
        let (stuck, metrics) = (Stuck.start(), Arc::new(Metrics::default()));
        let (start, second) = (Timestamp::from_micros(1_000_000), 1_000_000);
        let gate = Arc::new(DelayGate::new(1_000, start));
        let mut line = DelayLine::new(DelayParts {
            gate: gate.clone(),
            events_max: 10,
            start,
            history: stuck.clone().recipient(),
            head: Arc::default(),
            metrics: metrics.clone(),
        });
        let (batches, sessions) = (stuck.clone().recipient(), stuck.recipient());
        line.attach(AttachDelayed { delay_ms: 1_000, batches, sessions });
        assert_eq!(gate.opens_in_micros(), 1_000_000);
        line.step(start.plus_micros(second));
        assert!(gate.is_open());
        let counts = || [metrics.delayed_streams_stopped.get(), metrics.delayed_streams_ended.get().cast_unsigned()];
        line.push(batch(11), start.plus_micros(second));
        assert_eq!((gate.is_open(), counts()), (false, [1, 0]), "its sessions are to end");
        line.push(batch(9), start.plus_micros(second));
        assert_eq!(counts(), [1, 0]);
        line.push(batch(1), start.plus_micros(second));
        assert_eq!((counts(), metrics.delayed_events_waiting.get()), ([1, 1], 0), "twice as many, and it is over");
        line.push(batch(1), start.plus_micros(second));
        line.step(start.plus_micros(1_000_000 * second));
        assert_eq!((gate.is_open(), counts(), metrics.delayed_events_waiting.get()), (false, [1, 1], 0));
        assert!(gate.opens_in_micros() > 0);
    }
}
