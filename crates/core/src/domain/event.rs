//! Events of the market: `Trade`, `Quote`, `Day`, `Gap`, and `Event`, which numbers one of them in the stream.

use crate::domain::{Bar, Channel, Interval, Price, Size, Symbol, SymbolId, Timestamp, Topic};

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// Time of the execution.
    pub ts: Timestamp,
    /// Price per share.
    pub price: Price,
    /// Shares traded, at least one.
    pub size: Size,
}

/// The best bid and ask after a change of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quote {
    /// Time of the change.
    pub ts: Timestamp,
    /// Highest price of a buyer.
    pub bid: Price,
    /// Shares wanted at the bid.
    pub bid_size: Size,
    /// Lowest price of a seller; above the bid.
    pub ask: Price,
    /// Shares offered at the ask.
    pub ask_size: Size,
}

/// The beginning of a day of a symbol. Until the first trade of the day, open, high, low and last price are `prev_close`,
/// and the volume is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Day {
    /// Start of the day: midnight UTC.
    pub ts: Timestamp,
    /// Last price before.
    pub prev_close: Price,
}

/// A jump of the market's time: no event happened between `since` and `ts`, and bars and volumes do not cover that
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Time before the jump.
    pub since: Timestamp,
    /// Time after the jump.
    pub ts: Timestamp,
}

/// The kind and the values of an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventBody {
    /// A trade.
    Trade(Trade),
    /// A quote.
    Quote(Quote),
    /// A bar that has closed. Boxed: bars are rare and three times the size of the rest.
    Bar(Interval, Box<Bar>),
    /// The beginning of a day.
    Day(Day),
    /// A jump of the market's time.
    Gap(Gap),
}

/// One event of the market, numbered in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Number of the event in the whole stream: 1 for the first event of the process, without holes.
    pub offset: u64,
    /// Number of the event in its topic (symbol and channel): from 1, without holes.
    pub seq: u64,
    /// Index of the symbol.
    pub id: SymbolId,
    /// The symbol.
    pub symbol: Symbol,
    /// Kind and values.
    pub body: EventBody,
}

impl Event {
    /// Returns the channel of the event.
    pub const fn channel(&self) -> Channel {
        match self.body {
            EventBody::Trade(_) => Channel::Trades,
            EventBody::Quote(_) => Channel::Quotes,
            EventBody::Bar(interval, _) => Channel::Bars(interval),
            EventBody::Day(_) => Channel::Day,
            EventBody::Gap(_) => Channel::Gap,
        }
    }

    /// Returns the topic: the channel of the event's symbol.
    pub const fn topic(&self) -> Topic {
        Topic::symbol(self.id, self.channel())
    }

    /// Returns the topics whose subscribers get the event: those of its symbol, and the wildcards.
    pub fn topics(&self) -> impl Iterator<Item = Topic> + use<> {
        let (id, channel) = (self.id, self.channel());
        (0..channel.carriers().len()).flat_map(move |place| {
            let each = channel.carriers()[place];
            [Topic::symbol(id, each), Topic::all(each)]
        })
    }

    /// Returns the timestamp that clients see: the time of a trade or quote, the start of a bar or a day, the end of a
    /// gap.
    pub const fn ts(&self) -> Timestamp {
        match &self.body {
            EventBody::Trade(trade) => trade.ts,
            EventBody::Quote(quote) => quote.ts,
            EventBody::Bar(_, bar) => bar.ts,
            EventBody::Day(day) => day.ts,
            EventBody::Gap(gap) => gap.ts,
        }
    }
}
