//! The section `[history]` of the configuration.

use serde::Deserialize;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    /// Newest events that are kept for cursors. 1 to 16,777,216.
    pub events_max: usize,
    /// Closed bars that are kept of each symbol and interval. At least 1, at most 100,000.
    pub bars_max: usize,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { events_max: 262_144, bars_max: 3_000 }
    }
}

impl HistoryConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { events_max: 0 | 16_777_217.., .. } => Err(("history.events_max", "must be 1 to 16777216")),
            Self { bars_max: 0 | 100_001.., .. } => Err(("history.bars_max", "must be 1 to 100000")),
            _ => Ok(()),
        }
    }
}
