//! `Pending`: subscriptions whose cursor comes from a hub that is ahead of this one. Their events begin after the cursor,
//! when this hub gets there; until then its session is not in the index.

use std::collections::BTreeMap;

use crate::hub::index::{SessionKey, Topic};

/// Subscriptions that have not begun yet. Bounded by those that there are.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The offsets after which they begin.
    after: BTreeMap<(SessionKey, Topic), u64>,
}

impl Pending {
    /// Adds a subscription that begins after this offset.
    pub(super) fn insert(&mut self, session: SessionKey, topic: Topic, after: u64) {
        self.after.insert((session, topic), after);
    }

    /// Forgets a subscription.
    pub(super) fn remove(&mut self, session: SessionKey, topic: Topic) {
        self.after.remove(&(session, topic));
    }

    /// Forgets the subscriptions of a session.
    pub(super) fn forget(&mut self, session: SessionKey) {
        self.after.retain(|(key, _), _| *key != session);
    }

    /// Returns the topics of a session with the offsets after which they begin.
    pub(super) fn of(&self, session: SessionKey) -> impl Iterator<Item = (Topic, u64)> {
        let own = self.after.iter().filter(move |((key, _), _)| *key == session);
        own.map(|((_, topic), after)| (*topic, *after))
    }

    /// Takes the subscriptions that the event at `offset` may be for.
    #[inline]
    pub(super) fn take_begun(&mut self, offset: u64) -> Vec<(SessionKey, Topic)> {
        if self.after.is_empty() {
            return Vec::new();
        }
        self.after.extract_if(.., |_, after| *after < offset).map(|(begun, _)| begun).collect()
    }
}
