//! What one connection is doing: opening, waiting for a request, receiving one, or answering one. From this follow its
//! deadline, and whether it may be closed to make room for others.
//!
//! The stream reports what it has read and written, the service when an answer begins and ends. `task.rs` keeps the
//! deadline, `table.rs` chooses who gives way.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::metrics::Metrics;
use crate::transport::connection::table::ConnectionTable;

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// From the first byte of a request to the end of its head, and from the end of an answer to the end of a body that
    /// nobody wanted. The same for the first request of a connection, from when it was accepted.
    pub(super) request: Duration,
    /// From the end of an answer to the first byte of the next request.
    pub(super) keep_alive: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its turn to begin, or shakes hands with TLS, which has a deadline of its own.
    Opening,
    /// Nothing has come of its first request.
    Fresh,
    /// A request has begun to come, or the body of one that has been answered.
    Receiving,
    Responding,
    /// Answered; nothing has come of the next request.
    Idle,
}

/// Why a connection is closed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Dismissal {
    /// It takes the place of another one.
    Crowded,
    /// Its request takes too long.
    RequestTimedOut,
    /// It has been without a request for too long.
    Idle,
    /// Its session was closed, and it takes nothing of what was written before that.
    Jammed,
}

/// The state of one connection, shared by its stream, its service and its task.
#[derive(Debug)]
pub(in crate::transport) struct ConnectionState {
    timeouts: Timeouts,
    table: Rc<ConnectionTable>,
    phase: Cell<Phase>,
    /// When the phase began; for an idle connection, when something was last written.
    since: Cell<Instant>,
    /// Its key among those of `table`, when it is one of those that can give way.
    place: Cell<Option<u64>>,
    /// Whether a part of the next request's head has been received.
    has_begun_next: Cell<bool>,
    /// Whether the present request has a body that may still be coming.
    has_body: Cell<bool>,
    /// Whether the socket takes nothing at the moment, so that a part of an answer waits.
    is_jammed: Cell<bool>,
    /// Whether memory is kept for the present answer until it is read.
    is_kept: Cell<bool>,
    /// Whether the client has shut down its sending side, or is gone.
    is_half_closed: Cell<bool>,
    dismissal: Cell<Option<Dismissal>>,
    waker: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Takes a place for a connection that was just accepted.
    pub(super) fn begin(timeouts: Timeouts, table: &Rc<ConnectionTable>) -> Rc<Self> {
        let state = Rc::new(Self {
            timeouts,
            table: table.clone(),
            phase: Cell::new(Phase::Opening),
            since: Cell::new(Instant::now()),
            place: Cell::default(),
            has_begun_next: Cell::default(),
            has_body: Cell::default(),
            is_jammed: Cell::default(),
            is_kept: Cell::default(),
            is_half_closed: Cell::default(),
            dismissal: Cell::default(),
            waker: RefCell::default(),
        });
        table.enter(&state);
        state
    }

    /// Notes that HTTP is spoken from now on.
    pub(super) fn open(self: &Rc<Self>) {
        self.enter(Phase::Fresh);
    }

    /// Notes whether a part of the next request's head has been received.
    pub(super) fn received(self: &Rc<Self>, has_begun_next: bool) {
        let had_begun = self.has_begun_next.replace(has_begun_next);
        if has_begun_next && !had_begun && matches!(self.phase.get(), Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Receiving);
        }
    }

    /// Notes whether the socket has taken what was written.
    pub(super) fn written(self: &Rc<Self>, is_jammed: bool) {
        let was_jammed = self.is_jammed.replace(is_jammed);
        if self.phase.get() == Phase::Idle {
            self.since.set(Instant::now());
            if is_jammed != was_jammed {
                // An answer that is still being written is not idle.
                self.table.move_to(self, !is_jammed);
            }
        }
    }

    /// Begins an answer, which ends when the result is dropped.
    pub(super) fn respond(self: &Rc<Self>, has_body: bool) -> Responding {
        self.has_body.set(has_body);
        self.enter(Phase::Responding);
        Responding(self.clone())
    }

    fn responded(self: &Rc<Self>) {
        let is_receiving = self.has_begun_next.get() || self.has_body.get();
        self.enter(if is_receiving { Phase::Receiving } else { Phase::Idle });
    }

    /// Notes that memory is kept for the present answer until it is read.
    pub(in crate::transport) fn keep(&self) {
        self.is_kept.set(true);
    }

    /// Returns for how long there has been an answer for which memory is kept; `None` when there is none.
    pub(super) fn kept_for(&self, now: Instant) -> Option<Duration> {
        self.is_kept.get().then(|| now.saturating_duration_since(self.since.get()))
    }

    /// Notes that the client sends nothing more.
    pub(super) fn half_close(&self) {
        self.is_half_closed.set(true);
    }

    /// Returns whether the client has shut down its sending side, or is gone: only what is written to it tells which.
    pub(in crate::transport) fn is_half_closed(&self) -> bool {
        self.is_half_closed.get()
    }

    /// Returns whether the socket takes nothing at the moment.
    pub(in crate::transport) fn is_jammed(&self) -> bool {
        self.is_jammed.get()
    }

    /// Returns whether an answer is being made or written.
    pub(super) fn is_responding(&self) -> bool {
        self.phase.get() == Phase::Responding || self.is_jammed.get()
    }

    /// Returns when the connection is to be closed if nothing happens until then, and why; `None` while it answers.
    pub(super) fn deadline(&self) -> Option<(Instant, Dismissal)> {
        let since = self.since.get();
        match self.phase.get() {
            Phase::Opening | Phase::Responding => None,
            Phase::Fresh | Phase::Receiving => Some((since + self.timeouts.request, Dismissal::RequestTimedOut)),
            Phase::Idle => Some((since + self.timeouts.keep_alive, Dismissal::Idle)),
        }
    }

    /// Returns the counters.
    pub(super) fn metrics(&self) -> &Metrics {
        self.table.metrics()
    }

    /// Asks the connection's task to end it.
    pub(in crate::transport) fn dismiss(&self, dismissal: Dismissal) {
        self.dismissal.set(Some(dismissal));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns why the connection is to end, if it is. Wakes this waker when that changes.
    pub(super) fn dismissal(&self, waker: &Waker) -> Option<Dismissal> {
        let mut kept = self.waker.borrow_mut();
        if kept.as_ref().is_none_or(|kept| !kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
        self.dismissal.get()
    }

    /// Returns whether the connection is being closed.
    pub(super) fn is_dismissed(&self) -> bool {
        self.dismissal.get().is_some()
    }

    fn enter(self: &Rc<Self>, phase: Phase) {
        self.phase.set(phase);
        self.is_kept.set(false);
        self.since.set(Instant::now());
        self.table.move_to(self, phase != Phase::Responding && !(phase == Phase::Idle && self.is_jammed.get()));
    }

    /// The key under which `table` has it.
    pub(super) const fn place(&self) -> &Cell<Option<u64>> {
        &self.place
    }

    /// Gives the place back.
    pub(super) fn end(&self) {
        self.table.leave(self);
    }

    /// Lets the connection of this request keep its place until the answer is complete: it carries a session.
    pub(in crate::transport) fn keep_place(request: &HttpRequest) {
        if let Some(state) = request.conn_data::<Rc<Self>>() {
            state.table.keep(state);
        }
    }

    /// Returns the state of the connection of this request; `None` in tests without one.
    pub(in crate::transport) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.conn_data::<Rc<Self>>().cloned()
    }
}

/// An answer that is being made or written. Its end is noted when it is dropped.
pub(super) struct Responding(Rc<ConnectionState>);

impl Drop for Responding {
    fn drop(&mut self) {
        self.0.responded();
    }
}

/// Waits until the client of this request sends nothing more: it has shut down its sending side, or is gone. Must be polled
/// by the task of the connection, which reads before it polls.
pub(in crate::transport) async fn half_closed(request: &HttpRequest) {
    let state = ConnectionState::of(request);
    poll_fn(|_| match &state {
        Some(state) if state.is_half_closed() => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await;
}
