//! The state of one symbol after some event: what a new subscriber must know before the next event makes sense.

use crate::domain::{Bar, Channel, Event, EventBody, Interval, Price, Quote, Size, Timestamp};

/// The last values of one symbol and its present day, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When the last trade or quote happened.
    pub ts: Timestamp,
    /// Price of the last trade.
    pub price: Price,
    /// Shares of the last trade.
    pub size: Size,
    /// Best bid.
    pub bid: Price,
    /// Shares wanted at the bid.
    pub bid_size: Size,
    /// Best ask.
    pub ask: Price,
    /// Shares offered at the ask.
    pub ask_size: Size,
    /// First price of the day.
    pub open: Price,
    /// Highest price of the day.
    pub high: Price,
    /// Lowest price of the day.
    pub low: Price,
    /// Last price of the day before.
    pub prev_close: Price,
    /// Shares traded during the day.
    pub volume: u64,
    /// The `seq` of the newest event of each channel, by [`Channel::index`]; 0 where there was none yet.
    pub seq: [u64; Channel::COUNT],
    day: Timestamp,
}

impl Snapshot {
    /// Returns the state at the start of the stream: the open bar of the day so far, the close of the day before, the
    /// quote that stands, and no event yet.
    pub fn new(today: &Bar, prev_close: Price, quote: &Quote, last_size: Size) -> Self {
        Self {
            ts: quote.ts,
            price: today.close,
            size: last_size,
            bid: quote.bid,
            bid_size: quote.bid_size,
            ask: quote.ask,
            ask_size: quote.ask_size,
            open: today.open,
            high: today.high,
            low: today.low,
            prev_close,
            volume: today.volume,
            seq: [0; Channel::COUNT],
            day: Interval::D1.start_of(today.ts),
        }
    }

    /// Takes the symbol's next event into the state.
    pub fn apply(&mut self, event: &Event) {
        self.seq[event.channel().index()] = event.seq;
        match &event.body {
            EventBody::Trade(trade) => {
                let day = Interval::D1.start_of(trade.ts);
                if day > self.day {
                    self.day = day;
                    self.prev_close = self.price;
                    (self.open, self.high, self.low, self.volume) = (trade.price, trade.price, trade.price, 0);
                }
                self.ts = trade.ts;
                self.price = trade.price;
                self.size = trade.size;
                self.high = self.high.max(trade.price);
                self.low = self.low.min(trade.price);
                self.volume += u64::from(trade.size.shares());
            }
            EventBody::Quote(quote) => {
                self.ts = quote.ts;
                (self.bid, self.bid_size) = (quote.bid, quote.bid_size);
                (self.ask, self.ask_size) = (quote.ask, quote.ask_size);
            }
            EventBody::Bar(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{SymbolId, Trade};

    fn event(seq: u64, body: EventBody) -> Event {
        Event { offset: seq, seq, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body }
    }

    fn trade(micros: i64, cents: i64, shares: u32) -> EventBody {
        let ts = Timestamp::from_micros(micros);
        EventBody::Trade(Trade { ts, price: Price::from_cents(cents), size: Size::new(shares) })
    }

    #[test]
    fn a_trade_of_a_new_day_makes_the_last_price_the_previous_close() {
        let mut snapshot = Snapshot::default();
        snapshot.apply(&event(1, trade(1, 100, 5)));
        snapshot.apply(&event(2, trade(2, 90, 5)));
        assert_eq!((snapshot.high, snapshot.low), (Price::from_cents(100), Price::default()));
        snapshot.apply(&event(3, trade(Interval::D1.micros(), 95, 7)));
        assert_eq!(snapshot.prev_close, Price::from_cents(90));
        assert_eq!((snapshot.open, snapshot.high, snapshot.low), (snapshot.price, snapshot.price, snapshot.price));
        assert_eq!(snapshot.volume, 7);
        assert_eq!(snapshot.seq[Channel::Trades.index()], 3);
    }
}
