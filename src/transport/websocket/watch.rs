//! The checks of a session by a timer: heartbeats, and clients that are idle, stalled or late.

use std::time::Instant;

use actix::{AsyncContext, Context};

use crate::protocol::CloseReason;
use crate::transport::websocket::{MessageHandler, WebSocketSession};

impl<H: MessageHandler> WebSocketSession<H> {
    pub(super) fn check(&mut self, ctx: &mut Context<Self>) {
        let Some(session) = &mut self.session else { return };
        let now = Instant::now();
        if session.is_holding() {
            // The client is not silent: the server does not read.
            self.liveness.heard(now);
        }
        let watched = session.watch(now);
        let checked = watched.and_then(|()| self.liveness.check(now, session.deadline(), || session.heartbeat(now)));
        match checked {
            Ok(next) => _ = ctx.run_later(next, Self::check),
            // A fault delays what the client reads and sends.
            Err(CloseReason::Stalled | CloseReason::Idle | CloseReason::AuthTimeout) if self.socket.spares() => {
                self.was_spared = true;
                self.liveness.heard(now);
                ctx.run_later(self.config.heartbeat(), Self::check);
            }
            // After the fault the client has the time that it could not use.
            Err(CloseReason::AuthTimeout) if std::mem::take(&mut self.was_spared) => {
                ctx.run_later(self.config.auth_timeout(), Self::check);
            }
            Err(CloseReason::Stalled) => self.give_up(CloseReason::Stalled, ctx),
            Err(reason) => self.close(reason, ctx),
        }
    }
}
