//! `Pending`: subscriptions whose cursor comes from a hub that is ahead of this one. Their events begin after the cursor,
//! when this hub gets there; until then its session is not in the index.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::index::{SessionKey, Topic};

/// Subscriptions that have not begun yet. Bounded by those that there are; an event costs time in those that begin with it.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The offsets after which they begin.
    after: BTreeMap<(SessionKey, Topic), u64>,
    /// The same, those that begin first before the others.
    order: BTreeSet<(u64, SessionKey, Topic)>,
}

impl Pending {
    /// Adds a subscription that begins after this offset.
    pub(super) fn insert(&mut self, session: SessionKey, topic: Topic, after: u64) {
        self.remove(session, topic);
        self.after.insert((session, topic), after);
        self.order.insert((after, session, topic));
    }

    /// Forgets a subscription.
    pub(super) fn remove(&mut self, session: SessionKey, topic: Topic) {
        if let Some(after) = self.after.remove(&(session, topic)) {
            self.order.remove(&(after, session, topic));
        }
    }

    /// Forgets the subscriptions of a session.
    pub(super) fn forget(&mut self, session: SessionKey) {
        let own: Vec<_> = self.of(session).collect();
        for (topic, _) in own {
            self.remove(session, topic);
        }
    }

    /// Returns the topics of a session with the offsets after which they begin.
    pub(super) fn of(&self, session: SessionKey) -> impl Iterator<Item = (Topic, u64)> {
        let own = self.after.range((session, Topic::MIN)..).take_while(move |((key, _), _)| *key == session);
        own.map(|((_, topic), after)| (*topic, *after))
    }

    /// Takes a subscription that the event at `offset` may be for.
    #[inline]
    pub(super) fn take_begun(&mut self, offset: u64) -> Option<(SessionKey, Topic)> {
        let (_, session, topic) = *self.order.first().filter(|(after, ..)| *after < offset)?;
        self.remove(session, topic);
        Some((session, topic))
    }
}
