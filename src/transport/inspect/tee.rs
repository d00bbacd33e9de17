//! Copies the bytes of a connection into its capture: those of the client when the session reads them, those of the server when
//! the dispatcher takes them.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::PayloadError;
use actix_web::web::Payload;
use bytes::Bytes;
use futures_core::Stream;

use super::capture::{Capture, Sender};

/// The capture as seen by one connection; it ends when both tees are dropped.
pub(super) struct Tap(Arc<Capture>);

impl Tap {
    /// Returns the tap for both tees of a connection.
    pub(super) fn new(capture: Arc<Capture>) -> Rc<Self> {
        Rc::new(Self(capture))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The request's payload: the bytes of the client after the handshake.
pub(super) struct ClientTee {
    pub(super) payload: Payload,
    pub(super) tap: Rc<Tap>,
}

impl Stream for ClientTee {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.payload).poll_next(cx));
        if let Some(Ok(bytes)) = &item {
            self.tap.0.bytes(Sender::Client, bytes);
        }
        Poll::Ready(item)
    }
}

/// The response's body: the bytes of the server after the handshake.
pub(super) struct ServerTee {
    pub(super) body: BoxBody,
    pub(super) tap: Rc<Tap>,
}

impl MessageBody for ServerTee {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let item = ready!(Pin::new(&mut self.body).poll_next(cx));
        if let Some(Ok(bytes)) = &item {
            self.tap.0.bytes(Sender::Server, bytes);
        }
        Poll::Ready(item)
    }
}
