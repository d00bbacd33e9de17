//! `Topic`: what a subscription names and what an event belongs to.

use crate::domain::{Channel, SymbolId};

/// One channel of one symbol, or of every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(u32);

/// Channels of one symbol.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const CHANNELS: u32 = Channel::COUNT as u32;

impl Topic {
    /// The first topic in their order.
    pub const MIN: Self = Self(0);

    /// Returns the topic of one symbol's channel.
    pub const fn symbol(id: SymbolId, channel: Channel) -> Self {
        Self((id.0 + 1) * CHANNELS + Self::all(channel).0)
    }

    /// Returns the topic of every symbol's channel, the one that the wildcard names.
    #[expect(clippy::cast_possible_truncation, reason = "less than the number of channels")]
    pub const fn all(channel: Channel) -> Self {
        Self(channel.index() as u32)
    }

    /// Returns the topic of every symbol's channel that this one is a part of.
    #[must_use]
    pub const fn wildcard(self) -> Self {
        Self(self.0 % CHANNELS)
    }

    /// Returns the dense number of the topic, from 0 to [`Self::count`] − 1.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns how many topics there are with so many symbols.
    pub const fn count(symbols: usize) -> usize {
        (symbols + 1) * Channel::COUNT
    }
}
