//! The subscription index: who wants a channel of a symbol. Lookups are a slice; joining and leaving cost time in the
//! session's own subscriptions, whatever the number of others.

use std::collections::BTreeMap;

use crate::domain::{Channel, SymbolId};

pub use crate::domain::Topic;

/// The number of a session on its hub; reused after it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub usize);

/// Returns the topic of a symbol's channel, or that of the wildcard when `id` is `None`.
pub(super) const fn topic(id: Option<SymbolId>, channel: Channel) -> Topic {
    match id {
        Some(id) => Topic::symbol(id, channel),
        None => Topic::all(channel),
    }
}

/// For each of a session's topics, where in the topic's list the session stands.
pub type Links = BTreeMap<Topic, usize>;

/// For each topic the sessions that want it.
#[derive(Debug)]
pub struct Index {
    lists: Vec<Vec<SessionKey>>,
}

impl Index {
    /// Returns an empty index over so many symbols.
    pub fn new(symbols: usize) -> Self {
        Self { lists: vec![Vec::new(); Topic::count(symbols)] }
    }

    /// Returns the sessions that want the topic, in no particular order.
    #[inline]
    pub fn sessions(&self, topic: Topic) -> &[SessionKey] {
        &self.lists[topic.index()]
    }

    /// Adds the session to the topic. Does nothing when it is there already.
    pub fn insert(&mut self, topic: Topic, session: SessionKey, links: &mut Links) {
        let list = &mut self.lists[topic.index()];
        links.entry(topic).or_insert_with(|| {
            list.push(session);
            list.len() - 1
        });
    }

    /// Removes the session from the topic. Returns the session that took over its place in the list, if any, with that
    /// place: the caller must tell it (see [`Links`]).
    pub fn remove(&mut self, topic: Topic, links: &mut Links) -> Option<(SessionKey, usize)> {
        let place = links.remove(&topic)?;
        let list = &mut self.lists[topic.index()];
        list.swap_remove(place);
        if list.is_empty() {
            *list = Vec::new();
        }
        list.get(place).map(|moved| (*moved, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_list_holds_exactly_those_who_want_the_topic(
            changes in prop::collection::vec((0usize..6, 0usize..24, prop::bool::ANY), 0..200),
        ) {
            let topics: Vec<_> =
                [None, Some(SymbolId(0)), Some(SymbolId(1))].into_iter().flat_map(|id| Channel::ALL.map(|channel| topic(id, channel))).collect();
            let mut index = Index::new(2);
            let mut links = vec![Links::new(); 6];
            for (session, topic, wanted) in changes {
                if wanted {
                    index.insert(topics[topic], SessionKey(session), &mut links[session]);
                } else if let Some((moved, place)) = index.remove(topics[topic], &mut links[session]) {
                    links[moved.0].insert(topics[topic], place);
                }
                for topic in topics.iter().copied() {
                    let mut listed: Vec<_> = index.sessions(topic).iter().map(|session| session.0).collect();
                    listed.sort_unstable();
                    let wanting: Vec<_> = (0..6).filter(|session| links[*session].contains_key(&topic)).collect();
                    prop_assert_eq!(listed, wanting);
                }
            }
        }
    }
}
