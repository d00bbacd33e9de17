//! The values that times, prices and bars of every format may have.

use tickcast_core::domain::{Price, Timestamp};

use crate::error::Bad;
use crate::row::InputBar;

/// Times that are read: of the years 1800 to 2261, in microseconds since 1970. They have a date in New York, and fit into nanoseconds.
const MICROS: std::ops::Range<i64> = -5_364_662_400_000_000..9_214_646_400_000_000;
/// Highest price, in units of 1e-4: a billion. DBN has room for nine times as much.
const PRICE_UNITS_MAX: i64 = 1_000_000_000 * Price::UNITS_PER_DOLLAR;
/// A description of prices for messages.
pub(crate) const A_PRICE: &str = "a price: a decimal number with a point, above 0 and at most 1,000,000,000";

/// A description of sizes for messages.
pub(crate) const A_SIZE: &str = "a size: a decimal number from 0 to 9,000,000,000,000";

/// Returns the time, or `None` if it is not in the years that are read.
pub(crate) fn time(micros: i64) -> Option<Timestamp> {
    MICROS.contains(&micros).then_some(Timestamp::from_micros(micros))
}

/// Returns whether a price of so many units is above 0 and at most the highest.
pub(crate) fn is_price(units: i64) -> bool {
    (1..=PRICE_UNITS_MAX).contains(&units)
}

/// Returns a price above 0, or the mistake in this text.
pub(crate) fn price(units: i64, text: &[u8]) -> Result<Price, Bad> {
    if is_price(units) { Ok(Price::from_units(units)) } else { Err(Bad::cell(text, A_PRICE)) }
}

/// Checks that the prices of a bar enclose each other.
pub(crate) fn check_bar(bar: &InputBar) -> Result<(), Bad> {
    for (name, price) in [("open", bar.open), ("close", bar.close)] {
        if price > bar.high {
            return Err(Bad::cell(bar.high.to_string().as_bytes(), format!("at least {name}, {price}")).at("high"));
        }
        if price < bar.low {
            return Err(Bad::cell(bar.low.to_string().as_bytes(), format!("at most {name}, {price}")).at("low"));
        }
    }
    Ok(())
}

/// Returns the length of a bar of Databento by the type of its record, in microseconds.
pub(crate) fn span_of_rtype(rtype: u8) -> Option<i64> {
    let seconds = match rtype {
        dbn::rtype::OHLCV_1S => 1,
        dbn::rtype::OHLCV_1M => 60,
        dbn::rtype::OHLCV_1H => 3_600,
        dbn::rtype::OHLCV_1D | dbn::rtype::OHLCV_EOD => 86_400,
        _ => return None,
    };
    Some(seconds * 1_000_000)
}
