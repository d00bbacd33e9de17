//! Events of the market: `Trade`, `Quote`, `Correction`, `Cancel`, `ClosedBar`, `Day`, `Gap`, and `Event`, which numbers one of
//! them in the stream.

use crate::domain::{Bar, Channel, Interval, Price, Size, Symbol, SymbolId, Timestamp, Topic};

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// Time of the execution.
    pub ts: Timestamp,
    /// Price per share.
    pub price: Price,
    /// Shares traded, more than 0.
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

/// A trade that was reported wrongly, and its right values. Volumes and averages count the right values instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Correction {
    /// Time of the correction.
    pub ts: Timestamp,
    /// The `seq` of the trade in the trades of its symbol.
    pub trade_seq: u64,
    /// The trade as it was published.
    pub trade: Trade,
    /// Right price per share.
    pub price: Price,
    /// Right number of shares.
    pub size: Size,
}

impl Correction {
    /// Returns the trade with its right values, at its own time.
    pub const fn corrected(&self) -> Trade {
        Trade { ts: self.trade.ts, price: self.price, size: self.size }
    }
}

/// A trade that does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cancel {
    /// Time of the cancellation.
    pub ts: Timestamp,
    /// The `seq` of the trade in the trades of its symbol.
    pub trade_seq: u64,
    /// The trade as it was published.
    pub trade: Trade,
    /// The reason.
    pub kind: CancelKind,
}

/// The reason why a trade is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelKind {
    /// The parties, or the exchange, took it back.
    Cancelled,
    /// It was published by mistake.
    Error,
}

/// A bar at its close, and the day of its symbol so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClosedBar {
    /// The bar.
    pub bar: Bar,
    /// The figures of the New York day in which the bar began, up to the end of the bar.
    pub day: DayFigures,
}

/// Figures of the present New York day of a symbol, which begins at 00:00 New York time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DayFigures {
    /// Price of the first trade.
    pub open: Price,
    /// Shares traded.
    pub volume: Size,
    /// Volume-weighted average price, rounded to the nearest unit of 1e-4 USD.
    pub vwap: Price,
}

impl From<&Bar> for DayFigures {
    fn from(day: &Bar) -> Self {
        Self { open: day.open, volume: day.volume, vwap: day.vwap }
    }
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
    /// A bar that has closed. Boxed, like all that are rare and larger than a quote.
    Bar(Interval, Box<ClosedBar>),
    /// A correction of a trade.
    Correction(Box<Correction>),
    /// A trade that is cancelled.
    Cancel(Box<Cancel>),
    /// A bar of one minute whose trades have changed after its close: its new values.
    UpdatedBar(Box<ClosedBar>),
    /// The bar of the present New York day so far, after a full minute.
    DailyBar(Box<Bar>),
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
            EventBody::Correction(_) => Channel::Corrections,
            EventBody::Cancel(_) => Channel::Cancels,
            EventBody::UpdatedBar(_) => Channel::UpdatedBars,
            EventBody::DailyBar(_) => Channel::DailyBars,
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

    /// Returns the timestamp that clients see: the time of a trade, a quote, a correction or a
    /// cancellation, the start of a bar or a day, the end of a gap.
    pub const fn ts(&self) -> Timestamp {
        match &self.body {
            EventBody::Trade(trade) => trade.ts,
            EventBody::Quote(quote) => quote.ts,
            EventBody::Bar(_, closed) | EventBody::UpdatedBar(closed) => closed.bar.ts,
            EventBody::Correction(correction) => correction.ts,
            EventBody::Cancel(cancel) => cancel.ts,
            EventBody::DailyBar(bar) => bar.ts,
            EventBody::Day(day) => day.ts,
            EventBody::Gap(gap) => gap.ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_events_do_not_make_every_event_larger_than_a_quote() {
        assert_eq!(size_of::<EventBody>(), size_of::<Quote>() + 8, "there are hundreds of thousands of events");
    }
}
