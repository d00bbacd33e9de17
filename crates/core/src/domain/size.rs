//! `Size`: a quantity of shares in fixed point, because trades may be of fractions of a share.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

/// A quantity of shares in fixed point: whole millionths of a share, so that sums and comparisons are exact. At most
/// 18,446,744,073,709.551615 shares; a sum beyond that is that.
///
/// Displays as an integer if it is one, else with at most six decimals, never with a rounding error.
///
/// ```
/// use tickcast_core::domain::Size;
/// assert_eq!(Size::new(40).to_string(), "40");
/// assert_eq!(Size::from_micros(10_500_000).to_string(), "10.5");
/// assert_eq!("0.000001".parse(), Ok(Size::from_micros(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// Millionths in one share.
    pub const MICROS_PER_SHARE: u64 = 1_000_000;

    /// Returns the size of this many whole shares.
    pub const fn new(shares: u32) -> Self {
        Self(shares as u64 * Self::MICROS_PER_SHARE)
    }

    /// Returns the size of this many whole shares, or the greatest size.
    pub const fn from_shares(shares: u64) -> Self {
        Self(shares.saturating_mul(Self::MICROS_PER_SHARE))
    }

    /// Returns the size of this many millionths of a share.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the size in millionths of a share.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Returns the number of whole shares; a fraction is left out.
    pub const fn shares(self) -> u64 {
        self.0 / Self::MICROS_PER_SHARE
    }

    /// Returns the number of shares, or `None` if the size has a fraction of a share.
    pub const fn whole(self) -> Option<u64> {
        if self.0.is_multiple_of(Self::MICROS_PER_SHARE) { Some(self.shares()) } else { None }
    }

    /// Returns the number of shares as the nearest `f64`: exact to a millionth below 9 billion shares.
    #[expect(clippy::cast_precision_loss, reason = "approximate by contract")]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::MICROS_PER_SHARE as f64
    }

    /// Returns the difference, or 0 if `other` is greater.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.shares();
        let mut fraction = self.0 % Self::MICROS_PER_SHARE;
        if fraction == 0 {
            return shares.fmt(f);
        }
        let mut digits = 6;
        while fraction.is_multiple_of(10) {
            (fraction, digits) = (fraction / 10, digits - 1);
        }
        write!(f, "{shares}.{fraction:0digits$}")
    }
}

/// The reason why a text is not a [`Size`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeError {
    /// Not of the form `digits[.digits]`.
    Malformed,
    /// More than six decimals that are not 0.
    TooPrecise,
    /// More shares than a `Size` can hold.
    TooLarge,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a decimal number",
            Self::TooPrecise => "more than six decimals",
            Self::TooLarge => "too large for a size",
        })
    }
}

impl std::error::Error for SizeError {}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let (shares, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(shares) || !is_digits(fraction) {
            return Err(SizeError::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(SizeError::TooPrecise);
        }
        let shares: u64 = shares.parse().map_err(|_| SizeError::TooLarge)?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| SizeError::Malformed)?;
        let micros = shares.checked_mul(Self::MICROS_PER_SHARE).and_then(|micros| micros.checked_add(fraction));
        micros.map(Self).ok_or(SizeError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_prints_as_an_integer_or_with_its_decimals() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (500_000, "0.5"),
            (1_000_000, "1"),
            (10_010_000, "10.01"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            assert_eq!(Size::from_micros(micros).to_string(), text);
        }
        assert_eq!("10.000000000".parse(), Ok(Size::new(10)), "files have more zeros");
    }

    #[test]
    fn malformed_sizes_are_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "NaN", "1.2.3", " 1", "1_000"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError::Malformed), "{text}");
        }
        assert_eq!("0.0000001".parse::<Size>(), Err(SizeError::TooPrecise));
        for text in ["18446744073709.551616", "99999999999999999999"] {
            assert_eq!(text.parse::<Size>(), Err(SizeError::TooLarge), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_the_inverse_of_printing(micros: u64) {
            let size = Size::from_micros(micros);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
            prop_assert_eq!(size.whole().is_some(), !size.to_string().contains('.'));
        }

        #[test]
        fn a_sum_of_fractions_is_exact(micros in prop::collection::vec(0..1_u64 << 40, 0..50)) {
            let sum: Size = micros.iter().copied().map(Size::from_micros).sum();
            prop_assert_eq!(sum.micros(), micros.iter().sum::<u64>());
        }
    }
}
