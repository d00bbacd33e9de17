//! Corrections, cancellations and late trades of the simulated market: now and then a trade of the last seconds of a symbol is
//! corrected or cancelled, each trade at most once, or another one of those seconds is reported late.
//!
//! They have random numbers of their own, so that the other trades and the quotes are the same with and without them.

use crate::domain::{Cancel, CancelKind, Correction, EventBody, Price, Size, Timestamp, Trade};
use crate::feed::simulated::noise::{Noise, Stream};

/// Trades of a symbol that may be amended.
const CANDIDATES: usize = 4;
/// Least time between two of them, in microseconds, so that some are of the minute before.
const SPACING_MICROS: i64 = 8_000_000;
/// Largest age of a trade that is amended or reported late, in microseconds: less than a minute, so that its bar can still be updated.
const AGE_MICROS_MAX: i64 = 45_000_000;
/// Smallest age of a trade that is reported late, in microseconds.
const LATE_MICROS_MIN: i64 = 1_000_000;
/// Largest difference between a wrong price and the right one, in cents.
const CENTS_MAX: u64 = 5;
/// Smallest price, in cents.
const PRICE_CENTS_MIN: i64 = 10;
/// Largest difference between a wrong size and the right one, and largest size of a late trade, in shares.
const SHARES_MAX: u64 = 100;

/// Amends trades of a market, see [`Self::new`].
#[derive(Clone, Debug)]
pub(super) struct Amendments {
    amend: Chance,
    report_late: Chance,
    recent: Vec<Recent>,
}

/// Chooses some of the trades at random.
#[derive(Clone, Debug)]
struct Chance {
    noise: Noise,
    /// The negative logarithm of the part of the trades that are not chosen; 0 if no trade is.
    rate: f64,
    /// Trades before the next one that is chosen.
    left: u64,
}

impl Chance {
    fn new(noise: Noise, per_million: u32) -> Self {
        let mut chance = Self { noise, rate: -libm::log1p(-f64::from(per_million) / 1e6), left: 0 };
        chance.left = chance.draw();
        chance
    }

    /// Returns whether the next trade is chosen: it stays so until [`Self::begin_next`].
    fn is_due(&mut self) -> bool {
        let is_due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_due
    }

    fn begin_next(&mut self) {
        self.left = self.draw();
    }

    /// Returns how many trades pass before the next one that is chosen: geometrically distributed.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and saturates")]
    fn draw(&mut self) -> u64 {
        (self.noise.exponential() / self.rate) as u64
    }
}

/// Some of the newest trades of one symbol.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// The `seq` of the newest trade.
    seq: u64,
    /// Time of the newest candidate.
    last: Option<Timestamp>,
    /// Trades that have not been amended, with their `seq`; a new one replaces the oldest.
    candidates: [Option<(u64, Trade)>; CANDIDATES],
    /// Place of the next candidate.
    next: usize,
}

impl Recent {
    fn follow(&mut self, trade: &Trade) {
        self.seq += 1;
        if self.last.is_none_or(|last| trade.ts >= last.plus_micros(SPACING_MICROS)) {
            self.last = Some(trade.ts);
            self.candidates[self.next] = Some((self.seq, *trade));
            self.next = (self.next + 1) % CANDIDATES;
        }
    }

    /// Returns the candidate that these bits choose, if it is not too old at `now`.
    fn choose(&mut self, bits: u64, now: Timestamp) -> Option<&mut Option<(u64, Trade)>> {
        let place = usize::try_from(bits % CANDIDATES as u64).unwrap_or(0);
        let is_young = |(_, trade): &(u64, Trade)| trade.ts.plus_micros(AGE_MICROS_MAX) >= now;
        Some(&mut self.candidates[place]).filter(|candidate| candidate.as_ref().is_some_and(is_young))
    }
}

impl Amendments {
    /// Returns the amendments of this many of a million trades, and this many late trades with a million others, of a market with
    /// this many symbols.
    pub(super) fn new(symbols: usize, seed: u64, per_million_trades: u32, late_per_million_trades: u32) -> Self {
        let is_idle = per_million_trades == 0 && late_per_million_trades == 0;
        Self {
            amend: Chance::new(Noise::new(seed, Stream::Amendments), per_million_trades),
            report_late: Chance::new(Noise::new(seed, Stream::LateTrades), late_per_million_trades),
            recent: vec![Recent::default(); if is_idle { 0 } else { symbols }],
        }
    }

    /// Returns the amendment or the late trade that follows this trade of a symbol, if one does.
    pub(super) fn after(&mut self, index: usize, trade: &Trade) -> Option<EventBody> {
        let recent = self.recent.get_mut(index)?;
        recent.follow(trade);
        if self.amend.is_due() {
            let bits = self.amend.noise.bits();
            if let Some((trade_seq, wrong)) = recent.choose(bits, trade.ts).and_then(Option::take) {
                self.amend.begin_next();
                return Some(amendment(trade.ts, trade_seq, wrong, bits >> 8));
            }
        }
        if self.report_late.is_due() {
            let bits = self.report_late.noise.bits();
            let candidate = recent.choose(bits, trade.ts).and_then(|candidate| *candidate);
            // One second back its bar of a second has closed.
            let is_late = |(_, like): &(u64, Trade)| like.ts.plus_micros(LATE_MICROS_MIN) <= trade.ts;
            if let Some((_, like)) = candidate.filter(is_late) {
                self.report_late.begin_next();
                recent.seq += 1;
                let shares = u32::try_from(1 + (bits >> 8) % SHARES_MAX).unwrap_or(1);
                return Some(EventBody::Trade(Trade { size: Size::new(shares), ..like }));
            }
        }
        None
    }
}

/// Returns an amendment of a trade: as often a cancellation, a wrong price, and a wrong size.
fn amendment(ts: Timestamp, trade_seq: u64, trade: Trade, bits: u64) -> EventBody {
    let (choice, bits) = (bits % 3, bits >> 8);
    let (price, size) = (trade.price, trade.size);
    match choice {
        0 => {
            let kind = if bits.is_multiple_of(4) { CancelKind::Error } else { CancelKind::Cancelled };
            EventBody::Cancel(Cancel { ts, trade_seq, trade, kind }.into())
        }
        1 => EventBody::Correction(Correction { ts, trade_seq, trade, price: other_price(price, bits), size }.into()),
        _ => {
            let size = size + Size::from_shares(1 + bits % SHARES_MAX);
            EventBody::Correction(Correction { ts, trade_seq, trade, price, size }.into())
        }
    }
}

fn other_price(price: Price, bits: u64) -> Price {
    let cents = i64::try_from(1 + (bits >> 1) % CENTS_MAX).unwrap_or(1) * Price::UNITS_PER_CENT;
    let lower = price.units() - cents;
    let is_lower = bits.is_multiple_of(2) && lower >= PRICE_CENTS_MIN * Price::UNITS_PER_CENT;
    Price::from_units(if is_lower { lower } else { price.units() + cents })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn trade(number: i64) -> Trade {
        let (ts, price) = (Timestamp::from_micros(number * 1_000_000), Price::from_cents(10 + number % 7));
        Trade { ts, price, size: Size::new(1 + u32::try_from(number % 300).unwrap()) }
    }

    #[test]
    fn amendments_come_at_their_rate_of_recent_trades_each_at_most_once() {
        for (per_million, count) in [(200, 5_000_000), (10_000, 200_000)] {
            let (mut amendments, mut amended, mut cancels) = (Amendments::new(2, 7, per_million, 0), HashSet::new(), 0);
            for number in 1..=count {
                // Trade number n of the second symbol.
                let Some(body) = amendments.after(1, &trade(number)) else { continue };
                let (seq, wrong) = match body {
                    EventBody::Cancel(cancel) => {
                        cancels += 1;
                        (cancel.trade_seq, cancel.trade)
                    }
                    EventBody::Correction(correction) => {
                        assert_eq!(correction.ts, trade(number).ts);
                        assert_ne!(correction.corrected(), correction.trade);
                        assert!(correction.price >= Price::from_cents(PRICE_CENTS_MIN));
                        (correction.trade_seq, correction.trade)
                    }
                    other => panic!("{other:?}"),
                };
                let seq_of_trade = i64::try_from(seq).unwrap();
                assert_eq!(wrong, trade(seq_of_trade), "the trade with that number");
                assert!(number - seq_of_trade <= 45 && amended.insert(seq), "once");
            }
            let wanted = f64::from(per_million) / 1e6 * f64::from(i32::try_from(count).unwrap());
            let found = f64::from(u32::try_from(amended.len()).unwrap());
            assert!((found - wanted).abs() < 5.0 * wanted.sqrt(), "{found} {wanted}");
            assert!((f64::from(cancels) - wanted / 3.0).abs() < 5.0 * (wanted / 3.0).sqrt(), "{cancels} {wanted}");
        }
    }

    #[test]
    fn late_trades_come_at_their_rate_with_a_price_of_their_time_and_count_among_the_trades() {
        let (mut amendments, mut late, mut amended) = (Amendments::new(2, 7, 20_000, 10_000), 0, 0);
        for number in 1..=100_000 {
            match amendments.after(1, &trade(number)) {
                Some(EventBody::Trade(Trade { ts, price, .. })) => {
                    let age = number - ts.micros() / 1_000_000;
                    assert!((1..=45).contains(&age), "{age} seconds");
                    assert_eq!(price, trade(number - age).price);
                    late += 1;
                }
                Some(EventBody::Correction(correction)) => {
                    let before =
                        correction.trade_seq - u64::try_from(correction.trade.ts.micros() / 1_000_000).unwrap();
                    assert!(before <= late, "the seq counts late trades too");
                    amended += u64::from(before > 0);
                }
                _ => {}
            }
        }
        assert!((900..1_100).contains(&late) && amended > 100, "{late} {amended}");
    }

    #[test]
    fn without_a_rate_nothing_is_amended() {
        let mut amendments = Amendments::new(1, 7, 0, 0);
        assert!((0..100_000).all(|number| amendments.after(0, &trade(number)).is_none()));
    }
}
