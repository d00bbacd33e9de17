//! Kinds of events (`Channel`), and sets of the kinds that clients can subscribe to (`ChannelSet`).

use std::fmt;
use std::str::FromStr;

use crate::domain::Interval;

/// A kind of events of a symbol. Each channel of a symbol has its own `seq`, and a subscription names channels, except
/// [`Self::Day`] and [`Self::Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Executed trades.
    Trades,
    /// Changes of the best bid and ask.
    Quotes,
    /// Bars of one interval, at their close.
    Bars(Interval),
    /// Corrections of trades.
    Corrections,
    /// Trades that are cancelled.
    Cancels,
    /// Bars of one minute that have changed after their close.
    UpdatedBars,
    /// The bar of the present New York day, after each minute in which it has changed.
    DailyBars,
    /// Begins of days. No client subscribes to them: they come with every other channel of their symbol.
    Day,
    /// Jumps of the market's time; delivered like [`Self::Day`].
    Gap,
}

impl Channel {
    /// How many channels there are.
    pub const COUNT: usize = 8 + Interval::COUNT;

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
        Self::Corrections,
        Self::Cancels,
        Self::UpdatedBars,
        Self::DailyBars,
        Self::Day,
        Self::Gap,
    ];
    /// Every channel that a client can subscribe to.
    const SUBSCRIBABLE: [Self; 6 + Interval::COUNT] = *Self::ALL.first_chunk().expect("there are as many");

    /// Returns the index of the channel, from 0 to [`Self::COUNT`] − 1.
    pub const fn index(self) -> usize {
        match self {
            Self::Trades => 0,
            Self::Quotes => 1,
            Self::Bars(interval) => 2 + interval as usize,
            Self::Corrections => 2 + Interval::COUNT,
            Self::Cancels => 3 + Interval::COUNT,
            Self::UpdatedBars => 4 + Interval::COUNT,
            Self::DailyBars => 5 + Interval::COUNT,
            Self::Day => 6 + Interval::COUNT,
            Self::Gap => 7 + Interval::COUNT,
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
            Self::Corrections => "corrections",
            Self::Cancels => "cancels",
            Self::UpdatedBars => "bars.1m.updated",
            Self::DailyBars => "bars.1d.ny",
            Self::Day => "day",
            Self::Gap => "gap",
        }
    }

    /// Returns the channels whose subscribers get the events of this one: itself, or every channel for a day and a gap.
    pub const fn carriers(&self) -> &[Self] {
        match self {
            Self::Day | Self::Gap => &Self::SUBSCRIBABLE,
            _ => std::slice::from_ref(self),
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

    /// Returns the channel with this name, if clients can subscribe to it.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::SUBSCRIBABLE.into_iter().find(|channel| channel.name() == text).ok_or(())
    }
}

/// A set of channels, in two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChannelSet(u16);

impl ChannelSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);
    /// The set of every channel that a client can subscribe to.
    pub const ALL: Self = Self((1 << Channel::SUBSCRIBABLE.len()) - 1);

    /// The channels whose `seq` every snapshot has: trades, quotes, and the bars of every interval.
    pub const PRIMARY: Self = Self((1 << (2 + Interval::COUNT)) - 1);

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

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the channels of the set, in the order of their index.
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
        assert_eq!(ChannelSet::ALL.iter().count(), 12, "and every one has its bit");
    }

    #[test]
    fn every_snapshot_has_the_seq_of_trades_quotes_and_bars_at_their_close() {
        let primary = ChannelSet::ALL
            .iter()
            .filter(|channel| matches!(channel, Channel::Trades | Channel::Quotes | Channel::Bars(_)));
        assert_eq!(primary.collect::<ChannelSet>(), ChannelSet::PRIMARY);
    }

    #[test]
    fn days_and_gaps_come_with_every_subscribable_channel_and_are_not_subscribable() {
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
