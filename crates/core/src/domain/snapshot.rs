//! The state of one symbol directly after an event: a new subscriber needs it to interpret the next event.

use crate::domain::{Bar, Channel, Correction, Event, EventBody, Interval, Price, Quote, Size, Timestamp, Trade};

/// The last values of one symbol and the figures of its present day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Time of the last trade or quote, or start of the day if that is later.
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
    /// First price of the day. Before the first trade of the day, `open`, `high` and `low` are `prev_close`.
    pub open: Price,
    /// Highest price of the day.
    pub high: Price,
    /// Lowest price of the day.
    pub low: Price,
    /// Last price of the previous day.
    pub prev_close: Price,
    /// Shares traded during the day; 0 before the first trade.
    pub volume: Size,
    /// The `seq` of the newest event of each channel, by [`Channel::index`]; 0 before the first event.
    pub seq: [u64; Channel::COUNT],
}

impl Snapshot {
    /// Returns the state before the first event of the stream: the open bar of the day, the close of the previous day,
    /// and the present quote.
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
        }
    }

    /// Returns the state before the first event of the stream, of a symbol without a trade on that day.
    pub fn untraded(prev_close: Price, quote: &Quote, last_size: Size) -> Self {
        Self {
            ts: quote.ts,
            price: prev_close,
            size: last_size,
            bid: quote.bid,
            bid_size: quote.bid_size,
            ask: quote.ask,
            ask_size: quote.ask_size,
            open: prev_close,
            high: prev_close,
            low: prev_close,
            prev_close,
            volume: Size::default(),
            seq: [0; Channel::COUNT],
        }
    }

    /// Updates the state by the symbol's next event.
    pub fn apply(&mut self, event: &Event) {
        self.seq[event.channel().index()] = event.seq;
        match &event.body {
            EventBody::Trade(trade) => self.trade(trade),
            EventBody::Quote(quote) => {
                self.ts = quote.ts;
                (self.bid, self.bid_size) = (quote.bid, quote.bid_size);
                (self.ask, self.ask_size) = (quote.ask, quote.ask_size);
            }
            EventBody::Correction(correction) => self.correct(correction),
            EventBody::Cancel(cancel) => self.cancel(&cancel.trade),
            EventBody::Bar(..) | EventBody::UpdatedBar(_) | EventBody::DailyBar(_) | EventBody::Gap(_) => {}
            EventBody::Day(day) => {
                let close = day.prev_close;
                self.ts = day.ts;
                (self.price, self.prev_close) = (close, close);
                (self.open, self.high, self.low, self.volume) = (close, close, close, Size::default());
            }
        }
    }
}

impl Snapshot {
    /// Returns whether the trade is not older than the present day.
    const fn is_of_the_day(&self, trade: &Trade) -> bool {
        trade.ts.micros() >= Interval::D1.start_of(self.ts).micros()
    }

    /// Adds a trade. A late trade of the day before does not count for this day.
    fn trade(&mut self, trade: &Trade) {
        if !self.is_of_the_day(trade) {
            return;
        }
        if self.volume == Size::default() {
            (self.open, self.high, self.low) = (trade.price, trade.price, trade.price);
        }
        // A trade that is reported late is not the last one.
        if trade.ts >= self.ts {
            self.ts = trade.ts;
            self.price = trade.price;
            self.size = trade.size;
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.volume += trade.size;
    }

    fn cancel(&mut self, trade: &Trade) {
        if self.is_of_the_day(trade) {
            self.volume = self.volume.saturating_sub(trade.size);
        }
    }

    /// Corrects the volume, and the last price if the trade is the newest one. A price beyond the extremes of the day
    /// becomes one of them; the wrong price stays if it was one.
    fn correct(&mut self, correction: &Correction) {
        if !self.is_of_the_day(&correction.trade) {
            return;
        }
        self.volume = self.volume.saturating_sub(correction.trade.size) + correction.size;
        self.high = self.high.max(correction.price);
        self.low = self.low.min(correction.price);
        if correction.trade_seq == self.seq[Channel::Trades.index()] {
            (self.price, self.size) = (correction.price, correction.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cancel, CancelKind, Day, SymbolId};

    fn event(seq: u64, body: EventBody) -> Event {
        Event { offset: seq, seq, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body }
    }

    fn trade(micros: i64, cents: i64, shares: u32) -> EventBody {
        let ts = Timestamp::from_micros(micros);
        EventBody::Trade(Trade { ts, price: Price::from_cents(cents), size: Size::new(shares) })
    }

    fn quote() -> Quote {
        let (bid, ask, size) = (Price::from_cents(99), Price::from_cents(101), Size::new(1));
        Quote { ts: Timestamp::default(), bid, bid_size: size, ask, ask_size: size }
    }

    /// Open, high, low and previous close in cents, and the volume.
    fn figures(snapshot: &Snapshot) -> ([i64; 4], u64) {
        let prices = [snapshot.open, snapshot.high, snapshot.low, snapshot.prev_close];
        (prices.map(|price| price.units() / 100), snapshot.volume.shares())
    }

    #[test]
    fn a_day_resets_all_prices_to_the_last_one_and_its_first_trade_opens_it() {
        let mut snapshot = Snapshot::untraded(Price::from_cents(100), &quote(), Size::new(1));
        assert_eq!(figures(&snapshot), ([100, 100, 100, 100], 0));
        snapshot.apply(&event(1, trade(1, 110, 5)));
        snapshot.apply(&event(2, trade(2, 90, 5)));
        assert_eq!(figures(&snapshot), ([110, 110, 90, 100], 10));
        let midnight = Timestamp::from_micros(86_400_000_000);
        snapshot.apply(&event(3, EventBody::Day(Day { ts: midnight, prev_close: Price::from_cents(90) })));
        assert_eq!(figures(&snapshot), ([90, 90, 90, 90], 0));
        assert_eq!((snapshot.ts, snapshot.price), (midnight, Price::from_cents(90)));
        snapshot.apply(&event(4, trade(86_400_000_001, 95, 7)));
        assert_eq!(figures(&snapshot), ([95, 95, 95, 90], 7));
        assert_eq!(snapshot.seq[Channel::Trades.index()], 4);
        assert_eq!(snapshot.seq[Channel::Day.index()], 3);
    }

    #[test]
    fn corrections_and_cancellations_change_the_volume_of_their_own_day_only() {
        let plain = |micros, cents, shares| {
            let EventBody::Trade(trade) = trade(micros, cents, shares) else { panic!() };
            trade
        };
        let correction = |trade_seq, trade: Trade, cents, shares| {
            let (price, size) = (Price::from_cents(cents), Size::new(shares));
            EventBody::Correction(Correction { ts: trade.ts, trade_seq, trade, price, size }.into())
        };
        let cancel = |trade_seq, trade: Trade| {
            EventBody::Cancel(Cancel { ts: trade.ts, trade_seq, trade, kind: CancelKind::Error }.into())
        };
        let day = 86_400_000_000;
        let (old, first, second) = (plain(day - 1, 500, 9), plain(day + 1, 100, 5), plain(day + 2, 101, 6));
        let mut snapshot = Snapshot::untraded(Price::from_cents(100), &quote(), Size::new(1));
        snapshot.apply(&event(1, EventBody::Day(Day { ts: Timestamp::from_micros(day), prev_close: first.price })));
        for (seq, body) in (1..).zip([EventBody::Trade(first), EventBody::Trade(second), EventBody::Trade(old)]) {
            snapshot.apply(&event(seq, body));
        }
        assert_eq!(figures(&snapshot), ([100, 101, 100, 100], 11), "the late trade is of the day before");
        snapshot.apply(&event(1, correction(1, first, 90, 7)));
        assert_eq!(figures(&snapshot), ([100, 101, 90, 100], 13));
        assert_eq!(snapshot.price, second.price, "a newer trade has the last price");
        snapshot.apply(&event(2, correction(3, old, 900, 700)));
        snapshot.apply(&event(1, cancel(3, old)));
        assert_eq!(figures(&snapshot), ([100, 101, 90, 100], 13));
        snapshot.apply(&event(2, cancel(2, second)));
        assert_eq!(figures(&snapshot).1, 7);
    }
}
