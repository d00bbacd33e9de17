//! The task of one connection within its bounds: it ends when its deadline is over and still is at a second look, or when it
//! has to give way.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_http::error::DispatchError;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use crate::metrics::SharedMetrics;
use crate::transport::activity::{Activity, Dismissal};
use crate::transport::watch::SecondLook;

pin_project! {
    /// A future that serves one connection.
    pub(super) struct Tenure<F> {
        #[pin]
        connection: F,
        place: Place,
        // Set at the first deadline and again at the one that has come by then: a request costs no timer.
        timer: Option<Pin<Box<Sleep>>>,
        second_look: SecondLook,
        metrics: SharedMetrics,
    }
}

/// Gives the connection's place back when it is dropped.
struct Place(Rc<Activity>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<F> Tenure<F> {
    pub(super) fn new(connection: F, activity: Rc<Activity>, metrics: SharedMetrics) -> Self {
        Self { connection, place: Place(activity), timer: None, second_look: SecondLook::default(), metrics }
    }
}

impl<F: Future<Output = Result<(), DispatchError>>> Future for Tenure<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let activity = &this.place.0;
        if activity.dismissal(cx.waker()).is_some() {
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
        let dismissal = ready!(poll_deadline(this.timer, this.second_look, activity, cx));
        if dismissal == Dismissal::RequestTimedOut {
            this.metrics.requests_timed_out.inc();
        }
        activity.dismiss(dismissal);
        // The stream reports the end to the dispatcher, after a word to the client. Nothing is waited for.
        let _ = connection.poll(cx);
        Poll::Ready(Ok(()))
    }
}

fn poll_deadline(
    timer: &mut Option<Pin<Box<Sleep>>>,
    second_look: &mut SecondLook,
    activity: &Activity,
    cx: &mut Context<'_>,
) -> Poll<Dismissal> {
    loop {
        let Some((deadline, dismissal)) = activity.deadline() else {
            second_look.clear();
            // The timer goes on: most answers are short. When it is over and nothing is due, there is none.
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
