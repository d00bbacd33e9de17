//! `BarsAsTrades`: turns each bar into at most four trades, from which tickcast makes a bar with the same prices and volume again.
//!
//! The trades are the open, low, high and close of a rising bar, and the open, high, low and close of a falling one, at the beginning of the
//! interval, after a third, after two thirds, and in the last millisecond.

use std::collections::BTreeMap;

use tickcast_core::domain::{Interval, Price, Timestamp, day_start, next_day_start};

use crate::counts::Counts;
use crate::error::{Fault, Place, ReadError};
use crate::input::Progress;
use crate::reader::Reader;
use crate::row::{Body, InputBar, Row};
use crate::spans::DAY;
use tickcast_core::domain::Size;

const MILLISECOND: i64 = 1_000;

/// A reader without bars.
pub struct BarsAsTrades<R> {
    inner: R,
    /// The trades of bars by time, then in the order in which they were made.
    waiting: BTreeMap<(Timestamp, u64), Row>,
    waiting_max: usize,
    made: u64,
    /// The next row of the inner reader.
    next: Option<Row>,
    failure: Option<ReadError>,
    is_over: bool,
    thin_bars: u64,
}

impl<R: Reader> BarsAsTrades<R> {
    /// Returns the rows of a reader that delivers them in the order of time. At most `waiting_max` trades wait for their time.
    pub fn new(inner: R, waiting_max: usize) -> Self {
        let (waiting, next, failure) = (BTreeMap::new(), None, None);
        Self { inner, waiting, waiting_max, made: 0, next, failure, is_over: false, thin_bars: 0 }
    }

    fn look_ahead(&mut self) {
        if self.next.is_some() || self.is_over {
            return;
        }
        match self.inner.next() {
            Ok(next) => self.next = next,
            Err(err) => self.failure = Some(err),
        }
        self.is_over = self.next.is_none();
    }

    fn expand(&mut self, row: &Row, bar: &InputBar) -> Result<(), ReadError> {
        if self.waiting.len() + 4 > self.waiting_max {
            let complaint = format!("make more than {} trades at once (`events_max`)", self.waiting_max);
            self.waiting.clear();
            self.is_over = true;
            return Err(ReadError::new("the bars".as_ref(), Place::File, Fault::Limit(complaint)));
        }
        let (trades, is_thin) = trades(row.ts, bar);
        self.thin_bars += u64::from(is_thin);
        for (ts, price, size) in trades {
            self.made += 1;
            let row = Row { ts, symbol: row.symbol, body: Body::Trade { price, size, seq: 0 } };
            self.waiting.insert((ts, self.made), row);
        }
        Ok(())
    }
}

impl<R: Reader> Reader for BarsAsTrades<R> {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        loop {
            self.look_ahead();
            let is_due = |first: Timestamp| self.next.as_ref().is_none_or(|next| first <= next.ts);
            if self.waiting.first_key_value().is_some_and(|((first, _), _)| is_due(*first)) {
                return Ok(self.waiting.pop_first().map(|(_, row)| row));
            }
            match self.next.take() {
                None => return self.failure.take().map_or(Ok(None), Err),
                Some(row) => match &row.body {
                    Body::Bar(bar) => self.expand(&row, bar)?,
                    _ => return Ok(Some(row)),
                },
            }
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = self.inner.counts();
        counts.thin_bars += self.thin_bars;
        counts
    }

    fn progress(&self) -> Vec<Progress> {
        self.inner.progress()
    }
}

/// Returns the trades of a bar, and whether its volume is too small for a trade at each of its prices.
pub(crate) fn trades(ts: Timestamp, bar: &InputBar) -> (Vec<(Timestamp, Price, Size)>, bool) {
    let InputBar { open, high, low, close, volume, .. } = *bar;
    let (start, end) = window(ts, bar.span_micros);
    let third = (end.micros() - start.micros()) / 3;
    let times = [start, start.plus_micros(third), start.plus_micros(2 * third), end.plus_micros(-MILLISECOND)];
    let prices = if close < open { [open, high, low, close] } else { [open, low, high, close] };

    let shares = volume.micros() / Size::MICROS_PER_SHARE;
    let is_extreme = |price: Price| price < open.min(close) || price > open.max(close);
    let is_needed = |place: &usize| match place {
        0 => true,
        3 => close != open || is_extreme(low) || is_extreme(high),
        place => is_extreme(prices[*place]),
    };
    let mut places: Vec<_> = (0..4).filter(|place| shares >= 4 || is_needed(place)).collect();
    let is_thin = volume.micros() < places.len() as u64;
    if is_thin {
        places.retain(|place| matches!(place, 0 | 3));
        places.truncate(usize::try_from(volume.micros()).unwrap_or(usize::MAX));
    }
    let sizes = split(volume.micros(), places.len() as u64);
    let trades = places.into_iter().zip(sizes).map(|(place, size)| (times[place], prices[place], size));
    (trades.collect(), is_thin)
}

/// Splits a volume in `count` parts: in whole shares, if there are enough; the last part has the fraction.
fn split(micros: u64, count: u64) -> impl Iterator<Item = Size> {
    let shares = micros / Size::MICROS_PER_SHARE;
    let unit = if shares >= count { Size::MICROS_PER_SHARE } else { 1 };
    let (units, rest) = (micros / unit, micros % unit);
    (0..count).map(move |place| {
        let part = units / count + u64::from(place < units % count);
        Size::from_micros(part * unit + if place + 1 == count { rest } else { 0 })
    })
}

/// Returns the time in which the trades of a bar happen. Those of a day happen between midnight in New York and the next midnight UTC, so that
/// the bars of both days are right, whichever the file means.
fn window(ts: Timestamp, span: i64) -> (Timestamp, Timestamp) {
    let end = ts.plus_micros(span);
    if span != DAY {
        return (ts, end);
    }
    if Interval::D1.start_of(ts) == ts {
        return (next_day_start(ts), end);
    }
    if day_start(ts) == ts { (ts, Interval::D1.start_of(ts).plus_micros(DAY)) } else { (ts, end) }
}

#[cfg(test)]
#[path = "bars_test.rs"]
mod tests;
