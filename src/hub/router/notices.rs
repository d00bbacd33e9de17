//! Notices of the feed to every client, in their place among the events.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::Timestamp;
use crate::feed::{FeedStatus, ReplayStatus};
use crate::hub::router::Router;
use crate::protocol::{RequestId, ServerMessage, Status};

/// Most notices that wait for the events before them to be routed. The oldest are left out: the state of the newest holds.
const NOTICES_MAX: usize = 64;

impl Router {
    /// Tells the sessions of this state, after every event that has arrived.
    pub(in crate::hub) fn add_notice(&mut self, status: Arc<FeedStatus>, now: Instant) {
        if self.notices.len() == NOTICES_MAX {
            self.notices.pop_front();
        }
        self.told = Some(status.state);
        self.notices.push_back((self.newest(), status));
        self.tell_notices(now);
    }

    /// Returns the state of the feed that clients were told last.
    pub fn told(&self) -> Option<&'static str> {
        self.told
    }

    /// Tells the notices whose place has come to every session with a subscription.
    pub(super) fn tell_notices(&mut self, now: Instant) {
        let offset = self.offset();
        while let Some((_, status)) = self.notices.pop_front_if(|(place, _)| *place <= offset) {
            let message = self.status_message(None, &status, false);
            for (_, entry) in &self.sessions {
                let mut outbox = entry.outbox.borrow_mut();
                // A client without a subscription may not have said yet who it is.
                if outbox.links().topics().next().is_some() {
                    // A session with too many unread answers is closed by its next request.
                    let _ = outbox.push_reply(message.clone(), offset, now);
                }
            }
        }
    }

    /// Returns the message of a state of the feed, at the offset of this router.
    pub(in crate::hub) fn status_message(
        &self,
        id: Option<RequestId>,
        status: &FeedStatus,
        is_sought: bool,
    ) -> ServerMessage {
        let ReplayStatus { file_ts, from, to, complaint, .. } = status.replay.clone().unwrap_or_default();
        let [file_ts, from, to] = [file_ts, from, to].map(Timestamp::from_micros);
        ServerMessage::Status(Box::new(Status {
            id,
            feed: status.state,
            epoch: self.epoch(),
            offset: self.offset(),
            file_ts,
            from,
            to,
            speed: status.speed,
            is_sought,
            complaint,
        }))
    }
}
