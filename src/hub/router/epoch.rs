//! The beginning of an epoch in its place of the stream: the router begins it between two events, and tells its sessions.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::ChannelSet;
use crate::feed::Restart;
use crate::hub::router::{Entry, Router};
use crate::hub::{End, SessionKey};
use crate::protocol::{CloseReason, Cursor, Dialect, ServerMessage};

/// How a session is told of another epoch.
pub(super) struct Telling {
    /// Whether its dialect has the message `epoch`.
    is_said: bool,
    /// The channels whose values the client may see.
    shown: ChannelSet,
}

impl Telling {
    /// Returns how a session of the dialect `D` is told, whose client may see everything.
    pub(super) fn of<D: Dialect>() -> Self {
        let epoch = ServerMessage::Epoch { epoch: "".into(), offset: 0, is_moved: false };
        Self { is_said: D::message_group(&epoch).is_some(), shown: ChannelSet::ALL }
    }
}

impl Router {
    /// Takes a restart that follows everything that has arrived, [`Self::newest`]. It is routed in its place.
    pub fn expect(&mut self, restart: Restart) {
        self.restarts.push_back(restart);
    }

    /// Returns the offset of the first restart that has arrived and is not routed.
    pub(super) fn next_restart(&self) -> Option<u64> {
        self.restarts.front().map(|restart| restart.offset)
    }

    /// Returns the name of the stream after what has been routed.
    pub fn epoch(&self) -> Arc<str> {
        self.values.epoch().unwrap_or(&self.config().epoch).clone()
    }

    /// Returns the name of the stream after everything that has arrived; `None` before the first restart.
    pub(in crate::hub) fn newest_epoch(&self) -> Option<&Arc<str>> {
        self.restarts.back().map(|restart| &restart.epoch).or(self.values.epoch())
    }

    /// Returns whether every event after the cursor is in the ring, or will be there, and belongs to the present values.
    pub fn admits(&self, cursor: &Cursor) -> bool {
        self.values.epochs().admit(&self.config().epoch, cursor) && self.remembers(cursor.offset)
    }

    /// Returns whether the ring has every event after `offset`, or will have those that have not arrived yet.
    pub fn remembers(&self, offset: u64) -> bool {
        let here = self.offset();
        offset <= self.head() && (offset >= here || self.shared.ring.borrow().goes_back_to(offset, here))
    }

    /// Sets the channels whose values a client may see, in the snapshots that come with an epoch.
    pub fn show(&mut self, key: SessionKey, shown: ChannelSet) {
        if let Some(entry) = self.sessions.get_mut(key.index()) {
            entry.epochs.shown = shown;
        }
    }

    /// Begins the epoch of the first restart, at whose offset the router has arrived: its values are those of all symbols from here on. The ring keeps the
    /// events before, which sessions may still have to be sent.
    pub(super) fn begin_epoch(&mut self, now: Instant) {
        let Some(restart) = self.restarts.pop_front() else { return };
        self.values.restart(&restart);
        self.show_progress();
        for (key, entry) in &self.sessions {
            if let Err(reason) = self.tell_epoch(entry, &restart, now) {
                self.end(SessionKey::new(key), &End { reason, retry_after_ms: None }, now);
            }
        }
    }

    /// Tells a session of the epoch, and shows it the values of its symbols.
    fn tell_epoch(&self, entry: &Entry, restart: &Restart, now: Instant) -> Result<(), CloseReason> {
        // A client that may see nothing has not said yet who it is. Its `welcome` will name the epoch.
        if entry.epochs.shown == ChannelSet::EMPTY {
            return Ok(());
        }
        let (epoch, offset) = (restart.epoch.clone(), restart.offset);
        let mut outbox = entry.outbox.borrow_mut();
        let has_wildcard = outbox.links().topics().any(|topic| topic.id().is_none());
        // References to the snapshots of more symbols would be too many, for many sessions at once.
        let symbols_max = self.config().push.outbox_events_max;
        if !entry.epochs.is_said || has_wildcard && self.config().table.len() > symbols_max {
            return Err(CloseReason::MarketMoved);
        }
        let wanted = self.subscribed(&mut outbox);
        if wanted.iter().map(|(_, ids)| ids.len()).sum::<usize>() > symbols_max {
            return Err(CloseReason::MarketMoved);
        }
        // What a rate holds back is of the time before.
        for (_, ids) in &wanted {
            outbox.release(ids, now);
        }
        outbox.push_reply(ServerMessage::Epoch { epoch, offset, is_moved: true }, offset, now)?;
        for (channels, ids) in wanted {
            outbox.push_snapshots(self.snapshots(&ids, channels, entry.epochs.shown), now);
        }
        // No event has this offset.
        outbox.pass_over(offset);
        Ok(())
    }
}
