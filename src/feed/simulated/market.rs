//! Mid prices: correlated geometric Brownian motion, sampled only when a price is needed.
//!
//! The logarithm of each price is the sum of a market factor, a sector factor and noise of its own, each a Brownian
//! motion without drift. `book` derives bids and asks from the mid price, `simulated` the events.

use crate::domain::Price;
use crate::feed::simulated::instruments::{Listing, sectors};
use crate::feed::simulated::noise::{Noise, Stream};

/// The part of each symbol's variance that all symbols share: the correlation of two symbols of different sectors.
pub(super) const MARKET_SHARE: f64 = 0.30;
/// The part that the symbols of one sector share. Added to the market's part: the correlation of two symbols of one
/// sector.
pub(super) const SECTOR_SHARE: f64 = 0.25;

/// A year in microseconds. The simulated market never closes, so the year has 365 days of 24 hours, and the price moves
/// less in a second than with a year of 252 days of 6.5 hours.
const YEAR_MICROS: f64 = 365.0 * 86_400.0 * 1e6;

/// Smallest mid price, in cents: a path below it is cut off here.
const MID_CENTS_MIN: f64 = 10.0;
/// Largest mid price, in cents: far below the limit of exact integers in `f64`.
const MID_CENTS_MAX: f64 = 1e10;

/// Returns the standard deviation, over this many microseconds, of a Brownian motion with standard deviation 1 over a
/// year.
#[expect(clippy::cast_precision_loss, reason = "a rounding error of 1e-16 of the time that has passed")]
pub(super) fn deviation(micros: i64) -> f64 {
    (micros as f64 / YEAR_MICROS).sqrt()
}

/// Returns the mid price in cents at this logarithmic distance from the start price.
pub(super) fn mid_cents(start_cents_ln: f64, change_ln: f64) -> f64 {
    libm::exp(start_cents_ln + change_ln).clamp(MID_CENTS_MIN, MID_CENTS_MAX)
}

/// Returns the natural logarithm of the price in cents.
pub(super) fn cents_ln(price: Price) -> f64 {
    libm::log(price.to_dollars() * 100.0)
}

/// The factor loadings of one symbol: how much each factor contributes to the logarithm of the price, per unit of the
/// factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loadings {
    /// Of the market.
    pub(super) market: f64,
    /// Of the sector.
    pub(super) sector: f64,
    /// Of the symbol's own noise.
    pub(super) own: f64,
}

impl Loadings {
    /// Returns the loadings that result in this yearly volatility.
    pub(super) fn new(volatility: f64) -> Self {
        Self {
            market: volatility * MARKET_SHARE.sqrt(),
            sector: volatility * SECTOR_SHARE.sqrt(),
            own: volatility * (1.0 - MARKET_SHARE - SECTOR_SHARE).sqrt(),
        }
    }
}

/// A Brownian motion with standard deviation 1 over a year, sampled at moments. A step between two samples is normal
/// with variance proportional to the time between, so a low sampling rate is exact, too.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    value: f64,
    elapsed_micros: i64,
}

impl Path {
    fn advance(&mut self, elapsed_micros: i64, noise: &mut Noise) -> f64 {
        self.value += noise.normal() * deviation(elapsed_micros - self.elapsed_micros);
        self.elapsed_micros = elapsed_micros;
        self.value
    }
}

#[derive(Clone, Debug)]
struct Security {
    start_cents_ln: f64,
    loadings: Loadings,
    sector: usize,
    own: Path,
}

/// The paths of all symbols.
#[derive(Clone, Debug)]
pub(super) struct Market {
    noise: Noise,
    factor: Path,
    sectors: Vec<Path>,
    securities: Vec<Security>,
}

impl Market {
    /// Returns a market in which every symbol is at its start price.
    pub(super) fn new(listings: &[Listing], seed: u64) -> Self {
        let (numbers, names) = sectors(listings);
        let securities = listings.iter().zip(numbers).map(|(listing, sector)| Security {
            start_cents_ln: cents_ln(listing.start_price),
            loadings: Loadings::new(listing.volatility),
            sector,
            own: Path::default(),
        });
        Self {
            noise: Noise::new(seed, Stream::Prices),
            factor: Path::default(),
            sectors: vec![Path::default(); names.len()],
            securities: securities.collect(),
        }
    }

    /// Returns the mid price of a symbol in cents, this many microseconds after the start; the time must not decrease.
    pub(super) fn mid_cents(&mut self, index: usize, elapsed_micros: i64) -> f64 {
        let change_ln = self.change_ln(index, elapsed_micros);
        mid_cents(self.securities[index].start_cents_ln, change_ln)
    }

    fn change_ln(&mut self, index: usize, elapsed_micros: i64) -> f64 {
        let security = &mut self.securities[index];
        let Loadings { market, sector, own } = security.loadings;
        market * self.factor.advance(elapsed_micros, &mut self.noise)
            + sector * self.sectors[security.sector].advance(elapsed_micros, &mut self.noise)
            + own * security.own.advance(elapsed_micros, &mut self.noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::simulated::instruments::listings;

    /// Changes of three symbols over steps of one minute, each step sampled this many times.
    fn changes(symbols: [usize; 3], steps: i64, looks: i64) -> Vec<[f64; 3]> {
        let mut market = Market::new(&listings(0).unwrap(), 5);
        let mut last = [0.0; 3];
        let mut rows = Vec::new();
        for step in 1..=steps * looks {
            let next = symbols.map(|symbol| market.change_ln(symbol, step * 60_000_000 / looks));
            if step % looks == 0 {
                rows.push([next[0] - last[0], next[1] - last[1], next[2] - last[2]]);
                last = next;
            }
        }
        rows
    }

    fn correlation(rows: &[[f64; 3]], left: usize, right: usize) -> f64 {
        let sum = |a: usize, b: usize| rows.iter().map(|row| row[a] * row[b]).sum::<f64>();
        sum(left, right) / (sum(left, left) * sum(right, right)).sqrt()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand rows")]
    fn volatility_and_correlations_are_those_promised_at_any_sampling_rate() {
        let listings = listings(0).unwrap();
        let symbols = [0, 1, 7];
        for looks in [1, 3] {
            let rows = changes(symbols, 40_000, looks);
            for (column, symbol) in symbols.into_iter().enumerate() {
                let variance = rows.iter().map(|row| row[column] * row[column]).sum::<f64>() / rows.len() as f64;
                let volatility = variance.sqrt() / deviation(60_000_000);
                let promised = listings[symbol].volatility;
                assert!((volatility / promised - 1.0).abs() < 0.02, "{looks} {symbol} {volatility} {promised}");
            }
            let (same, other) = (correlation(&rows, 0, 1), correlation(&rows, 0, 2));
            assert!((same - MARKET_SHARE - SECTOR_SHARE).abs() < 0.03, "{looks} {same}");
            assert!((other - MARKET_SHARE).abs() < 0.03, "{looks} {other}");
        }
    }

    #[test]
    fn a_price_stays_between_its_minimum_and_its_maximum() {
        for (change_ln, cents) in [(-1e3, MID_CENTS_MIN), (1e3, MID_CENTS_MAX), (f64::INFINITY, MID_CENTS_MAX)] {
            assert!((mid_cents(9.9, change_ln) - cents).abs() < 1e-9);
        }
    }
}
