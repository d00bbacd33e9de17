//! The section `[feed.publish]` of the configuration.

use std::collections::HashSet;

use serde::Deserialize;

use crate::domain::{Instrument, Symbol, SymbolTable};
use crate::feed::replay::list;

/// Most symbols of a table.
const SYMBOLS_MAX: usize = 100_000;

/// The rules for the events of publishers. docs/PUBLISH.md describes them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// The symbols with which the market begins. In a variable of the environment separated by commas.
    #[serde(deserialize_with = "list")]
    pub symbols: Vec<String>,
    /// Whether a publisher adds a symbol to the market with its first event.
    pub new_symbols: bool,
    /// Most events of one request or message. 1 to 100,000.
    pub events_max: usize,
    /// Longest body of a request, in bytes: 1,024 to 67,108,864.
    pub body_bytes_max: usize,
    /// Most requests that a worker reads at the same time. 1 to 1,024.
    pub requests_max: usize,
    /// How much older than the server's clock an event may be, in milliseconds: 1,000 to 604,800,000.
    pub ts_off_max_ms: u64,
    /// How much ahead of the server's clock an event may be, in milliseconds: 0 to 86,400,000.
    pub ts_ahead_max_ms: u64,
    /// Most requests of each publisher whose answers are remembered for `Idempotency-Key`. 1 to 1,000,000.
    pub idempotency_keys_max: usize,
    /// How long an answer is remembered, in milliseconds: 1,000 to 604,800,000.
    pub idempotency_ttl_ms: u64,
}

impl Default for PublishConfig {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            new_symbols: true,
            events_max: 10_000,
            body_bytes_max: 4_194_304,
            requests_max: 16,
            ts_off_max_ms: 86_400_000,
            ts_ahead_max_ms: 5_000,
            idempotency_keys_max: 100_000,
            idempotency_ttl_ms: 86_400_000,
        }
    }
}

impl PublishConfig {
    /// Checks the ranges, and the symbols if they are used.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub(in crate::feed) fn validate(&self, is_used: bool) -> Result<(), (&'static str, &'static str)> {
        if is_used && self.symbols.is_empty() && !self.new_symbols {
            return Err(("feed.publish.symbols", "must name the symbols, because feed.publish.new_symbols is false"));
        }
        let symbols: Option<HashSet<_>> = self.symbols.iter().map(|name| name.parse::<Symbol>().ok()).collect();
        if symbols.is_none_or(|symbols| symbols.len() != self.symbols.len() || symbols.len() > SYMBOLS_MAX) {
            return Err(("feed.publish.symbols", "must be at most 100000 different symbols like SPY or BTC-USD"));
        }
        if !(1..=100_000).contains(&self.events_max) {
            return Err(("feed.publish.events_max", "must be 1 to 100000"));
        }
        if !(1_024..=67_108_864).contains(&self.body_bytes_max) {
            return Err(("feed.publish.body_bytes_max", "must be 1024 to 67108864"));
        }
        if !(1..=1_024).contains(&self.requests_max) {
            return Err(("feed.publish.requests_max", "must be 1 to 1024"));
        }
        if !(1_000..=604_800_000).contains(&self.ts_off_max_ms) {
            return Err(("feed.publish.ts_off_max_ms", "must be 1000 to 604800000"));
        }
        if self.ts_ahead_max_ms > 86_400_000 {
            return Err(("feed.publish.ts_ahead_max_ms", "must be at most 86400000"));
        }
        if !(1..=1_000_000).contains(&self.idempotency_keys_max) {
            return Err(("feed.publish.idempotency_keys_max", "must be 1 to 1000000"));
        }
        if !(1_000..=604_800_000).contains(&self.idempotency_ttl_ms) {
            return Err(("feed.publish.idempotency_ttl_ms", "must be 1000 to 604800000"));
        }
        Ok(())
    }

    /// Returns the table of the symbols, in their order, which may grow to `symbols_max`.
    pub fn table(&self, symbols_max: usize) -> SymbolTable {
        let symbols = self.symbols.iter().filter_map(|name| name.parse::<Symbol>().ok());
        let instrument = |symbol: Symbol| Instrument { symbol, name: symbol.to_string(), sector: String::new() };
        let instruments = symbols.map(instrument).collect();
        if self.new_symbols { SymbolTable::growing(instruments, symbols_max) } else { SymbolTable::new(instruments) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_value_is_refused_with_its_key() {
        let good = PublishConfig { symbols: vec!["SPY".into(), "BTC-USD".into()], ..PublishConfig::default() };
        good.validate(true).unwrap();
        PublishConfig::default().validate(true).unwrap();
        let closed = PublishConfig { new_symbols: false, ..PublishConfig::default() };
        closed.validate(false).unwrap();
        let is = |key: &str, change: fn(&mut PublishConfig)| {
            let mut config = good.clone();
            change(&mut config);
            assert_eq!(config.validate(true).map_err(|(key, _)| key), Err(key));
        };
        is("feed.publish.symbols", |config| (config.symbols, config.new_symbols) = (Vec::new(), false));
        is("feed.publish.symbols", |config| config.symbols.push("spy".into()));
        is("feed.publish.symbols", |config| config.symbols.push("SPY".into()));
        is("feed.publish.events_max", |config| config.events_max = 0);
        is("feed.publish.body_bytes_max", |config| config.body_bytes_max = 1);
        is("feed.publish.requests_max", |config| config.requests_max = 0);
        is("feed.publish.ts_off_max_ms", |config| config.ts_off_max_ms = 0);
        is("feed.publish.ts_ahead_max_ms", |config| config.ts_ahead_max_ms = 86_400_001);
        is("feed.publish.idempotency_keys_max", |config| config.idempotency_keys_max = 0);
        is("feed.publish.idempotency_ttl_ms", |config| config.idempotency_ttl_ms = 0);
    }
}
