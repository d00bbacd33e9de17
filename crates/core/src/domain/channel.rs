//! The kinds of event, and sets of those that one can subscribe to.

use std::fmt;
use std::str::FromStr;

use crate::domain::Interval;

/// One kind of event of a symbol; together with the symbol, what a `seq` counts and, but for [`Self::Day`] and [`Self::Gap`], what a
/// subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Executed trades.
    Trades,
    /// Changes of the best bid and ask.
    Quotes,
    /// Bars of one interval, at their close.
    Bars(Interval),
    /// The beginning of a day. Nobody subscribes to it: it comes with every other channel of its symbol.
    Day,
    /// Time that the market has left out; like [`Self::Day`].
    Gap,
}

impl Channel {
    /// How many channels there are.
    pub const COUNT: usize = 4 + Interval::COUNT;

    /// Every channel in the order of [`Self::index`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Trades,
        Self::Quotes,
        Self::Bars(Interval::S1),
        Self::Bars(Interval::M1),
        Self::Bars(Interval::M5),
        Self::Bars(Interval::M15),
        Self::Bars(Interval::H1),
        Self::Bars(Interval::D1),
        Self::Day,
        Self::Gap,
    ];
    /// Every channel that one can subscribe to.
    const SUBSCRIBABLE: [Self; 2 + Interval::COUNT] = *Self::ALL.first_chunk().expect("there are as many");

    /// Returns the dense number of the channel, from 0 to [`Self::COUNT`] − 1.
    pub const fn index(self) -> usize {
        match self {
            Self::Trades => 0,
            Self::Quotes => 1,
            Self::Bars(interval) => 2 + interval as usize,
            Self::Day => 2 + Interval::COUNT,
            Self::Gap => 3 + Interval::COUNT,
        }
    }

    /// Returns the name, such as `trades` or `bars.1m`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Bars(Interval::S1) => "bars.1s",
            Self::Bars(Interval::M1) => "bars.1m",
            Self::Bars(Interval::M5) => "bars.5m",
            Self::Bars(Interval::M15) => "bars.15m",
            Self::Bars(Interval::H1) => "bars.1h",
            Self::Bars(Interval::D1) => "bars.1d",
            Self::Day => "day",
            Self::Gap => "gap",
        }
    }

    /// Returns the channels whose subscribers get the events of this one.
    pub const fn carriers(&self) -> &[Self] {
        match self {
            Self::Trades | Self::Quotes | Self::Bars(_) => std::slice::from_ref(self),
            Self::Day | Self::Gap => &Self::SUBSCRIBABLE,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Channel {
    type Err = ();

    /// Finds a channel that one can subscribe to.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::SUBSCRIBABLE.into_iter().find(|channel| channel.name() == text).ok_or(())
    }
}

/// A set of channels, in two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChannelSet(u16);

impl ChannelSet {
    /// The set without a channel.
    pub const EMPTY: Self = Self(0);
    /// The set of every channel that one can subscribe to.
    pub const ALL: Self = Self((1 << Channel::SUBSCRIBABLE.len()) - 1);

    /// Returns whether the channel is in the set.
    pub const fn contains(self, channel: Channel) -> bool {
        self.0 & (1 << channel.index()) != 0
    }

    /// Adds the channel.
    pub const fn insert(&mut self, channel: Channel) {
        self.0 |= 1 << channel.index();
    }

    /// Returns the channels that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the channels that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the channels of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether there is no channel in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the channels of the set in the order of their index.
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(move |channel| self.contains(*channel))
    }
}

impl FromIterator<Channel> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = Channel>>(channels: I) -> Self {
        let mut set = Self::EMPTY;
        channels.into_iter().for_each(|channel| set.insert(channel));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_is_found_by_its_name_and_stands_at_its_index() {
        for (index, channel) in Channel::ALL.into_iter().enumerate() {
            assert_eq!(channel.index(), index);
            assert_eq!(channel.name().parse::<Channel>().is_ok(), ChannelSet::ALL.contains(channel));
        }
        for channel in ChannelSet::ALL.iter() {
            assert_eq!(channel.name().parse(), Ok(channel));
        }
        assert_eq!("bars".parse::<Channel>(), Err(()));
        assert_eq!(ChannelSet::ALL.iter().count(), 8, "and every one has its bit");
    }

    #[test]
    fn a_day_and_a_gap_come_with_every_channel_that_one_can_subscribe_to_and_are_none_of_them() {
        for channel in [Channel::Day, Channel::Gap] {
            assert_eq!(channel.name().parse::<Channel>(), Err(()));
            assert_eq!(channel.carriers().iter().copied().collect::<ChannelSet>(), ChannelSet::ALL);
        }
        assert_eq!(Channel::Quotes.carriers(), [Channel::Quotes]);
    }

    #[test]
    fn a_set_holds_what_was_inserted_and_nothing_else() {
        let set: ChannelSet = [Channel::Quotes, Channel::Bars(Interval::D1)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Channel::Quotes, Channel::Bars(Interval::D1)]);
        assert_eq!(ChannelSet::ALL.difference(set).union(set), ChannelSet::ALL);
        assert!(set.intersection(ChannelSet::EMPTY).is_empty());
        assert!(!set.contains(Channel::Trades));
    }
}
