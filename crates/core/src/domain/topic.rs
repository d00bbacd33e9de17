//! `Topic`: the unit of subscription. Every event belongs to one.

use crate::domain::{Channel, SymbolId};

/// One channel of one symbol, or of every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(u32);

/// Channels per symbol.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const CHANNELS: u32 = Channel::COUNT as u32;

impl Topic {
    /// Returns the topic of one channel of one symbol.
    pub const fn symbol(id: SymbolId, channel: Channel) -> Self {
        Self::all(channel).of(id)
    }

    /// Returns the wildcard topic: one channel of every symbol.
    #[expect(clippy::cast_possible_truncation, reason = "less than the number of channels")]
    pub const fn all(channel: Channel) -> Self {
        Self(channel.index() as u32)
    }

    /// Returns the wildcard topic that contains this one.
    #[must_use]
    pub const fn wildcard(self) -> Self {
        Self(self.0 % CHANNELS)
    }

    /// Returns the topic of the same channel of this symbol.
    #[must_use]
    pub const fn of(self, id: SymbolId) -> Self {
        Self((id.0 + 1) * CHANNELS + self.wildcard().0)
    }

    /// Returns the symbol's number; `None` for a wildcard.
    pub const fn id(self) -> Option<SymbolId> {
        match (self.0 / CHANNELS).checked_sub(1) {
            Some(id) => Some(SymbolId(id)),
            None => None,
        }
    }

    /// Returns the index of the topic, from 0 to [`Self::count`] − 1.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the number of topics with this many symbols.
    pub const fn count(symbols: usize) -> usize {
        (symbols + 1) * Channel::COUNT
    }
}
