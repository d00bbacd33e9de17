//! `Omissions`: the messages of a vendor that are not in a recording as they came, counted.

use std::fmt;

/// See the module. Displays as one line, without the numbers that are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omissions {
    /// Messages, or rests of frames, that cannot be read.
    pub bad: u64,
    /// Messages of unknown kinds.
    pub unknown: u64,
    /// Quotes without a bid or an ask.
    pub one_sided: u64,
    /// Trades or bars of no shares.
    pub no_volume: u64,
    /// Corrections and cancellations of trades that are not known.
    pub amendments: u64,
    /// Events of names that are no symbols.
    pub names: u64,
    /// Events that were recorded with prices rounded to four decimals, or sizes to six.
    pub rounded: u64,
}

impl Omissions {
    /// Returns whether every message is recorded as it came.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Omissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.bad, "messages that cannot be read"),
            (self.unknown, "messages of other kinds"),
            (self.one_sided, "quotes without a bid or an ask"),
            (self.no_volume, "trades or bars of no shares"),
            (self.amendments, "corrections and cancellations of trades that are not known"),
            (self.names, "events of names that are no symbols"),
            (self.rounded, "events with rounded numbers"),
        ];
        let some: Vec<_> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(count, name)| format!("{count} {name}")).collect();
        write!(f, "not recorded, or rounded: {}", some.join(", "))
    }
}
