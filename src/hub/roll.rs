//! The roll: the sessions of a hub as an operator sees them, and their end at the operator's word.
//!
//! The facts of a session are kept beside the sessions, so that routing and writing do not touch them. A look at the roll walks over
//! the sessions in groups, and the tasks of the thread run in between; so it is with the order of what was found (`slowest.rs`).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Handler, Message, ResponseFuture};

use crate::hub::slowest::{Look, Slowest};
use crate::hub::{End, Hub, Router, SessionKey, SharedRouter};
use crate::protocol::CloseReason;

/// Sessions that are looked at, or ended, before the other tasks of the thread run.
pub(super) const GROUP: usize = 128;
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

/// Asks a hub to end sessions. Answered with the number of those that were told; it leaves out sessions that were ending already.
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

/// Walks over the sessions of a hub in groups, those of its private replays included. Where one has left meanwhile, its place may be that of a newer one, which counts then.
async fn walk(router: SharedRouter, mut each: impl FnMut(&Router, SessionKey, &SessionFacts)) {
    let guests: Vec<_> = router.borrow().guests().collect();
    for router in std::iter::once(router).chain(guests) {
        walk_one(&router, &mut each).await;
    }
}

async fn walk_one(router: &SharedRouter, each: &mut impl FnMut(&Router, SessionKey, &SessionFacts)) {
    // The keys only: to copy the facts of all would read memory of every session in one turn.
    let enrolled: Vec<_> = router.borrow().roll().0.keys().copied().collect();
    for group in enrolled.chunks(GROUP) {
        {
            let router = router.borrow();
            for key in group {
                if let Some(facts) = router.roll().0.get(key) {
                    each(&router, *key, facts);
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

impl Handler<LookAtRoll> for Hub {
    type Result = ResponseFuture<Look>;

    fn handle(&mut self, wanted: LookAtRoll, _: &mut Self::Context) -> Self::Result {
        let router = self.router().clone();
        Box::pin(async move {
            let (mut slowest, mut matched) = (Slowest::new(wanted.sessions_max), 0);
            walk(router, |router, key, facts| {
                if wanted.key.as_ref().is_some_and(|wanted| **facts.key.borrow() != **wanted) {
                    return;
                }
                matched += 1;
                if let Some(status) = router.status(key, facts, Instant::now()) {
                    slowest.offer(status);
                }
            })
            .await;
            Look { slowest: slowest.in_order().await, matched }
        })
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
                    ended += usize::from(router.end(key, &end, Instant::now()));
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
