//! The state of one symbol directly after an event: a new subscriber needs it to interpret the next event.

use crate::domain::{Bar, Channel, Correction, Day, Event, EventBody, Interval, Price, Quote, Size, Timestamp, Trade};

/// The last values of one symbol and the figures of its present day (UTC). A value is absent until there is one: a feed may begin
/// without a past, and a file of trades has no quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Time of the last trade or quote, or start of the day if that is later.
    pub ts: Timestamp,
    /// Time of the last trade, which may be before that of a quote.
    pub traded_at: Timestamp,
    /// Time of the newest quote.
    pub quoted_at: Timestamp,
    /// The last trade, or the last price of the day before without one of its own.
    pub last: Option<Last>,
    /// The best bid and ask.
    pub quote: Option<BestQuote>,
    /// The prices of the day. Before its first trade they are `prev_close`.
    pub day: Option<DayPrices>,
    /// Last price of the previous day.
    pub prev_close: Option<Price>,
    /// Shares traded during the day; 0 before the first trade.
    pub volume: Size,
    /// The `seq` of the newest event of each channel, by [`Channel::index`]; 0 before the first event.
    pub seq: [u64; Channel::COUNT],
}

/// Price and size of a last trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Price per share.
    pub price: Price,
    /// Shares.
    pub size: Size,
}

/// The best prices of buyers and sellers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestQuote {
    /// Best bid.
    pub bid: Price,
    /// Shares wanted at the bid.
    pub bid_size: Size,
    /// Best ask.
    pub ask: Price,
    /// Shares offered at the ask.
    pub ask_size: Size,
}

impl BestQuote {
    /// Returns the quote with its time.
    pub const fn at(self, ts: Timestamp) -> Quote {
        Quote { ts, bid: self.bid, bid_size: self.bid_size, ask: self.ask, ask_size: self.ask_size }
    }
}

impl From<&Quote> for BestQuote {
    fn from(quote: &Quote) -> Self {
        Self { bid: quote.bid, bid_size: quote.bid_size, ask: quote.ask, ask_size: quote.ask_size }
    }
}

/// The prices of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayPrices {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
}

impl DayPrices {
    /// Returns a day with one price.
    pub const fn of(price: Price) -> Self {
        Self { open: price, high: price, low: price }
    }

    fn extend(&mut self, price: Price) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
    }
}

impl Snapshot {
    /// Returns the state before the first event of the stream: the open bar of the day, the close of the previous day,
    /// and the present quote.
    pub fn new(today: &Bar, prev_close: Price, quote: &Quote, last_size: Size) -> Self {
        Self {
            last: Some(Last { price: today.close, size: last_size }),
            day: Some(DayPrices { open: today.open, high: today.high, low: today.low }),
            volume: today.volume,
            ..Self::untraded(prev_close, quote, last_size)
        }
    }

    /// Returns the state before the first event of the stream, of a symbol without a trade on that day.
    pub fn untraded(prev_close: Price, quote: &Quote, last_size: Size) -> Self {
        Self {
            ts: quote.ts,
            traded_at: quote.ts,
            quoted_at: quote.ts,
            last: Some(Last { price: prev_close, size: last_size }),
            quote: Some(quote.into()),
            day: Some(DayPrices::of(prev_close)),
            prev_close: Some(prev_close),
            volume: Size::default(),
            seq: [0; Channel::COUNT],
        }
    }

    /// Returns time and price of the last trade; `None` without a price.
    pub fn last_trade(&self) -> Option<(Timestamp, Price)> {
        Some((self.traded_at, self.last?.price))
    }

    /// Updates the state by the symbol's next event.
    pub fn apply(&mut self, event: &Event) {
        self.seq[event.channel().index()] = event.seq;
        match &event.body {
            EventBody::Trade(trade) => self.trade(trade),
            // Quotes of a symbol ascend, but a trade may be ahead of them.
            EventBody::Quote(quote) => {
                (self.ts, self.quoted_at) = (self.ts.max(quote.ts), quote.ts);
                self.quote = Some(quote.into());
            }
            EventBody::Correction(correction) => self.correct(correction),
            EventBody::Cancel(cancel) => self.cancel(&cancel.trade),
            EventBody::Bar(..) | EventBody::UpdatedBar(_) | EventBody::DailyBar(_) | EventBody::Gap(_) => {}
            EventBody::Day(day) => self.begin_day(*day),
        }
    }

    /// Begins a day.
    pub fn begin_day(&mut self, day: Day) {
        let close = day.prev_close;
        self.ts = day.ts;
        let size = self.last.map_or(Size::default(), |last| last.size);
        (self.last, self.prev_close) = (Some(Last { price: close, size }), Some(close));
        (self.day, self.volume) = (Some(DayPrices::of(close)), Size::default());
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
        // A trade that is reported late is not the last one.
        if trade.ts >= self.traded_at || self.last.is_none() {
            self.ts = self.ts.max(trade.ts);
            self.traded_at = trade.ts;
            self.last = Some(Last { price: trade.price, size: trade.size });
        }
        match &mut self.day {
            Some(day) if self.volume != Size::default() => day.extend(trade.price),
            day => *day = Some(DayPrices::of(trade.price)),
        }
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
        if let Some(day) = &mut self.day {
            day.extend(correction.price);
        }
        if correction.trade_seq == self.seq[Channel::Trades.index()] {
            self.last = Some(Last { price: correction.price, size: correction.size });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cancel, CancelKind, SymbolId};

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
        let day = snapshot.day.unwrap();
        let prices = [day.open, day.high, day.low, snapshot.prev_close.unwrap()];
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
        assert_eq!((snapshot.ts, snapshot.last.unwrap().price), (midnight, Price::from_cents(90)));
        snapshot.apply(&event(4, trade(86_400_000_001, 95, 7)));
        assert_eq!(figures(&snapshot), ([95, 95, 95, 90], 7));
        assert_eq!(snapshot.seq[Channel::Trades.index()], 4);
        assert_eq!(snapshot.seq[Channel::Day.index()], 3);
    }

    #[test]
    fn a_symbol_without_a_past_has_no_price_until_it_has_traded() {
        let mut snapshot = Snapshot::default();
        let offered = Quote { ts: Timestamp::from_micros(5), ..quote() };
        snapshot.apply(&event(1, EventBody::Quote(offered)));
        let ts = offered.ts;
        let without = Snapshot { ts, quoted_at: ts, quote: Some((&offered).into()), ..Snapshot::default() };
        assert_eq!(Snapshot { seq: without.seq, ..snapshot }, without);
        snapshot.apply(&event(2, trade(4, 110, 5)));
        let last = Last { price: Price::from_cents(110), size: Size::new(5) };
        assert_eq!(
            (snapshot.last, snapshot.ts),
            (Some(last), offered.ts),
            "the first trade is the last one, however late"
        );
        assert_eq!((snapshot.day, snapshot.prev_close), (Some(DayPrices::of(last.price)), None));
        snapshot.apply(&event(3, trade(3, 120, 5)));
        assert_eq!((snapshot.last, snapshot.ts), (Some(last), offered.ts), "an older trade is not the last one");
        snapshot.apply(&event(4, trade(5, 90, 5)));
        let newer = Last { price: Price::from_cents(90), size: Size::new(5) };
        assert_eq!(snapshot.last, Some(newer), "a trade is compared with trades, not with quotes");
        snapshot.apply(&event(5, EventBody::Quote(Quote { ts: Timestamp::from_micros(2), ..quote() })));
        assert_eq!(snapshot.ts, offered.ts, "time does not go back");
        assert_eq!(snapshot.day.map(|day| (day.high, day.low)), Some((Price::from_cents(120), Price::from_cents(90))));
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
        assert_eq!(snapshot.last.unwrap().price, second.price, "a newer trade has the last price");
        snapshot.apply(&event(2, correction(3, old, 900, 700)));
        snapshot.apply(&event(1, cancel(3, old)));
        assert_eq!(figures(&snapshot), ([100, 101, 90, 100], 13));
        snapshot.apply(&event(2, cancel(2, second)));
        assert_eq!(figures(&snapshot).1, 7);
    }
}
