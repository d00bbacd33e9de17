//! The subscriptions of a session to one symbol, or to all of them: channels, each with its mode and the offset after which it
//! began.

use std::collections::BTreeMap;

use crate::domain::{Channel, ChannelSet};
use crate::protocol::Mode;

/// The channels of one symbol that a session is subscribed to. Most have one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(Vec<Part>);

/// Channels with the same mode and beginning.
#[derive(Clone, Copy, Debug)]
struct Part {
    channels: ChannelSet,
    mode: Mode,
    /// The session is sent every event after this offset.
    since: u64,
}

impl Wish {
    /// Adds channels in this mode, and removes them from any other. New channels begin after the offset `since`.
    pub(super) fn insert(&mut self, channels: ChannelSet, mode: Mode, since: u64) {
        for channel in channels.iter() {
            let since = self.since(channel).unwrap_or(since);
            let set = ChannelSet::from_iter([channel]);
            self.remove(set);
            if let Some(part) = self.0.iter_mut().find(|part| part.mode == mode && part.since == since) {
                part.channels = part.channels.union(set);
            } else {
                // Most have no second part, and some sessions name thousands of symbols.
                self.0.reserve_exact(1);
                self.0.push(Part { channels: set, mode, since });
            }
        }
    }

    /// Removes channels; returns whether none is left.
    pub(super) fn remove(&mut self, channels: ChannelSet) -> bool {
        self.0.retain_mut(|part| {
            part.channels = part.channels.difference(channels);
            !part.channels.is_empty()
        });
        self.0.is_empty()
    }

    /// Returns the offset after which the session is sent every event of this channel; `None` without a subscription.
    pub(super) fn since(&self, channel: Channel) -> Option<u64> {
        self.part(channel).map(|part| part.since)
    }

    /// Returns the mode of this channel; `None` without a subscription.
    pub(super) fn mode(&self, channel: Channel) -> Option<Mode> {
        self.part(channel).map(|part| part.mode)
    }

    fn part(&self, channel: Channel) -> Option<&Part> {
        self.0.iter().find(|part| part.channels.contains(channel))
    }

    /// Returns the channels, each with the offset after which the session is sent every event of it.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = (Channel, u64)> {
        self.0.iter().flat_map(|part| part.channels.iter().map(|channel| (channel, part.since)))
    }

    /// Returns the channels of all modes.
    pub(super) fn channels(&self) -> ChannelSet {
        self.0.iter().fold(ChannelSet::EMPTY, |all, part| all.union(part.channels))
    }

    /// Returns the modes with their channels.
    pub(super) fn modes(&self) -> impl Iterator<Item = (Mode, ChannelSet)> {
        let mut modes = BTreeMap::<_, ChannelSet>::new();
        for part in &self.0 {
            modes.entry(part.mode).and_modify(|set| *set = set.union(part.channels)).or_insert(part.channels);
        }
        modes.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_in_its_last_requested_mode_and_keeps_its_beginning() {
        let [trades, quotes] = [Channel::Trades, Channel::Quotes].map(|channel| ChannelSet::from_iter([channel]));
        let mut wish = Wish::default();
        wish.insert(trades, Mode::All, 10);
        wish.insert(trades.union(quotes), Mode::All, 20);
        assert_eq!((wish.since(Channel::Trades), wish.since(Channel::Quotes)), (Some(10), Some(20)));
        wish.insert(quotes, Mode::Latest(None), 30);
        assert_eq!(wish.since(Channel::Quotes), Some(20));
        assert_eq!(wish.modes().collect::<Vec<_>>(), [(Mode::All, trades), (Mode::Latest(None), quotes)]);
        assert!(!wish.remove(quotes));
        wish.insert(quotes, Mode::All, 30);
        assert_eq!(wish.modes().collect::<Vec<_>>(), [(Mode::All, trades.union(quotes))]);
        assert!(wish.remove(trades.union(quotes)));
    }
}
