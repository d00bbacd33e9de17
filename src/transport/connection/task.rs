//! The task of one connection: it ends when the connection's deadline has passed and a second check confirms it, or when the
//! connection is closed to make room.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_http::error::DispatchError;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use crate::metrics::SharedMetrics;
use crate::transport::connection::state::{ConnectionState, Dismissal};
use crate::transport::second_look::SecondLook;

pin_project! {
    /// A future that serves one connection.
    pub(super) struct ConnectionTask<F> {
        #[pin]
        connection: F,
        place: Place,
        // Most deadlines are postponed before they are reached, so a request does not set a timer: an expired timer is set
        // again.
        timer: Option<Pin<Box<Sleep>>>,
        second_look: SecondLook,
        metrics: SharedMetrics,
    }
}

/// Removes the connection from the table when it is dropped.
struct Place(Rc<ConnectionState>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<F> ConnectionTask<F> {
    pub(super) fn new(connection: F, state: Rc<ConnectionState>, metrics: SharedMetrics) -> Self {
        Self { connection, place: Place(state), timer: None, second_look: SecondLook::default(), metrics }
    }
}

impl<F: Future<Output = Result<(), DispatchError>>> Future for ConnectionTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let state = &this.place.0;
        if state.dismissal(cx.waker()).is_some() {
            return Poll::Ready(Ok(()));
        }
        let mut connection = this.connection;
        let result = connection.as_mut().poll(cx);
        if let Poll::Ready(result) = result {
            if let Err(DispatchError::Parse(_)) = &result {
                this.metrics.requests_malformed.inc();
            }
            return Poll::Ready(result);
        }
        let dismissal = ready!(poll_deadline(this.timer, this.second_look, state, cx));
        if dismissal == Dismissal::RequestTimedOut {
            this.metrics.requests_timed_out.inc();
        }
        state.dismiss(dismissal);
        // `HttpIo` sends a refusal, if one is due, and reports the end to the dispatcher. Its result does not matter.
        let _ = connection.poll(cx);
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
