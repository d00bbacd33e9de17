//! `Topic`: what a subscription names and what an event belongs to.

use crate::domain::{Channel, SymbolId};

/// One channel of one symbol, or of every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(usize);

impl Topic {
    /// The first topic in their order.
    pub const MIN: Self = Self(0);

    /// Returns the topic of one symbol's channel.
    pub const fn symbol(id: SymbolId, channel: Channel) -> Self {
        Self((id.index() + 1) * Channel::COUNT + channel.index())
    }

    /// Returns the topic of every symbol's channel, the one that the wildcard names.
    pub const fn all(channel: Channel) -> Self {
        Self(channel.index())
    }

    /// Returns the topic of every symbol's channel that this one is a part of.
    #[must_use]
    pub const fn wildcard(self) -> Self {
        Self(self.0 % Channel::COUNT)
    }

    /// Returns the dense number of the topic, from 0 to [`Self::count`] − 1.
    pub const fn index(self) -> usize {
        self.0
    }

    /// Returns how many topics there are with so many symbols.
    pub const fn count(symbols: usize) -> usize {
        (symbols + 1) * Channel::COUNT
    }
}
