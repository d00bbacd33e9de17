//! The handover of a connection to the session that a `101 Switching Protocols` has opened. After it nothing of HTTP is left of
//! the connection: no dispatcher, no buffers, no timers.
//!
//! A handler puts a [`Handover`] into the extensions of its response. When the dispatcher has written that response, `HttpIo`
//! gives the channel away, and `ConnectionTask` replaces the dispatcher by the [`Successor`].

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::error::DispatchError;
use actix_web::body::{BodySize, MessageBody};
use bytes::{Bytes, BytesMut};

use crate::transport::connection::state::ConnectionState;
use crate::transport::connection::tls::Channel;

/// A connection whose response with status 101 has been written.
pub(in crate::transport) struct Upgraded {
    /// The socket, or TLS over it.
    pub(in crate::transport) channel: Channel,
    /// Bytes that the client has sent after its request, and that have been read already.
    pub(in crate::transport) read: BytesMut,
    /// The state of the connection.
    pub(in crate::transport) state: Rc<ConnectionState>,
}

/// Serves a connection. The connection ends with this future.
pub(in crate::transport) type Successor = Pin<Box<dyn Future<Output = Result<(), DispatchError>>>>;

/// Takes a connection over. If the connection ends before its response is written, this is dropped.
pub(in crate::transport) struct Handover(Box<dyn FnOnce(Upgraded) -> Successor>);

impl Handover {
    /// Returns a handover to the future that `take` returns.
    pub(in crate::transport) fn new(take: impl FnOnce(Upgraded) -> Successor + 'static) -> Self {
        Self(Box::new(take))
    }

    /// Hands the connection over.
    pub(super) fn take(self, upgraded: Upgraded) -> Successor {
        (self.0)(upgraded)
    }
}

/// The body of a response with a handover: the dispatcher waits for bytes of it until it is replaced.
pub(in crate::transport) struct SilentBody;

impl MessageBody for SilentBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Pending
    }
}
