//! The order book of one symbol, best bid and ask only: their distance from the mid price, and the sizes of orders and
//! trades.
//!
//! `market` computes the mid price, `arrivals` the times of the events.

use crate::domain::{Price, Quote, Size, Timestamp, Trade};
use crate::feed::simulated::instruments::{Listing, weight_mean};
use crate::feed::simulated::market::cents_ln;
use crate::feed::simulated::noise::{Noise, Stream};

/// Mean spread of a symbol of mean weight, relative to its price: 0.8 basis points.
const SPREAD_RATIO: f64 = 0.8e-4;
/// Smallest mean spread, in cents.
const SPREAD_CENTS_MIN: f64 = 1.1;
/// Smallest bid, in cents.
const BID_CENTS_MIN: i64 = 10;
/// Median value of a trade, in cents.
const TRADE_CENTS_MEDIAN: f64 = 12_000e2;
/// Standard deviation of the logarithm of the size of a trade.
pub(super) const SHARES_LN_DEVIATION: f64 = 1.1;
/// Largest size of a trade, in shares.
const SHARES_MAX: f64 = 1e6;
/// Median value of a resting order, in cents.
const ORDER_CENTS_MEDIAN: f64 = 50_000e2;
/// Standard deviation of the logarithm of the size of an order.
const LOTS_LN_DEVIATION: f64 = 0.7;
/// Largest size of an order, in round lots.
const LOTS_MAX: f64 = 1e4;
/// Shares in a round lot.
const LOT_SHARES: u32 = 100;

/// Best bid and ask of one symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Book {
    spread_ratio: f64,
    lots_median_ln: f64,
    /// Logarithm of the median size of a trade, in shares.
    pub(super) shares_median_ln: f64,
    /// The present quote.
    pub(super) quote: Quote,
}

impl Book {
    /// Returns the books of all symbols at the start, and the random numbers for their further changes.
    pub(super) fn all(listings: &[Listing], seed: u64, start: Timestamp) -> (Vec<Self>, Noise) {
        let mut noise = Noise::new(seed, Stream::Orders);
        let weight_mean = weight_mean(listings);
        let books = listings.iter().map(|listing| Self::new(listing, weight_mean, start, &mut noise));
        (books.collect(), noise)
    }

    /// Symbols with much trading have narrow spreads; expensive symbols have wide spreads and small sizes.
    fn new(listing: &Listing, weight_mean: f64, start: Timestamp, noise: &mut Noise) -> Self {
        let start_cents_ln = cents_ln(listing.start_price);
        let quiet = (weight_mean / listing.weight).sqrt().clamp(0.6, 2.0);
        let mut book = Self {
            spread_ratio: SPREAD_RATIO * quiet,
            lots_median_ln: (libm::log(ORDER_CENTS_MEDIAN / f64::from(LOT_SHARES)) - start_cents_ln).clamp(0.0, 3.0),
            shares_median_ln: (libm::log(TRADE_CENTS_MEDIAN) - start_cents_ln).clamp(2.3, 6.0),
            quote: Quote {
                ts: start,
                bid: Price::default(),
                bid_size: Size::default(),
                ask: Price::default(),
                ask_size: Size::default(),
            },
        };
        book.requote(libm::exp(start_cents_ln), start, noise);
        book
    }

    /// Returns the mean spread at this mid price, in cents.
    pub(super) fn spread_cents(&self, mid_cents: f64) -> f64 {
        (mid_cents * self.spread_ratio).max(SPREAD_CENTS_MIN)
    }

    /// Sets bid and ask around the mid price. At least one of the four values changes.
    pub(super) fn requote(&mut self, mid_cents: f64, ts: Timestamp, noise: &mut Noise) {
        let mean = self.spread_cents(mid_cents);
        let spread = nearest(mean * (0.5 + noise.uniform())).max(1);
        // Quotes flicker: the middle between bid and ask deviates from the mid price by up to half a spread.
        let middle = mid_cents + mean * (noise.uniform() - 0.5);
        #[expect(clippy::cast_precision_loss, reason = "a spread in cents is far below 2^53")]
        let bid = nearest(middle - spread as f64 / 2.0).max(BID_CENTS_MIN);
        let (bid, ask) = (Price::from_cents(bid), Price::from_cents(bid + spread));
        let moved = [bid != self.quote.bid, ask != self.quote.ask];
        let resized = if moved == [false, false] { noise.bits() & 1 } else { 2 };
        if moved[0] || resized == 0 {
            self.quote.bid_size = self.order_size(self.quote.bid_size, noise);
        }
        if moved[1] || resized == 1 {
            self.quote.ask_size = self.order_size(self.quote.ask_size, noise);
        }
        self.quote = Quote { ts, bid, ask, ..self.quote };
    }

    /// Returns a trade at the present bid or ask.
    pub(super) fn trade(&self, ts: Timestamp, noise: &mut Noise) -> Trade {
        let price = if noise.bits() & 1 == 0 { self.quote.bid } else { self.quote.ask };
        Trade { ts, price, size: self.trade_size(noise) }
    }

    /// Returns the size of a trade: log-normal, at least one share.
    pub(super) fn trade_size(&self, noise: &mut Noise) -> Size {
        Size::new(whole(libm::exp(self.shares_median_ln + SHARES_LN_DEVIATION * noise.normal()), SHARES_MAX))
    }

    /// Returns the size of an order: log-normal in round lots, and different from `before`.
    fn order_size(&self, before: Size, noise: &mut Noise) -> Size {
        let lots = whole(libm::exp(self.lots_median_ln + LOTS_LN_DEVIATION * noise.normal()), LOTS_MAX);
        let size = lots * LOT_SHARES;
        let size = Size::new(size);
        if size == before { size + Size::new(LOT_SHARES) } else { size }
    }
}

/// Returns the nearest whole number to a positive one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "prices end at 1e10 cents; the sum is cut to the whole part on purpose"
)]
pub(super) fn nearest(positive: f64) -> i64 {
    (positive + 0.5) as i64
}

/// Returns the nearest whole number from 1 to `max`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32 before")]
fn whole(positive: f64, max: f64) -> u32 {
    (positive + 0.5).clamp(1.0, max) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::simulated::instruments::listings;
    use proptest::prelude::*;

    fn book(index: usize) -> (Book, Noise) {
        let (books, noise) = Book::all(&listings(0).unwrap(), 3, Timestamp::default());
        (books[index], noise)
    }

    proptest! {
        #[test]
        fn a_book_is_valid_at_any_price(mid_cents in 10.0..1e10_f64, index in 0_usize..30, seed: u64) {
            let (mut book, _) = book(index);
            let mut noise = Noise::new(seed, Stream::Orders);
            for _ in 0..20 {
                let before = book.quote;
                book.requote(mid_cents, Timestamp::default(), &mut noise);
                let Quote { bid, bid_size, ask, ask_size, .. } = book.quote;
                prop_assert!(bid >= Price::from_cents(BID_CENTS_MIN));
                prop_assert!(ask.units() >= bid.units() + Price::UNITS_PER_CENT);
                prop_assert_eq!((bid.units() % 100, ask.units() % 100), (0, 0));
                prop_assert_ne!(book.quote, before);
                for size in [bid_size, ask_size] {
                    prop_assert!(size.shares() >= u64::from(LOT_SHARES) && size.shares() % u64::from(LOT_SHARES) == 0);
                }
                let trade = book.trade(Timestamp::default(), &mut noise);
                prop_assert!(trade.price == bid || trade.price == ask);
                prop_assert!(trade.size.shares() >= 1);
            }
        }
    }

    #[test]
    fn symbols_with_much_trading_have_spreads_of_one_to_three_cents_and_expensive_ones_more() {
        let listings = listings(0).unwrap();
        let mean = |index: usize| {
            let (mut book, mut noise) = book(index);
            let mid_cents = listings[index].start_price.to_dollars() * 100.0;
            let spreads = (0..2_000).map(|_| {
                book.requote(mid_cents, Timestamp::default(), &mut noise);
                (book.quote.ask.to_dollars() - book.quote.bid.to_dollars()) * 100.0
            });
            spreads.sum::<f64>() / 2_000.0
        };
        let (apple, costco) = (mean(0), mean(18));
        assert!((1.0..3.0).contains(&apple), "{apple}");
        assert!((4.0..20.0).contains(&costco), "{costco}");
    }
}
