//! What a session wants of one symbol, or of all: channels, each in its mode.

use std::collections::BTreeMap;

use crate::domain::ChannelSet;
use crate::protocol::Mode;

/// The channels of one symbol that a session is subscribed to, by mode. Most have one mode.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(BTreeMap<Mode, ChannelSet>);

impl Wish {
    /// Adds channels in this mode; they are in no other mode then.
    pub(super) fn insert(&mut self, channels: ChannelSet, mode: Mode) {
        self.remove(channels);
        let set = self.0.entry(mode).or_default();
        *set = set.union(channels);
    }

    /// Removes channels; returns whether none is left.
    pub(super) fn remove(&mut self, channels: ChannelSet) -> bool {
        self.0.retain(|_, set| {
            *set = set.difference(channels);
            !set.is_empty()
        });
        self.0.is_empty()
    }

    /// Returns the channels, whatever their mode.
    pub(super) fn channels(&self) -> ChannelSet {
        self.0.values().fold(ChannelSet::EMPTY, |all, set| all.union(*set))
    }

    /// Returns whether every channel is in mode `all`.
    pub(super) fn is_complete(&self) -> bool {
        self.0.keys().all(|mode| *mode == Mode::All)
    }

    /// Returns the modes with their channels.
    pub(super) fn modes(&self) -> impl Iterator<Item = (Mode, ChannelSet)> {
        self.0.iter().map(|(mode, channels)| (*mode, *channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Channel;

    #[test]
    fn a_channel_is_in_the_mode_that_was_asked_for_last() {
        let [trades, quotes] = [Channel::Trades, Channel::Quotes].map(|channel| ChannelSet::from_iter([channel]));
        let mut wish = Wish::default();
        wish.insert(trades.union(quotes), Mode::All);
        wish.insert(quotes, Mode::Latest(None));
        assert_eq!(wish.modes().collect::<Vec<_>>(), [(Mode::All, trades), (Mode::Latest(None), quotes)]);
        assert!(!wish.is_complete());
        assert!(!wish.remove(quotes));
        assert!(wish.is_complete());
        assert!(wish.remove(trades));
    }
}
