//! Merges bars of mixed lengths into bars of every interval: each closed bar is pushed at its own interval and merged
//! into the longer ones.
//!
//! `bridge` computes the bars.

use crate::domain::{Bar, BarBuilder, Interval, Timestamp};

/// The bars of one symbol, pushed oldest first.
#[derive(Debug)]
pub(super) struct Ladder {
    kept: Interval,
    bars: [Vec<Bar>; Interval::COUNT],
    builders: [BarBuilder; Interval::COUNT],
}

impl Ladder {
    /// Returns an empty ladder that keeps the closed bars of `kept` and of longer intervals.
    pub(super) fn new(kept: Interval) -> Self {
        Self { kept, bars: Default::default(), builders: Default::default() }
    }

    /// Adds a closed bar that follows all bars pushed before.
    pub(super) fn push(&mut self, interval: Interval, bar: Bar) {
        if interval >= self.kept {
            self.bars[interval as usize].push(bar);
        }
        if let Some(&longer) = Interval::ALL.get(interval as usize + 1) {
            let start = longer.start_of(bar.ts);
            self.close_before(longer, start);
            self.builders[longer as usize].merge(start, &bar);
        }
    }

    /// Adds the open bar of the shortest interval and returns the open bars of all intervals at the time `now`.
    ///
    /// # Panics
    ///
    /// Never: every builder has just received a bar.
    pub(super) fn finish(&mut self, shortest: Bar, now: Timestamp) -> [Bar; Interval::COUNT] {
        let mut open = [shortest; Interval::COUNT];
        for pair in Interval::ALL.windows(2) {
            let (shorter, longer) = (pair[0] as usize, pair[1]);
            let start = longer.start_of(now);
            self.close_before(longer, start);
            self.builders[longer as usize].merge(start, &open[shorter]);
            open[longer as usize] = self.builders[longer as usize].bar().expect("a bar was merged just before");
        }
        open
    }

    /// Returns the closed bars that were kept, oldest first, by `Interval as usize`.
    pub(super) fn into_bars(self) -> [Vec<Bar>; Interval::COUNT] {
        self.bars
    }

    /// Closes the bar of this interval, unless it begins at `start`.
    fn close_before(&mut self, interval: Interval, start: Timestamp) {
        let builder = &mut self.builders[interval as usize];
        if builder.start().is_some_and(|open| open != start)
            && let Some(bar) = builder.take()
        {
            self.push(interval, bar);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size};

    fn bar(second: i64, interval: Interval, cents: i64) -> (Interval, Bar) {
        let price = Price::from_cents(cents);
        let ts = Timestamp::from_micros(second * 1_000_000);
        (
            interval,
            Bar {
                ts,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Size::new(1),
                trades: 1,
                vwap: price,
            },
        )
    }

    #[test]
    fn bars_of_mixed_lengths_are_merged_into_longer_ones_and_open_bars_are_returned_apart() {
        let mut ladder = Ladder::new(Interval::S1);
        for (interval, bar) in [
            bar(0, Interval::H1, 100),
            bar(3_600, Interval::M1, 101),
            bar(3_660, Interval::M1, 105),
            bar(7_200, Interval::S1, 103),
            bar(7_259, Interval::S1, 99),
            bar(7_260, Interval::S1, 102),
        ] {
            ladder.push(interval, bar);
        }
        let open = ladder.finish(bar(7_321, Interval::S1, 104).1, Timestamp::from_micros(7_321_500_000));
        let bars = ladder.into_bars();
        let closed = Interval::ALL.map(|interval| bars[interval as usize].len());
        assert_eq!(closed, [3, 4, 1, 1, 2, 0]);
        let times = open.map(|bar| bar.ts.micros() / 1_000_000);
        assert_eq!(times, [7_321, 7_320, 7_200, 7_200, 7_200, 0]);
        let day = open[Interval::D1 as usize];
        assert_eq!((day.open, day.close), (Price::from_cents(100), Price::from_cents(104)));
        assert_eq!((day.high, day.low, day.trades), (Price::from_cents(105), Price::from_cents(99), 7));
    }
}
