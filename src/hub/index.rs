//! The subscription index: the sessions subscribed to a topic. A lookup returns a slice; subscribing and unsubscribing
//! cost time in the session's own subscriptions, whatever the number of sessions.

use crate::domain::{Channel, SymbolId};

pub use crate::domain::Topic;

/// Index of a session on its hub; reused after the session has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(u32);

impl SessionKey {
    /// Returns the key with this index.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 2^32 sessions.
    #[expect(clippy::cast_possible_truncation, reason = "far fewer: each has a descriptor")]
    pub const fn new(index: usize) -> Self {
        assert!(index <= u32::MAX as usize);
        Self(index as u32)
    }

    /// Returns the index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Returns the topic of a symbol's channel, or the wildcard if `id` is `None`.
pub const fn topic(id: Option<SymbolId>, channel: Channel) -> Topic {
    match id {
        Some(id) => Topic::symbol(id, channel),
        None => Topic::all(channel),
    }
}

/// For each of a session's topics, the place of the session in the topic's list, sorted by topic. Eight bytes per
/// entry, because there may be thousands. Adding topics in their order is cheap.
#[derive(Clone, Debug, Default)]
pub struct Links(Vec<(Topic, u32)>);

impl Links {
    /// Returns the topics, in their order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = Topic> {
        self.0.iter().map(|(topic, _)| *topic)
    }

    /// Returns whether the session is subscribed to the topic.
    pub fn contains(&self, topic: Topic) -> bool {
        self.find(topic).is_ok()
    }

    /// Records that the session has moved to another place in the list of a topic.
    pub fn moved(&mut self, topic: Topic, place: u32) {
        if let Ok(at) = self.find(topic) {
            self.0[at].1 = place;
        }
    }

    fn find(&self, topic: Topic) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if *last >= topic => self.0.binary_search_by_key(&topic, |(topic, _)| *topic),
            _ => Err(self.0.len()),
        }
    }
}

/// For each topic the subscribed sessions.
#[derive(Debug)]
pub struct Index {
    lists: Vec<Vec<SessionKey>>,
}

impl Index {
    /// Returns an empty index with room for this many symbols; more get room when somebody subscribes to them.
    pub fn new(symbols: usize) -> Self {
        Self { lists: vec![Vec::new(); Topic::count(symbols)] }
    }

    /// Returns the sessions subscribed to the topic, in no particular order.
    #[inline]
    pub fn sessions(&self, topic: Topic) -> &[SessionKey] {
        self.lists.get(topic.index()).map_or(&[], Vec::as_slice)
    }

    /// Adds the session to the topic, unless it is there already.
    pub fn insert(&mut self, topic: Topic, session: SessionKey, links: &mut Links) {
        if let Err(at) = links.find(topic) {
            if topic.index() >= self.lists.len() {
                let symbols = topic.id().map_or(0, |id| id.index() + 1);
                self.lists.resize(Topic::count(symbols), Vec::new());
            }
            let list = &mut self.lists[topic.index()];
            // A list has at most as many entries as there are sessions.
            links.0.insert(at, (topic, SessionKey::new(list.len()).0));
            list.push(session);
        }
    }

    /// Removes the session from the topic. If another session moves into its place in the list, returns that session
    /// and the place: the caller must call [`Links::moved`] for it.
    pub fn remove(&mut self, topic: Topic, links: &mut Links) -> Option<(SessionKey, u32)> {
        let at = links.find(topic).ok()?;
        let (_, place) = links.0.remove(at);
        self.take(topic, place)
    }

    /// Removes a session from all its topics; calls `moves` for each session that moves into its place, with topic and
    /// place.
    pub fn remove_all(&mut self, links: Links, mut moves: impl FnMut(SessionKey, Topic, u32)) {
        for (topic, place) in links.0 {
            if let Some((moved, place)) = self.take(topic, place) {
                moves(moved, topic, place);
            }
        }
    }

    fn take(&mut self, topic: Topic, place: u32) -> Option<(SessionKey, u32)> {
        let list = &mut self.lists[topic.index()];
        list.swap_remove(place as usize);
        if list.is_empty() {
            *list = Vec::new();
        }
        list.get(place as usize).map(|moved| (*moved, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_list_contains_exactly_the_subscribed_sessions(
            changes in prop::collection::vec((0usize..6, 0usize..24, prop::bool::ANY), 0..200),
        ) {
            let topics: Vec<_> =
                [None, Some(SymbolId(0)), Some(SymbolId(1))].into_iter().flat_map(|id| Channel::ALL.map(|channel| topic(id, channel))).collect();
            // The second symbol was added.
            let mut index = Index::new(1);
            let mut links = vec![Links::default(); 6];
            for (session, topic, wanted) in changes {
                if wanted {
                    index.insert(topics[topic], SessionKey::new(session), &mut links[session]);
                } else if topic == 0 {
                    let all = std::mem::take(&mut links[session]);
                    index.remove_all(all, |moved, topic, place| links[moved.index()].moved(topic, place));
                } else if let Some((moved, place)) = index.remove(topics[topic], &mut links[session]) {
                    links[moved.index()].moved(topics[topic], place);
                }
                for topic in topics.iter().copied() {
                    let mut listed: Vec<_> = index.sessions(topic).iter().map(|session| session.index()).collect();
                    listed.sort_unstable();
                    let wanting: Vec<_> = (0..6).filter(|session| links[*session].contains(topic)).collect();
                    prop_assert_eq!(listed, wanting);
                }
            }
        }
    }
}
