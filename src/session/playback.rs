//! A session with a replay of its own: its orders, and the messages about its state.

use std::time::Instant;

use crate::feed::FeedOrder;
use crate::hub::Playback;
use crate::protocol::{CloseReason, ErrorCode, Mistake, ReplayOrder, RequestId};
use crate::session::Session;

impl Session {
    /// Gives the session, which has joined the router of the replay, the replay that is played for it. Before its first answer.
    pub fn play(&mut self, playback: Playback) {
        playback.show(self.rights().channels);
        self.playback = Some(Box::new(playback));
    }

    /// Serves an order to the replay.
    pub(super) fn direct(
        &mut self,
        id: Option<RequestId>,
        order: ReplayOrder,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let obeyed = match &self.playback {
            None => Err("only a replay for this client alone has this action: /ws?replay=FILE, docs/REPLAY.md".into()),
            Some(playback) => playback.obey(feed_order(order)).map_err(|err| err.to_string()),
        };
        match obeyed {
            Ok(()) => self.tell_playback(id, now),
            Err(message) => self.refuse(id.as_ref(), Mistake::new(ErrorCode::BadRequest, message), now),
        }
    }

    /// Tells the client the state of its replay, if it has one.
    pub(super) fn tell_playback(&self, id: Option<RequestId>, now: Instant) -> Result<(), CloseReason> {
        let Some(playback) = &self.playback else { return Ok(()) };
        let (message, offset) = (playback.status(id), self.router.borrow().offset());
        self.reply(message, offset, now)
    }
}

fn feed_order(order: ReplayOrder) -> FeedOrder {
    match order {
        ReplayOrder::Pause => FeedOrder::Pause,
        ReplayOrder::Resume => FeedOrder::Resume,
        ReplayOrder::Step(events) => FeedOrder::Step(events),
        ReplayOrder::Speed(speed) => FeedOrder::Speed(speed),
        ReplayOrder::Seek(ts) => FeedOrder::Seek(ts),
    }
}
