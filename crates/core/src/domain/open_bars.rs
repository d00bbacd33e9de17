//! `OpenBars`: the bars of one symbol that are not closed yet, its New York day so far, and the minute before the present one, whose
//! bar may still change.
//!
//! A correction or a cancellation of a trade of these two minutes changes all values of their bars, except that the first price of a
//! minute stays once more trades have followed than are kept one by one. Of an older trade, volume, number and average of longer
//! bars follow, and the prices stay; so they do in the bar of a second. A late trade counts in its own minute, and an older one in the
//! longer bars that are open.

use crate::domain::minute::Minute;
use crate::domain::{Bar, BarBuilder, Interval, Timestamp, Trade, day_start};

/// The intervals that are longer than a minute.
const LONGER: [Interval; 4] = [Interval::M5, Interval::M15, Interval::H1, Interval::D1];

/// The open bars of one symbol: every trade is added to all of them, and each is taken when its interval ends.
#[derive(Clone, Debug, Default)]
pub struct OpenBars {
    second: BarBuilder,
    minute: Minute,
    /// The minute directly before `minute`.
    previous: Minute,
    /// The trades of the minutes before both, by the order of [`LONGER`], each in its newest interval.
    longer: [BarBuilder; LONGER.len()],
    /// The same of the newest day in New York.
    day: BarBuilder,
    /// By `Interval as usize`: the end of the newest bar that was taken.
    taken: [Timestamp; Interval::COUNT],
    /// Whether the previous minute has changed since it became the previous one, or since [`Self::take_update`].
    is_changed: bool,
    /// Whether the day has changed since [`Self::take_day`].
    is_day_changed: bool,
}

impl OpenBars {
    /// Returns the builders that continue these bars, by interval, and this bar of the New York day, from `start` on: bars that ended before that
    /// have been taken, but that of the minute before, which may still change.
    pub fn resume(bars: [Option<Bar>; Interval::COUNT], day: Option<Bar>, start: Timestamp) -> Self {
        let resume = |bar: Option<Bar>| bar.map(|bar| BarBuilder::resume(bar, start)).unwrap_or_default();
        let minute = bars[Interval::M1 as usize];
        let taken = |interval: Interval| {
            let open = interval.start_of(start);
            if interval == Interval::M1 { open.plus_micros(-interval.micros()) } else { open }
        };
        Self {
            second: resume(bars[Interval::S1 as usize]),
            minute: Minute::new(minute.map(|bar| bar.ts).unwrap_or_default(), resume(minute)),
            longer: LONGER.map(|interval| resume(bars[interval as usize])),
            day: resume(day),
            taken: Interval::ALL.map(taken),
            ..Self::default()
        }
    }

    /// Adds a trade to the bar of every interval to whose time it belongs, if that bar is not closed. A trade of the
    /// previous minute changes the bar of that minute.
    pub fn add(&mut self, trade: &Trade) {
        let (second, minute) = (Interval::S1.start_of(trade.ts), Interval::M1.start_of(trade.ts));
        self.begin_minute(trade.ts);
        self.is_day_changed = true;
        if self.second.start().is_none_or(|open| open <= second) && second >= self.taken[Interval::S1 as usize] {
            self.second.add(second, trade);
        }
        if minute == self.minute.start {
            self.minute.add(trade);
        } else if minute == self.previous.start {
            self.previous.add(trade);
            self.is_changed = true;
        } else {
            for (builder, interval) in self.longer.iter_mut().zip(LONGER) {
                builder.include(interval.start_of(trade.ts), trade);
            }
            // A day that has ended does not begin again.
            let day = day_start(trade.ts);
            if self.day.start().is_some() || day == day_start(self.minute.start) {
                self.day.include(day, trade);
            }
        }
    }

    /// Replaces a trade that was added by its right values, or removes it.
    pub fn amend(&mut self, wrong: &Trade, right: Option<&Trade>) {
        let minute = Interval::M1.start_of(wrong.ts);
        self.is_day_changed = true;
        if self.second.start() == Some(Interval::S1.start_of(wrong.ts)) {
            self.second.amend(wrong, right);
        }
        if minute == self.minute.start {
            self.minute.amend(wrong, right);
        } else if minute == self.previous.start {
            self.previous.amend(wrong, right);
            self.is_changed = true;
        } else {
            for (builder, interval) in self.longer.iter_mut().zip(LONGER) {
                if builder.start() == Some(interval.start_of(wrong.ts)) {
                    builder.amend(wrong, right);
                }
            }
            if self.day.start() == Some(day_start(wrong.ts)) {
                self.day.amend(wrong, right);
            }
        }
    }

    /// Begins the minute that contains `ts`, unless it has begun. The bar of the last minute must have been taken.
    pub fn begin_minute(&mut self, ts: Timestamp) {
        let start = Interval::M1.start_of(ts);
        if start <= self.minute.start {
            return;
        }
        let last = std::mem::replace(&mut self.minute, Minute::new(start, BarBuilder::default()));
        let before = std::mem::replace(&mut self.previous, last);
        self.fold(&before);
        let before = start.plus_micros(-Interval::M1.micros());
        if self.previous.start != before {
            let last = std::mem::replace(&mut self.previous, Minute::new(before, BarBuilder::default()));
            self.fold(&last);
        }
        self.is_changed = false;
    }

    /// Adds a minute that cannot change any more to the longer bars.
    fn fold(&mut self, minute: &Minute) {
        let part = minute.part();
        for (builder, interval) in self.longer.iter_mut().zip(LONGER) {
            builder.append(interval.start_of(minute.start), &part);
        }
        if part.start().is_some() {
            self.day.append(day_start(minute.start), &part);
        }
    }

    /// Returns the open bar of the interval so far, or `None` without a trade.
    pub fn bar(&self, interval: Interval) -> Option<Bar> {
        let start = self.start(interval)?;
        match interval {
            Interval::S1 => self.second.bar(),
            Interval::M1 => self.minute.bar(),
            _ => self.part_from(interval, start),
        }
    }

    /// Returns the start of the open bar of the interval, or `None` without a trade; cheaper than [`Self::bar`].
    pub fn start(&self, interval: Interval) -> Option<Timestamp> {
        let minute = Some(&self.minute).filter(|minute| !minute.is_empty()).map(|minute| minute.start);
        let start = match interval {
            Interval::S1 => self.second.start(),
            Interval::M1 => minute,
            _ => {
                let previous = Some(&self.previous).filter(|minute| !minute.is_empty()).map(|minute| minute.start);
                minute.or(previous).map(|ts| interval.start_of(ts)).max(self.longer_of(interval)?.start())
            }
        };
        start.filter(|start| *start >= self.taken[interval as usize])
    }

    fn longer_of(&self, interval: Interval) -> Option<&BarBuilder> {
        LONGER.iter().position(|longer| *longer == interval).map(|place| &self.longer[place])
    }

    /// Returns the bar of an interval longer than a minute that begins at `start`, open or closed, as far as its trades are known:
    /// the newest bar, and during the minute after its end the one before.
    pub fn part_from(&self, interval: Interval, start: Timestamp) -> Option<Bar> {
        self.compose(self.longer_of(interval)?, start, |ts| interval.start_of(ts)).bar()
    }

    fn compose(&self, base: &BarBuilder, start: Timestamp, start_of: impl Fn(Timestamp) -> Timestamp) -> BarBuilder {
        let mut whole = if base.start() == Some(start) { *base } else { BarBuilder::default() };
        for minute in [&self.previous, &self.minute] {
            if !minute.is_empty() && start_of(minute.start) == start {
                whole.append(start, &minute.part());
            }
        }
        whole
    }

    /// Returns the open bar of the interval and closes it: later trades of its time do not open it again.
    pub fn take(&mut self, interval: Interval) -> Option<Bar> {
        let bar = self.bar(interval)?;
        self.taken[interval as usize] = bar.ts.plus_micros(interval.micros());
        if interval == Interval::S1 {
            self.second = BarBuilder::default();
        }
        Some(bar)
    }

    /// Takes the open bar of the interval, if the bar began before `ts`; else leaves the bar open.
    pub fn take_before(&mut self, interval: Interval, ts: Timestamp) -> Option<Bar> {
        let over = self.start(interval).is_some_and(|start| start < interval.start_of(ts));
        over.then(|| self.take(interval)).flatten()
    }

    /// Returns the bar of the New York day of the newest trade.
    pub fn day(&self) -> Option<Bar> {
        let minutes = [&self.minute, &self.previous].into_iter().find(|minute| !minute.is_empty());
        let start = minutes.map(|minute| day_start(minute.start)).max(self.day.start())?;
        self.compose(&self.day, start, day_start).bar()
    }

    /// Returns the bar of the New York day, if it has changed since the last call.
    pub fn take_day(&mut self) -> Option<Bar> {
        std::mem::take(&mut self.is_day_changed).then(|| self.day()).flatten()
    }

    /// Returns the bar of the previous minute, if it has changed since the minute ended and since the last call; never a bar that has
    /// lost all its trades.
    pub fn take_update(&mut self) -> Option<Bar> {
        std::mem::take(&mut self.is_changed).then(|| self.previous.bar()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size};
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;
    /// 59 minutes before a midnight of New York at which daylight saving time has begun on the day before: 04:00 UTC.
    const START: i64 = 1_773_028_800 * SECOND - 59 * 60 * SECOND;

    fn trade(second: i64, cents: i64, shares: u32) -> Trade {
        let ts = Timestamp::from_micros(START + second * SECOND);
        Trade { ts, price: Price::from_cents(cents), size: Size::new(shares) }
    }

    fn minute(bars: &OpenBars) -> (i64, u64, u64) {
        let bar = bars.bar(Interval::M1).unwrap();
        ((bar.ts.micros() - START) / SECOND, bar.volume.shares(), bar.trades)
    }

    #[test]
    fn a_late_trade_changes_its_own_minute_and_the_day_and_never_the_open_minute() {
        let mut bars = OpenBars::default();
        bars.add(&trade(10, 100, 5));
        assert_eq!(bars.take_before(Interval::M1, trade(60, 1, 1).ts).unwrap().volume.shares(), 5);
        bars.add(&trade(61, 101, 7));
        assert_eq!((bars.take_update(), minute(&bars)), (None, (60, 7, 1)));
        bars.add(&trade(59, 90, 3));
        bars.add(&trade(5, 200, 1));
        let update = bars.take_update().unwrap();
        let prices = [update.open, update.high, update.low, update.close].map(|price| price.units() / 100);
        assert_eq!((prices, update.volume.shares(), update.trades), ([200, 200, 90, 90], 9, 3), "in the order of time");
        assert_eq!((bars.take_update(), minute(&bars)), (None, (60, 7, 1)));
        assert_eq!(bars.bar(Interval::S1).unwrap().volume.shares(), 7);
        assert_eq!((bars.day().unwrap().volume.shares(), bars.bar(Interval::H1).unwrap().volume.shares()), (16, 16));
        bars.add(&trade(130, 100, 1));
        bars.add(&trade(2, 100, 100));
        assert_eq!((bars.take_update(), minute(&bars)), (None, (120, 1, 1)), "too late for its minute");
        assert_eq!((bars.day().unwrap().volume.shares(), bars.bar(Interval::H1).unwrap().volume.shares()), (117, 117));
    }

    #[test]
    fn the_day_ends_at_midnight_in_new_york() {
        let mut bars = OpenBars::default();
        bars.add(&trade(59 * 60 - 1, 100, 5));
        assert_eq!(bars.take_day().unwrap().volume.shares(), 5);
        assert_eq!(bars.take_day(), None, "nothing has changed");
        bars.add(&trade(59 * 60, 100, 7));
        bars.add(&trade(59 * 60 - 1, 100, 3));
        let day = bars.take_day().unwrap();
        assert_eq!((day.ts.micros(), day.volume.shares()), (START + 59 * 60 * SECOND, 7));
    }

    #[test]
    fn a_bar_of_before_the_stream_is_continued_in_every_interval_once() {
        let past = |start: i64| Bar {
            ts: Timestamp::from_micros(start),
            open: Price::from_cents(90),
            high: Price::from_cents(95),
            low: Price::from_cents(80),
            close: Price::from_cents(90),
            volume: Size::new(10),
            trades: 4,
            vwap: Price::from_cents(90),
        };
        let start = |interval: Interval| interval.start_of(Timestamp::from_micros(START)).micros();
        let day = day_start(Timestamp::from_micros(START));
        let open = Interval::ALL.map(|interval| Some(past(start(interval))));
        let mut bars = OpenBars::resume(open, Some(past(day.micros())), Timestamp::from_micros(START));
        bars.add(&trade(0, 100, 5));
        for interval in Interval::ALL {
            assert_eq!(
                bars.bar(interval).map(|bar| (bar.volume.shares(), bar.trades, bar.open)),
                Some((15, 5, past(0).open))
            );
        }
        bars.take_before(Interval::M1, trade(60, 1, 1).ts);
        bars.add(&trade(61, 100, 1));
        bars.amend(&trade(0, 100, 5), None);
        assert_eq!(bars.take_update().unwrap(), past(START));
        assert_eq!((bars.day().unwrap().volume.shares(), bars.bar(Interval::D1).unwrap().volume.shares()), (11, 11));
    }

    proptest! {
        /// Some trades, of which some of the newest are corrected or cancelled: every bar is the one of the trades that remain.
        #[test]
        fn amended_bars_are_those_of_the_right_trades(
            steps in prop::collection::vec((0_i64..5, 90_i64..110, 0_usize..60, 0..3), 1..300),
        ) {
            let (mut bars, mut right, mut second) = (OpenBars::default(), Vec::<Trade>::new(), 0);
            // Sizes that differ, so that no two trades are equal.
            for (shares, (wait, cents, back, action)) in (1..).zip(steps) {
                second += wait;
                let next = trade(second, cents, shares);
                for interval in Interval::ALL {
                    bars.take_before(interval, next.ts);
                }
                bars.add(&next);
                right.push(next);
                let Some(place) = right.len().checked_sub(1 + back).filter(|_| action > 0) else { continue };
                let wrong = right[place];
                let minute = |trade: &Trade| Interval::M1.start_of(trade.ts);
                // The first price of a minute may stay.
                if place == 0 || minute(&right[place - 1]) != minute(&wrong) {
                    continue;
                }
                let corrected = Trade { price: Price::from_cents(cents + 3), ..wrong };
                bars.amend(&wrong, (action == 1).then_some(&corrected));
                if action == 1 { right[place] = corrected } else { right.remove(place); }
            }
            let now = trade(second, 1, 1).ts;
            let of = |start: Timestamp, end: Timestamp| {
                let mut builder = BarBuilder::default();
                right.iter().filter(|trade| (start..end).contains(&trade.ts)).for_each(|trade| builder.add(start, trade));
                builder.bar()
            };
            let minute = Interval::M1.start_of(now);
            prop_assert_eq!(bars.bar(Interval::M1), of(minute, now.plus_micros(1)));
            let previous = minute.plus_micros(-Interval::M1.micros());
            if let Some(update) = bars.take_update() {
                prop_assert_eq!(Some(update), of(previous, minute));
            }
            for interval in LONGER {
                let start = interval.start_of(now);
                let (found, wanted) = (bars.part_from(interval, start), of(start, now.plus_micros(1)));
                let figures = |bar: Option<Bar>| bar.map(|bar| (bar.ts, bar.volume.shares(), bar.trades, bar.vwap));
                prop_assert_eq!(figures(found), figures(wanted), "{}", interval);
            }
        }
    }
}
