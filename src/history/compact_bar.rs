//! `CompactBar`: a closed bar in 32 bytes instead of 72, because millions of them are stored.

use std::num::NonZeroU32;

use crate::domain::{Bar, Price, Size, Timestamp};

/// A bar without loss of precision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactBar(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Nearly every bar: it begins at a full second from 1970 to 2106, prices are at most 429,496 dollars, volume a whole
    /// number, volume and trades below 2^32.
    Small(SmallBar),
    /// Any other bar.
    Whole(Box<Bar>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SmallBar {
    second: u32,
    /// Open, high, low, close, average; in units.
    prices: [u32; 5],
    volume: u32,
    trades: NonZeroU32,
}

/// Microseconds in a second.
const SECOND_MICROS: i64 = 1_000_000;

impl SmallBar {
    fn new(bar: &Bar) -> Option<Self> {
        let micros = bar.ts.micros();
        let price = |price: Price| u32::try_from(price.units()).ok();
        Some(Self {
            second: u32::try_from(micros / SECOND_MICROS).ok().filter(|_| micros % SECOND_MICROS == 0)?,
            prices: [price(bar.open)?, price(bar.high)?, price(bar.low)?, price(bar.close)?, price(bar.vwap)?],
            volume: u32::try_from(bar.volume.whole()?).ok()?,
            trades: NonZeroU32::new(u32::try_from(bar.trades).ok()?)?,
        })
    }
}

impl From<&Bar> for CompactBar {
    fn from(bar: &Bar) -> Self {
        Self(SmallBar::new(bar).map_or_else(|| Form::Whole(Box::new(*bar)), Form::Small))
    }
}

impl From<&CompactBar> for Bar {
    fn from(kept: &CompactBar) -> Self {
        let small = match &kept.0 {
            Form::Whole(bar) => return **bar,
            Form::Small(small) => small,
        };
        let [open, high, low, close, vwap] = small.prices.map(|units| Price::from_units(i64::from(units)));
        Self {
            ts: kept.ts(),
            open,
            high,
            low,
            close,
            volume: Size::new(small.volume),
            trades: u64::from(small.trades.get()),
            vwap,
        }
    }
}

impl CompactBar {
    /// Returns the start of the bar.
    pub fn ts(&self) -> Timestamp {
        match &self.0 {
            Form::Small(small) => Timestamp::from_micros(i64::from(small.second) * SECOND_MICROS),
            Form::Whole(bar) => bar.ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::config::BAR_BYTES;
    use proptest::prelude::*;

    #[test]
    fn a_compact_bar_has_the_size_that_the_bounds_assume() {
        assert_eq!(size_of::<CompactBar>(), BAR_BYTES);
    }

    proptest! {
        #[test]
        fn a_compact_bar_is_exact(
            ts in prop::sample::select(vec![0, 1_772_463_845_000_000, 4_294_967_296_000_000, -1_000_000, 1_500_000]),
            price in prop::sample::select(vec![0, 2_013_700, 4_294_967_295, 4_294_967_296, -1]),
            volume in prop::sample::select(vec![0, 7, 4_294_967_295, 4_294_967_296]),
            micros in prop::sample::select(vec![0, 1, 500_000]),
            trades in prop::sample::select(vec![0, 1, 4_294_967_295, 4_294_967_296]),
        ) {
            let price = Price::from_units(price);
            let other = Price::from_units(price.units() / 2);
            let ts = Timestamp::from_micros(ts);
            let volume = Size::from_shares(volume) + Size::from_micros(micros);
            let bar = Bar { ts, open: price, high: price, low: other, close: other, volume, trades, vwap: price };
            let kept = CompactBar::from(&bar);
            prop_assert_eq!(kept.ts(), ts);
            prop_assert_eq!(Bar::from(&kept), bar);
        }
    }
}
