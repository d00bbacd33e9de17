//! The router of a stream that is played for one client: its session goes on when the stream goes on from another time. And the list of
//! these routers that the router of the market keeps, for the hub to find their sessions.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use crate::domain::{Channel, ChannelSet, SymbolId};
use crate::feed::Restart;
use crate::hub::SharedRouter;
use crate::hub::outbox::Outbox;
use crate::hub::router::Router;
use crate::protocol::ServerMessage;

impl Router {
    /// Lists a router whose sessions end with those of this one, and are found by operators and by rules of faults.
    pub(in crate::hub) fn add_guest(&mut self, guest: &SharedRouter) {
        self.guests.retain(|guest| guest.strong_count() > 0);
        self.guests.push(Rc::downgrade(guest));
    }

    /// Returns the routers of the replays that are played for one client each.
    pub fn guests(&self) -> impl Iterator<Item = SharedRouter> {
        self.guests.iter().filter_map(std::rc::Weak::upgrade)
    }

    /// Returns whether every session has been written everything.
    pub(in crate::hub) fn is_drained(&self) -> bool {
        self.offset() == self.newest() && self.sessions.iter().all(|(_, entry)| entry.outbox.borrow().is_drained())
    }

    /// Sends a message to every session, after every event that has arrived.
    pub(in crate::hub) fn tell_all(&self, message: &ServerMessage, now: Instant) {
        for (_, entry) in &self.sessions {
            // A session with too many unread answers is closed by its next request.
            let _ = entry.outbox.borrow_mut().push_reply(message.clone(), self.offset(), now);
        }
    }

    /// Goes on from another state, at the same offset. Sessions must be told with [`Self::show_all`].
    pub(in crate::hub) fn go_on_from(&mut self, restart: &Restart) {
        self.values.restart(restart);
        self.show_progress();
    }

    /// Sends every session a snapshot of each symbol that it is subscribed to, with the values of the channels in `shown`.
    pub(in crate::hub) fn show_all(&self, shown: ChannelSet, now: Instant) {
        for (_, entry) in &self.sessions {
            let mut outbox = entry.outbox.borrow_mut();
            for (channels, ids) in self.subscribed(&mut outbox) {
                outbox.release(&ids, now);
                outbox.push_snapshots(self.snapshots(&ids, channels, shown), now);
            }
        }
    }

    /// Returns the symbols that a session is subscribed to, by the channels of which they have a subscription.
    pub(super) fn subscribed(&self, outbox: &mut Outbox) -> Vec<(ChannelSet, Vec<SymbolId>)> {
        let table = &self.config().table;
        let mut wanted = BTreeMap::<SymbolId, ChannelSet>::new();
        for topic in outbox.links().topics() {
            let channel = ChannelSet::from_iter([Channel::ALL[topic.wildcard().index()]]);
            let ids = topic.id().map_or_else(|| table.ids().collect(), |id| vec![id]);
            for id in ids {
                let channels = wanted.entry(id).or_default();
                *channels = channels.union(channel);
            }
        }
        let mut groups = Vec::<(ChannelSet, Vec<SymbolId>)>::new();
        for (id, channels) in wanted {
            match groups.iter_mut().find(|(same, _)| *same == channels) {
                Some((_, ids)) => ids.push(id),
                None => groups.push((channels, vec![id])),
            }
        }
        groups
    }
}
