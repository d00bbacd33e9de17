//! The state of one connection: it opens, waits for a request, receives one, or responds. The state determines its deadline,
//! and whether it may be closed to make room for other connections.
//!
//! `HttpIo` reports reads and writes, the service reports the begin and end of a response. `task.rs` keeps the deadline,
//! `table.rs` picks the connection to close.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::metrics::Metrics;
use crate::transport::connection::handover::{Handover, Successor};
use crate::transport::connection::table::ConnectionTable;

/// Timeouts of a connection without a response in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// From the first byte of a request to the end of its head, or from the end of a response to the end of an unread request
    /// body. For the first request of a connection: from the accept.
    pub(super) request: Duration,
    /// From the end of a response to the first byte of the next request.
    pub(super) keep_alive: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the turnstile, or for the TLS handshake, which has its own timeout.
    Opening,
    /// No byte of the first request has arrived.
    Fresh,
    /// A part of a request has arrived, or the body of an answered request is still arriving.
    Receiving,
    Responding,
    /// The response is complete and no byte of the next request has arrived.
    Idle,
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport) enum Dismissal {
    /// Too many connections: this one makes room for another.
    Crowded,
    /// A request took too long to arrive.
    RequestTimedOut,
    /// No request arrived for too long.
    Idle,
    /// Its session was closed, and the client does not read the bytes written before.
    Jammed,
}

/// The handover of the connection to a session.
#[derive(Default)]
struct Handing {
    /// Due when the response that precedes it is written.
    handover: Option<Handover>,
    /// The successor, until the task of the connection polls it.
    successor: Option<Successor>,
    /// Whether the connection carries a session.
    is_done: bool,
}

impl std::fmt::Debug for Handing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handing").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}

/// The state of one connection, shared by its IO, its service and its task.
#[derive(Debug)]
pub(in crate::transport) struct ConnectionState {
    timeouts: Rc<Timeouts>,
    table: Rc<ConnectionTable>,
    phase: Cell<Phase>,
    /// When the phase began; for an idle connection, the time of the last write.
    since: Cell<Instant>,
    /// The key of this connection in `table`, if it may be closed to make room.
    place: Cell<Option<u64>>,
    /// The number of its client's address, if that has a limit of connections.
    address: Cell<Option<u128>>,
    /// Whether a part of the next request's head has arrived.
    has_begun_next: Cell<bool>,
    /// Whether a request body may still be arriving.
    has_body: Cell<bool>,
    /// Whether the last write did not complete, because the send buffer of the socket is full.
    is_jammed: Cell<bool>,
    /// Whether the response holds memory until the client has read it.
    is_kept: Cell<bool>,
    /// Whether the client has shut down its sending side, or has disconnected.
    is_half_closed: Cell<bool>,
    handing: RefCell<Handing>,
    /// When a long poll was last answered with events.
    polled: Cell<Option<Instant>>,
    dismissal: Cell<Option<Dismissal>>,
    waker: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Registers a connection that was just accepted, from the address with this number, if there is a limit for it.
    pub(super) fn begin(timeouts: &Rc<Timeouts>, table: &Rc<ConnectionTable>, address: Option<u128>) -> Rc<Self> {
        let state = Rc::new(Self {
            timeouts: timeouts.clone(),
            table: table.clone(),
            phase: Cell::new(Phase::Opening),
            since: Cell::new(Instant::now()),
            place: Cell::default(),
            address: Cell::default(),
            has_begun_next: Cell::default(),
            has_body: Cell::default(),
            is_jammed: Cell::default(),
            is_kept: Cell::default(),
            is_half_closed: Cell::default(),
            handing: RefCell::default(),
            polled: Cell::default(),
            dismissal: Cell::default(),
            waker: RefCell::default(),
        });
        table.enter(&state, address);
        state
    }

    /// Records that the TLS handshake, if any, is complete. The connection keeps its place in the table: it has been without a
    /// request since the accept, and of a crowd the newest one comes here first.
    pub(super) fn open(&self) {
        self.phase.set(Phase::Fresh);
        self.since.set(Instant::now());
    }

    /// Records whether a part of the next request's head has arrived.
    pub(super) fn received(self: &Rc<Self>, has_begun_next: bool) {
        let had_begun = self.has_begun_next.replace(has_begun_next);
        if has_begun_next && !had_begun && matches!(self.phase.get(), Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Receiving);
        }
    }

    /// Records whether the socket is jammed: it has not accepted all bytes of a write.
    pub(in crate::transport) fn written(self: &Rc<Self>, is_jammed: bool) {
        let was_jammed = self.is_jammed.replace(is_jammed);
        if self.phase.get() == Phase::Idle {
            self.since.set(Instant::now());
            if is_jammed != was_jammed {
                // The response is still being written, so the connection is not idle.
                self.table.move_to(self, !is_jammed);
            }
        }
    }

    /// Records the beginning of a response. It ends when the result is dropped.
    pub(super) fn respond(self: &Rc<Self>, has_body: bool) -> Responding {
        self.has_body.set(has_body);
        self.enter(Phase::Responding);
        Responding(self.clone())
    }

    fn responded(self: &Rc<Self>) {
        if self.handing.borrow().is_done {
            return;
        }
        let is_receiving = self.has_begun_next.get() || self.has_body.get();
        self.enter(if is_receiving { Phase::Receiving } else { Phase::Idle });
    }

    /// Returns when a long poll was last answered with events.
    pub(in crate::transport) fn last_poll_answer(&self) -> Option<Instant> {
        self.polled.get()
    }

    /// Records that a long poll is answered with events.
    pub(in crate::transport) fn record_poll_answer(&self, now: Instant) {
        self.polled.set(Some(now));
    }

    /// Hands the connection over once the response is written.
    pub(super) fn hand_over(&self, handover: Handover) {
        self.handing.borrow_mut().handover = Some(handover);
    }

    /// Takes the handover that is due after this response.
    pub(super) fn take_handover(&self) -> Option<Handover> {
        self.handing.borrow_mut().handover.take()
    }

    /// Records that the connection belongs to this successor.
    pub(super) fn give(&self, successor: Successor) {
        let mut handing = self.handing.borrow_mut();
        (handing.successor, handing.is_done) = (Some(successor), true);
    }

    /// Takes the successor to which the connection was just given.
    pub(super) fn take_successor(&self) -> Option<Successor> {
        self.handing.borrow_mut().successor.take()
    }

    /// Records that the response holds memory until the client has read it.
    pub(in crate::transport) fn keep(&self) {
        self.is_kept.set(true);
    }

    /// Returns the age of a response that holds memory; `None` if there is none.
    pub(super) fn kept_for(&self, now: Instant) -> Option<Duration> {
        self.is_kept.get().then(|| now.saturating_duration_since(self.since.get()))
    }

    /// Records that the client has shut down its sending side, or has disconnected.
    pub(in crate::transport) fn half_close(&self) {
        self.is_half_closed.set(true);
    }

    /// Returns whether the client has shut down its sending side or has disconnected. Only a write can tell which.
    pub(in crate::transport) fn is_half_closed(&self) -> bool {
        self.is_half_closed.get()
    }

    /// Returns whether the socket is jammed.
    pub(in crate::transport) fn is_jammed(&self) -> bool {
        self.is_jammed.get()
    }

    /// Returns whether a response is being produced or written.
    pub(super) fn is_responding(&self) -> bool {
        self.phase.get() == Phase::Responding || self.is_jammed.get()
    }

    /// Returns the deadline at which the connection is closed, and the reason; `None` while it responds.
    pub(super) fn deadline(&self) -> Option<(Instant, Dismissal)> {
        let since = self.since.get();
        match self.phase.get() {
            Phase::Opening | Phase::Responding => None,
            Phase::Fresh | Phase::Receiving => Some((since + self.timeouts.request, Dismissal::RequestTimedOut)),
            Phase::Idle => Some((since + self.timeouts.keep_alive, Dismissal::Idle)),
        }
    }

    /// Returns the counters of the server.
    pub(super) fn metrics(&self) -> &Metrics {
        self.table.metrics()
    }

    /// Tells the connection's task to end the connection.
    pub(in crate::transport) fn dismiss(&self, dismissal: Dismissal) {
        self.dismissal.set(Some(dismissal));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns why the connection must end, if it must. Wakes `waker` when that changes.
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

    /// Returns whether `table` has closed the connection to make room.
    pub(super) fn is_crowded_out(&self) -> bool {
        self.dismissal.get() == Some(Dismissal::Crowded)
    }

    fn enter(self: &Rc<Self>, phase: Phase) {
        self.phase.set(phase);
        self.is_kept.set(false);
        self.since.set(Instant::now());
        self.table.move_to(self, phase != Phase::Responding && !(phase == Phase::Idle && self.is_jammed.get()));
    }

    /// Returns the key of this connection in `table`.
    pub(super) const fn place(&self) -> &Cell<Option<u64>> {
        &self.place
    }

    /// Returns the number of its client's address, by which `table` counts it.
    pub(super) const fn address(&self) -> &Cell<Option<u128>> {
        &self.address
    }

    /// Tells the number of its client's address, before the first request.
    pub(super) fn assign(self: &Rc<Self>, address: Option<u128>) {
        if let Some(address) = address {
            self.table.assign(self, address);
        }
    }

    /// Removes the connection from the table, and drops a handover that is still due.
    pub(super) fn end(&self) {
        self.handing.take();
        self.table.leave(self);
    }

    /// Exempts the connection of this request from being closed to make room, because it carries a session.
    pub(in crate::transport) fn keep_place(request: &HttpRequest) {
        if let Some(state) = request.conn_data::<Rc<Self>>() {
            state.table.keep(state);
        }
    }

    /// Returns the state of the connection of this request; `None` in tests without a connection.
    pub(in crate::transport) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.conn_data::<Rc<Self>>().cloned()
    }
}

/// A response in progress; dropping it records the end.
pub(super) struct Responding(Rc<ConnectionState>);

impl Drop for Responding {
    fn drop(&mut self) {
        self.0.responded();
    }
}

/// Waits until the client of this request has shut down its sending side, or has disconnected. The task of the connection must
/// poll this future, because only that task reads from the socket.
pub(in crate::transport) async fn half_closed(request: &HttpRequest) {
    let state = ConnectionState::of(request);
    poll_fn(|_| match &state {
        Some(state) if state.is_half_closed() => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await;
}
