//! `Price`: money in fixed point. Dialects format it.

use std::fmt;
use std::str::FromStr;

/// A price per share in fixed point: whole units of 1e-4 US dollar, so that sums and comparisons are exact.
///
/// Displays with at least two decimals and at most four, never with a rounding error.
///
/// ```
/// use tickcast_core::domain::Price;
/// assert_eq!(Price::from_cents(20_137).to_string(), "201.37");
/// assert_eq!(Price::from_units(2_013_725).to_string(), "201.3725");
/// assert_eq!("199.8".parse::<Price>().unwrap().to_string(), "199.80");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

impl Price {
    /// Units in one US dollar.
    pub const UNITS_PER_DOLLAR: i64 = 10_000;
    /// Units in one cent, the tick of US shares above one dollar (SEC Rule 612).
    pub const UNITS_PER_CENT: i64 = 100;

    /// Returns the price of `units` times 1e-4 US dollar.
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Returns the price of this many whole cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents * Self::UNITS_PER_CENT)
    }

    /// Returns the price in units of 1e-4 US dollar.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Returns the price in US dollars as the nearest `f64`, for approximate arithmetic. Never send it: it has a
    /// rounding error.
    #[expect(clippy::cast_precision_loss, reason = "approximate by contract")]
    pub fn to_dollars(self) -> f64 {
        self.0 as f64 / Self::UNITS_PER_DOLLAR as f64
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let (dollars, fraction) = (units / 10_000, units % 10_000);
        if fraction % 100 == 0 {
            write!(f, "{sign}{dollars}.{:02}", fraction / 100)
        } else if fraction % 10 == 0 {
            write!(f, "{sign}{dollars}.{:03}", fraction / 10)
        } else {
            write!(f, "{sign}{dollars}.{fraction:04}")
        }
    }
}

/// The reason why a text is not a [`Price`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceError {
    /// Not of the form `digits[.digits]`.
    Malformed,
    /// More than four decimals.
    TooPrecise,
    /// More dollars than a `Price` can hold.
    TooLarge,
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a decimal number",
            Self::TooPrecise => "more than four decimals",
            Self::TooLarge => "too large for a price",
        })
    }
}

impl std::error::Error for PriceError {}

impl FromStr for Price {
    type Err = PriceError;

    /// Parses a non-negative decimal such as `201.37`.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (dollars, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(dollars) || !digits(fraction) {
            return Err(PriceError::Malformed);
        }
        if fraction.len() > 4 {
            return Err(PriceError::TooPrecise);
        }
        let dollars: i64 = dollars.parse().map_err(|_| PriceError::TooLarge)?;
        let fraction: i64 = format!("{fraction:0<4}").parse().map_err(|_| PriceError::Malformed)?;
        let units = dollars.checked_mul(Self::UNITS_PER_DOLLAR).and_then(|units| units.checked_add(fraction));
        units.map(Self).ok_or(PriceError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_prints_two_to_four_exact_decimals() {
        for (units, text) in [
            (0, "0.00"),
            (1, "0.0001"),
            (10, "0.001"),
            (100, "0.01"),
            (1_998_000, "199.80"),
            (2_013_725, "201.3725"),
            (2_013_720, "201.372"),
            (-15_000, "-1.50"),
            (i64::MAX, "922337203685477.5807"),
        ] {
            assert_eq!(Price::from_units(units).to_string(), text);
        }
    }

    #[test]
    fn parsing_is_the_inverse_of_printing_and_refuses_malformed_prices() {
        for units in [0, 1, 99, 100, 2_013_725, i64::MAX] {
            assert_eq!(Price::from_units(units).to_string().parse(), Ok(Price::from_units(units)));
        }
        for text in ["", ".", "1.", ".5", "-1", "1e3", "NaN", "1.2.3", " 1"] {
            assert_eq!(text.parse::<Price>(), Err(PriceError::Malformed), "{text}");
        }
        assert_eq!("1.23456".parse::<Price>(), Err(PriceError::TooPrecise));
        assert_eq!("922337203685477.5808".parse::<Price>(), Err(PriceError::TooLarge));
        assert_eq!("99999999999999999999".parse::<Price>(), Err(PriceError::TooLarge));
    }
}
