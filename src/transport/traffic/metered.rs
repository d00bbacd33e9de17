//! The task of one connection, which reads the CPU clock around each poll while an account is charged.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::transport::traffic::Meter;

pin_project! {
    /// A future that serves one connection: TLS handshake, reading, parsing, handlers, bodies, encryption, writing.
    pub(in crate::transport) struct Metered<F> {
        #[pin]
        connection: F,
        meter: Rc<Meter>,
    }
}

impl<F> Metered<F> {
    pub(in crate::transport) fn new(connection: F, meter: Rc<Meter>) -> Self {
        Self { connection, meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let connection = self.project();
        connection.meter.begin_work();
        let polled = connection.connection.poll(cx);
        connection.meter.end_work();
        polled
    }
}
