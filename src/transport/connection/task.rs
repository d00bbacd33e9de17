//! The task of one connection: it ends when the connection's deadline has passed and a second check confirms it, or when the
//! connection is closed to make room.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_http::error::DispatchError;
use tokio::time::{Sleep, sleep_until};

use crate::metrics::SharedMetrics;
use crate::transport::connection::handover::Successor;
use crate::transport::connection::state::{ConnectionState, Dismissal};
use crate::transport::second_look::SecondLook;
use crate::transport::traffic::Meter;

/// A future that serves one connection: TLS handshake, requests and responses, and a session that takes it over. Reads the CPU
/// clock around each poll while an account is charged.
pub(super) struct ConnectionTask {
    /// Boxed, so that a session does not keep the memory of the HTTP dispatcher.
    connection: Successor,
    meter: Rc<Meter>,
    place: Place,
    /// Most deadlines are postponed before they are reached, so a request does not set a timer: an expired timer is set again.
    timer: Option<Pin<Box<Sleep>>>,
    second_look: SecondLook,
    metrics: SharedMetrics,
}

/// Removes the connection from the table when it is dropped.
struct Place(Rc<ConnectionState>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl ConnectionTask {
    pub(super) fn new(
        connection: Successor,
        meter: Rc<Meter>,
        state: Rc<ConnectionState>,
        metrics: SharedMetrics,
    ) -> Self {
        let second_look = SecondLook::default();
        Self { connection, meter, place: Place(state), timer: None, second_look, metrics }
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DispatchError>> {
        self.meter.begin_work();
        let mut polled = self.connection.as_mut().poll(cx);
        if let Some(successor) = self.place.0.take_successor() {
            self.connection = successor;
            // A session has no deadline of HTTP.
            (self.timer, self.second_look) = (None, SecondLook::default());
            polled = self.connection.as_mut().poll(cx);
        }
        self.meter.end_work();
        polled
    }
}

impl Future for ConnectionTask {
    type Output = Result<(), DispatchError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.place.0.dismissal(cx.waker()).is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(result) = this.poll_connection(cx) {
            if let Err(DispatchError::Parse(_)) = &result {
                this.metrics.requests_malformed.inc();
            }
            return Poll::Ready(result);
        }
        let state = &this.place.0;
        let dismissal = ready!(poll_deadline(&mut this.timer, &mut this.second_look, state, cx));
        if dismissal == Dismissal::RequestTimedOut {
            this.metrics.requests_timed_out.inc();
        }
        state.dismiss(dismissal);
        // `HttpIo` sends a refusal, if one is due, and reports the end to the dispatcher. Its result does not matter.
        let _ = this.poll_connection(cx);
        Poll::Ready(Ok(()))
    }
}

fn poll_deadline(
    timer: &mut Option<Pin<Box<Sleep>>>,
    second_look: &mut SecondLook,
    state: &ConnectionState,
    cx: &mut Context<'_>,
) -> Poll<Dismissal> {
    loop {
        let Some((deadline, dismissal)) = state.deadline() else {
            second_look.clear();
            // The timer keeps running, because most responses are short. If it expires while nothing is due, it is dropped.
            if timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
                *timer = None;
            }
            return Poll::Pending;
        };
        let now = Instant::now();
        let Some(look) = second_look.next(deadline, now) else { return Poll::Ready(dismissal) };
        let sleeping = timer.get_or_insert_with(|| Box::pin(sleep_until(look.into())));
        if sleeping.deadline() > look.into() {
            sleeping.as_mut().reset(look.into());
        }
        ready!(sleeping.as_mut().poll(cx));
        *timer = None;
    }
}
