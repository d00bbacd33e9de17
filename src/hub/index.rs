//! The subscription index: who wants a channel of a symbol. Lookups are a slice; joining and leaving cost time in the
//! session's own subscriptions, whatever the number of others.

use crate::domain::{Channel, SymbolId};

pub use crate::domain::Topic;

/// The number of a session on its hub; reused after it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(u32);

impl SessionKey {
    /// Returns the session with this dense number.
    ///
    /// # Panics
    ///
    /// Panics when there are more sessions than 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "far fewer: each has a descriptor")]
    pub const fn new(index: usize) -> Self {
        assert!(index <= u32::MAX as usize);
        Self(index as u32)
    }

    /// Returns the dense number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Returns the topic of a symbol's channel, or that of the wildcard when `id` is `None`.
pub(super) const fn topic(id: Option<SymbolId>, channel: Channel) -> Topic {
    match id {
        Some(id) => Topic::symbol(id, channel),
        None => Topic::all(channel),
    }
}

/// For each of a session's topics, where in the topic's list the session stands. Sorted by topic: eight bytes for each of what may
/// be thousands. Those that are added in their order cost nothing but these.
#[derive(Clone, Debug, Default)]
pub struct Links(Vec<(Topic, u32)>);

impl Links {
    /// Returns the topics, in their order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = Topic> {
        self.0.iter().map(|(topic, _)| *topic)
    }

    /// Returns whether the session wants the topic.
    pub fn contains(&self, topic: Topic) -> bool {
        self.find(topic).is_ok()
    }

    /// Takes note that the session stands at another place in the list of a topic.
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
        if let Err(at) = links.find(topic) {
            let list = &mut self.lists[topic.index()];
            // No list has more entries than there are sessions.
            links.0.insert(at, (topic, SessionKey::new(list.len()).0));
            list.push(session);
        }
    }

    /// Removes the session from the topic. Returns the session that took over its place in the list, if any, with that
    /// place: the caller must tell it (see [`Links::moved`]).
    pub fn remove(&mut self, topic: Topic, links: &mut Links) -> Option<(SessionKey, u32)> {
        let at = links.find(topic).ok()?;
        let (_, place) = links.0.remove(at);
        self.take(topic, place)
    }

    /// Removes a session from all its topics; `tell` is told who took over its place in the list of which topic.
    pub fn remove_all(&mut self, links: Links, mut tell: impl FnMut(SessionKey, Topic, u32)) {
        for (topic, place) in links.0 {
            if let Some((moved, place)) = self.take(topic, place) {
                tell(moved, topic, place);
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
        fn every_list_holds_exactly_those_who_want_the_topic(
            changes in prop::collection::vec((0usize..6, 0usize..24, prop::bool::ANY), 0..200),
        ) {
            let topics: Vec<_> =
                [None, Some(SymbolId(0)), Some(SymbolId(1))].into_iter().flat_map(|id| Channel::ALL.map(|channel| topic(id, channel))).collect();
            let mut index = Index::new(2);
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
