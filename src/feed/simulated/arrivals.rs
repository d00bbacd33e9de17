//! Times of events: when the next event happens, of which symbol, and whether it is a trade or a quote.
//!
//! One Poisson process, split at random, which gives an independent Poisson process for every symbol and kind. `book`
//! computes the prices and sizes of an event.

use crate::feed::simulated::instruments::Listing;
use crate::feed::simulated::noise::{Noise, Stream};

/// Longest time between two events, in microseconds: 31 years.
const GAP_MICROS_MAX: f64 = 1e15;

/// Time, symbol and kind of one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Microseconds since the start of the stream.
    pub(super) elapsed_micros: i64,
    /// Index of the symbol.
    pub(super) index: usize,
    /// True for a quote, false for a trade.
    pub(super) is_quote: bool,
}

/// The arrivals of all events, in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    noise: Noise,
    gap_micros_mean: f64,
    quote_probability: f64,
    symbols: AliasTable,
    elapsed_micros: i64,
    /// The fraction of a microsecond that is left over, carried to the next arrival so that rounding errors do not add
    /// up.
    elapsed_fraction: f64,
}

impl Arrivals {
    /// Returns arrivals with this mean rate (events per second, above 0), split over the symbols by weight, and over
    /// the kinds so that `quotes_per_trade` quotes come per trade on average.
    pub(super) fn new(listings: &[Listing], seed: u64, events_per_second: f64, quotes_per_trade: f64) -> Self {
        Self {
            noise: Noise::new(seed, Stream::Arrivals),
            gap_micros_mean: 1e6 / events_per_second,
            quote_probability: quotes_per_trade / (1.0 + quotes_per_trade),
            symbols: AliasTable::new(&listings.iter().map(|listing| listing.weight).collect::<Vec<_>>()),
            elapsed_micros: 0,
            elapsed_fraction: 0.0,
        }
    }

    /// Returns the next arrival.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a gap is below 2^53")]
    pub(super) fn draw(&mut self) -> Arrival {
        let gap = self.elapsed_fraction + (self.gap_micros_mean * self.noise.exponential()).min(GAP_MICROS_MAX);
        let whole = gap as i64;
        self.elapsed_fraction = gap - whole as f64;
        self.elapsed_micros = self.elapsed_micros.saturating_add(whole);
        Arrival {
            elapsed_micros: self.elapsed_micros,
            index: self.symbols.pick(self.noise.bits()),
            is_quote: self.noise.uniform() < self.quote_probability,
        }
    }
}

/// Draws an index with given probabilities in constant time: Vose's form of Walker's alias method.
#[derive(Clone, Debug)]
struct AliasTable {
    cells: Vec<Cell>,
}

/// One of n equally likely cells for n indices; each cell is divided between at most two of them.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The part of the cell for its own index, in 2^-32.
    own_part: u64,
    /// The index for the rest of the cell.
    alias: usize,
}

impl AliasTable {
    #[expect(clippy::cast_precision_loss, reason = "weights are counted in thousands")]
    fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut parts: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut cells: Vec<Cell> = (0..weights.len()).map(|alias| Cell { own_part: 1 << 32, alias }).collect();
        let (mut small, mut large): (Vec<_>, Vec<_>) = (0..weights.len()).partition(|index| parts[*index] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            cells[poor] = Cell { own_part: fixed_point(parts[poor]), alias: rich };
            parts[rich] -= 1.0 - parts[poor];
            if parts[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { cells }
    }

    /// Returns the index for these random bits.
    fn pick(&self, bits: u64) -> usize {
        let index = (((bits >> 32) * self.cells.len() as u64) >> 32) as usize;
        let cell = self.cells[index];
        if bits & 0xffff_ffff < cell.own_part { index } else { cell.alias }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part is from 0 to 1")]
fn fixed_point(part: f64) -> u64 {
    (part * 4_294_967_296.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the probabilities that the table implements.
    #[expect(clippy::cast_precision_loss, reason = "parts of 2^-32")]
    fn odds(table: &AliasTable) -> Vec<f64> {
        let mut odds = vec![0.0; table.cells.len()];
        for (index, cell) in table.cells.iter().enumerate() {
            let own = cell.own_part as f64 / 4_294_967_296.0 / table.cells.len() as f64;
            odds[index] += own;
            odds[cell.alias] += 1.0 / table.cells.len() as f64 - own;
        }
        odds
    }

    proptest! {
        #[test]
        fn the_alias_table_gives_each_index_its_probability(weights in prop::collection::vec(0.01..100.0_f64, 1..600)) {
            let total: f64 = weights.iter().sum();
            for (odds, weight) in odds(&AliasTable::new(&weights)).into_iter().zip(&weights) {
                prop_assert!((odds - weight / total).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn every_cell_can_be_drawn_and_nothing_else() {
        let table = AliasTable::new(&[1.0, 2.0, 3.0]);
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|bits| table.pick(bits) < 3), [true; 3]);
        let last = AliasTable::new(&[1.0]);
        assert_eq!([0, u64::MAX].map(|bits| last.pick(bits)), [0, 0]);
    }
}
