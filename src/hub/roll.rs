//! The roll: the sessions of a hub as an operator sees them, and their end at the operator's word.
//!
//! The facts of a session are kept beside the sessions, so that routing and writing do not touch them. A look at the roll walks over
//! the sessions in groups, and the tasks of the thread run in between.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Handler, Message, ResponseFuture};

use crate::hub::{End, Hub, Router, SessionKey, SharedRouter};
use crate::protocol::CloseReason;

/// Sessions that are looked at, or ended, before the other tasks of the thread run.
const GROUP: usize = 256;
/// The delay after which a client whose session an operator has ended should come back. Milliseconds.
const RETRY_AFTER_MS: Range<u64> = 5_000..10_000;
/// The shortest time over which a rate is measured.
const RATE_TIME_MIN: Duration = Duration::from_secs(1);

/// The facts of a session, which do not change, and the figures that are measured outside its outbox.
#[derive(Debug)]
pub struct SessionFacts {
    /// The random number that is the name of the session in `welcome`.
    pub id: u64,
    /// `websocket`, `stream` or `poll`.
    pub transport: &'static str,
    /// The name of the dialect.
    pub dialect: &'static str,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The beginning of the session.
    pub began: Instant,
    key: RefCell<Box<str>>,
    round_trip: Cell<Option<Duration>>,
    sample: Cell<Sample>,
}

/// The number of events at the time of a look, and the rate up to then.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    events: u64,
    rate: f64,
}

impl SessionFacts {
    /// Returns the facts of a session that begins now. `key` is the id of the client's key; empty without one.
    pub fn new(
        id: u64,
        transport: &'static str,
        dialect: &'static str,
        address: Option<IpAddr>,
        key: &str,
        now: Instant,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            transport,
            dialect,
            address,
            began: now,
            key: RefCell::new(key.into()),
            round_trip: Cell::default(),
            sample: Cell::new(Sample { at: now, events: 0, rate: 0.0 }),
        })
    }

    /// Sets the id of the key with which the client has authenticated by a message.
    pub fn set_key(&self, key: &str) {
        self.key.replace(key.into());
    }

    /// Returns the id of the client's key; empty without one.
    pub fn key(&self) -> Box<str> {
        self.key.borrow().clone()
    }

    /// Sets the time between the last ping of the server and the client's answer.
    pub fn set_round_trip(&self, time: Duration) {
        self.round_trip.set(Some(time));
    }

    /// Returns the events per second since the last look that was a second ago or longer; before the second look, since the
    /// beginning.
    fn rate(&self, events: u64, now: Instant) -> f64 {
        let last = self.sample.get();
        let time = now.saturating_duration_since(last.at);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (events - last.events) as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
        if time >= RATE_TIME_MIN {
            self.sample.set(Sample { at: now, events, rate });
            return rate;
        }
        if last.at == self.began { if time.is_zero() { 0.0 } else { rate } } else { last.rate }
    }
}

/// The figures of an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events written.
    pub events: u64,
    /// Bytes written, with frames and without TLS.
    pub bytes: u64,
    /// For how long data have been due without a write.
    pub waiting: Duration,
    /// Events of the stream between the first unsent one and the hub; 0 if nothing is unsent.
    pub lag: u64,
    /// Unsent events, answers and controls in memory.
    pub queue: usize,
}

/// A session as an operator sees it.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    /// The random number that is its name.
    pub id: u64,
    /// The id of the client's key; empty without one.
    pub key: Box<str>,
    /// `websocket`, `stream` or `poll`.
    pub transport: &'static str,
    /// The name of the dialect.
    pub dialect: &'static str,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// Time since its beginning.
    pub age: Duration,
    /// Events per second.
    pub rate: f64,
    /// Time between the last ping of the server and the answer, if there was one.
    pub round_trip: Option<Duration>,
    /// The figures of its outbox.
    pub figures: Figures,
}

impl SessionStatus {
    /// Returns the order of sessions: the slowest is the greatest.
    pub fn slowness(&self) -> impl Ord + use<> {
        let Figures { waiting, lag, queue, .. } = self.figures;
        // The number makes the order of equals the same at each look.
        (waiting.as_millis(), lag, queue, self.round_trip.unwrap_or_default(), Reverse(self.id))
    }
}

/// The facts of the sessions of a hub.
#[derive(Debug, Default)]
pub(super) struct Roll(HashMap<SessionKey, Rc<SessionFacts>>);

impl Roll {
    pub(super) fn remove(&mut self, key: SessionKey) {
        self.0.remove(&key);
    }
}

/// Asks a hub for its slowest sessions.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Look")]
pub struct LookAtRoll {
    /// Most sessions in the answer.
    pub sessions_max: usize,
    /// Id of a key, to look at its sessions only; empty for sessions without a key.
    pub key: Option<String>,
}

/// Some sessions of a hub, the slowest first.
#[derive(Debug, Default)]
pub struct Look {
    /// The slowest ones.
    pub slowest: Vec<SessionStatus>,
    /// The number of sessions that were looked for.
    pub matched: usize,
}

/// Asks a hub to end sessions. Answered with their number, once each was told.
#[derive(Clone, Debug, Message)]
#[rtype(result = "usize")]
pub enum EndOnRoll {
    /// The session with this number.
    Session(u64),
    /// All sessions of clients with the key of this id; empty for those without a key.
    Key(String),
}

impl EndOnRoll {
    fn means(&self, facts: &SessionFacts) -> bool {
        match self {
            Self::Session(id) => facts.id == *id,
            Self::Key(key) => **facts.key.borrow() == **key,
        }
    }
}

impl Router {
    /// Enters a session that has joined in the roll, until it leaves.
    pub fn enrol(&mut self, key: SessionKey, facts: Rc<SessionFacts>) {
        self.roll_mut().0.insert(key, facts);
    }

    fn enrolled(&self) -> Vec<(SessionKey, Rc<SessionFacts>)> {
        self.roll().0.iter().map(|(key, facts)| (*key, facts.clone())).collect()
    }

    fn status(&self, key: SessionKey, facts: &SessionFacts, now: Instant) -> Option<SessionStatus> {
        let figures = self.figures(key, now)?;
        Some(SessionStatus {
            id: facts.id,
            key: facts.key(),
            transport: facts.transport,
            dialect: facts.dialect,
            address: facts.address,
            age: now.saturating_duration_since(facts.began),
            rate: facts.rate(figures.events, now),
            round_trip: facts.round_trip.get(),
            figures,
        })
    }
}

/// Walks over the sessions of a hub in groups.
async fn walk(router: SharedRouter, mut each: impl FnMut(&Router, SessionKey, &SessionFacts)) {
    let enrolled = router.borrow().enrolled();
    for group in enrolled.chunks(GROUP) {
        visit(&router.borrow(), group, &mut each);
        tokio::task::yield_now().await;
    }
}

/// Calls `each` with those of the sessions that have not left. The place of another one may be a new session's, with facts of its own.
fn visit(
    router: &Router,
    group: &[(SessionKey, Rc<SessionFacts>)],
    each: &mut impl FnMut(&Router, SessionKey, &SessionFacts),
) {
    for (key, facts) in group {
        if router.roll().0.get(key).is_some_and(|present| Rc::ptr_eq(present, facts)) {
            each(router, *key, facts);
        }
    }
}

impl Handler<LookAtRoll> for Hub {
    type Result = ResponseFuture<Look>;

    fn handle(&mut self, wanted: LookAtRoll, _: &mut Self::Context) -> Self::Result {
        let router = self.router().clone();
        Box::pin(async move {
            let mut look = Look::default();
            walk(router, |router, key, facts| {
                if wanted.key.as_ref().is_some_and(|wanted| **facts.key.borrow() != **wanted) {
                    return;
                }
                look.matched += 1;
                look.slowest.extend(router.status(key, facts, Instant::now()));
                if look.slowest.len() >= 2 * wanted.sessions_max.max(GROUP) {
                    look.keep_slowest(wanted.sessions_max);
                }
            })
            .await;
            look.keep_slowest(wanted.sessions_max);
            look
        })
    }
}

impl Look {
    fn keep_slowest(&mut self, sessions_max: usize) {
        self.slowest.sort_unstable_by_key(|session| Reverse(session.slowness()));
        self.slowest.truncate(sessions_max);
    }

    /// Adds the sessions of another hub, and keeps the slowest.
    pub fn merge(&mut self, other: Self, sessions_max: usize) {
        self.matched += other.matched;
        self.slowest.extend(other.slowest);
        self.keep_slowest(sessions_max);
    }
}

impl Handler<EndOnRoll> for Hub {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, which: EndOnRoll, _: &mut Self::Context) -> Self::Result {
        let router = self.router().clone();
        Box::pin(async move {
            let mut ended = 0;
            walk(router, |router, key, facts| {
                if which.means(facts) {
                    // Clients that are ended together are not to come back all at once.
                    let retry_after_ms = Some(rand::random_range(RETRY_AFTER_MS));
                    let end = End { reason: CloseReason::EndedByOperator, retry_after_ms };
                    router.end(key, &end, Instant::now());
                    ended += 1;
                }
            })
            .await;
            ended
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: u64, waiting_ms: u64, lag: u64, queue: usize, round_trip_ms: Option<u64>) -> SessionStatus {
        let facts = SessionFacts::new(id, "websocket", "native", None, "", Instant::now());
        SessionStatus {
            id,
            key: facts.key(),
            transport: facts.transport,
            dialect: facts.dialect,
            address: None,
            age: Duration::ZERO,
            rate: 0.0,
            round_trip: round_trip_ms.map(Duration::from_millis),
            figures: Figures { waiting: Duration::from_millis(waiting_ms), lag, queue, ..Figures::default() },
        }
    }

    #[test]
    fn the_slowest_waits_longest_then_is_furthest_behind_then_has_the_longest_queue() {
        let sessions = [
            status(1, 0, 0, 0, None),
            status(2, 0, 0, 0, Some(50)),
            status(3, 0, 0, 7, None),
            status(4, 0, 9, 0, None),
            status(5, 10, 0, 0, None),
            status(6, 10, 2, 0, None),
        ];
        let mut look = Look::default();
        for (sessions, matched) in [(&sessions[..3], 3), (&sessions[3..], 4)] {
            look.merge(Look { slowest: sessions.to_vec(), matched }, 5);
        }
        let ids: Vec<_> = look.slowest.iter().map(|session| session.id).collect();
        assert_eq!((ids, look.matched), (vec![6, 5, 4, 3, 2], 7));
    }

    #[test]
    fn a_rate_is_that_since_the_last_look_a_second_ago() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let facts = SessionFacts::new(1, "websocket", "native", None, "", start);
        for (ms, events, rate) in
            [(0, 0, 0.0), (500, 50, 100.0), (2_000, 400, 200.0), (2_500, 1_000, 200.0), (4_000, 1_400, 500.0)]
        {
            assert!((facts.rate(events, at(ms)) - rate).abs() < 1e-9, "{ms}");
        }
    }
}
