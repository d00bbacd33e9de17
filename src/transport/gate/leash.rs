//! `Leash`: ends a session when its key ends, from any thread; also one that is only beginning.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::hub::{End, Ender};
use crate::protocol::CloseReason;
use crate::transport::gate::RETURN_MS;

/// The connection between a key and one of its sessions.
#[derive(Default)]
pub(in crate::transport) struct Leash {
    state: Mutex<State>,
    /// Notified once the session must end.
    pulled: Notify,
}

#[derive(Default)]
struct State {
    ender: Option<Ender>,
    ended: Option<CloseReason>,
}

impl Leash {
    /// Ends the session for this reason.
    pub(super) fn end(&self, reason: CloseReason) {
        let ender = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.ended.get_or_insert(reason);
            state.ender.clone()
        };
        if let Some(ender) = ender {
            send(&ender, reason);
        }
        self.pulled.notify_one();
    }

    /// Sets the recipient of the end; if the session must end already, it is told at once.
    pub(in crate::transport) fn bind(&self, ender: Ender) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = state.ended {
            send(&ender, reason);
        }
        state.ender = Some(ender);
    }

    /// Waits until the session must end, and returns why.
    pub(in crate::transport) async fn pulled(&self) -> CloseReason {
        loop {
            self.pulled.notified().await;
            if let Some(reason) = self.state.lock().unwrap_or_else(PoisonError::into_inner).ended {
                return reason;
            }
        }
    }
}

/// The clients are not to come back all at once. A session that was replaced is told by its close code only.
fn send(ender: &Ender, reason: CloseReason) {
    let retry_after_ms = (reason != CloseReason::Replaced).then(|| rand::random_range(RETURN_MS));
    // If the mailbox is closed or full, the session is ending already.
    let _ = ender.try_send(End { reason, retry_after_ms });
}
