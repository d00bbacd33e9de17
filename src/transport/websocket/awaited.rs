//! The sessions whose clients have not shown a key yet, as their handlers say by [`MessageHandler::deadline`].

use actix_web::HttpRequest;

use crate::access::Stranger;
use crate::hub::{End, Ender};
use crate::protocol::CloseReason;
use crate::transport::websocket::MessageHandler;
use crate::transport::{Worker, gate};

/// Returns the place of a new session among those whose clients have not shown a key, if its client must still do so.
pub(super) fn stranger<H: MessageHandler>(
    worker: &Worker,
    request: &HttpRequest,
    handler: &H,
    ender: Ender,
) -> Option<Box<Stranger>> {
    // If the mailbox is closed or full, the session is ending already.
    let end = move || drop(ender.try_send(End { reason: CloseReason::AuthTimeout, retry_after_ms: None }));
    awaits_key(handler).then(|| worker.keys.await_key(gate::caller(request).address, end).into())
}

/// Returns whether a client must still show a key.
pub(super) fn awaits_key<H: MessageHandler>(handler: &H) -> bool {
    matches!(handler.deadline(), Some((_, CloseReason::AuthTimeout)))
}
