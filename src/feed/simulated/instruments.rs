//! The instruments of the simulated market: the built-in symbols of `config/symbols.toml`, and generated symbols for
//! load tests.
//!
//! Parses and validates them; `market` moves their prices.

use config::{Config, File, FileFormat};
use serde::Deserialize;
use thiserror::Error;

use crate::domain::{Instrument, Price, PriceError, Symbol, SymbolError};
use crate::feed::simulated::noise::{Noise, Stream};

const BUILT_IN: &str = include_str!("../../../config/symbols.toml");

/// Smallest start price of a symbol.
const START_PRICE_MIN: Price = Price::from_cents(100);
/// Largest start price of a symbol.
const START_PRICE_MAX: Price = Price::from_cents(100_000_000);
/// Most symbols in one file.
const LISTINGS_MAX: usize = 10_000;

/// One instrument of the simulated market, with the parameters of its simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Symbol, name and sector.
    pub instrument: Instrument,
    /// The mid price at the start of the stream: whole cents, from 1 to 1,000,000 dollars.
    pub start_price: Price,
    /// The standard deviation of the logarithm of the price over a year of 365 days of 24 hours, from 0.01 to 3.
    pub volatility: f64,
    /// Events per second relative to other symbols, from 0.01 to 100.
    pub weight: f64,
}

/// The reason why a list of symbols cannot be used. Entries count from 1.
#[derive(Debug, Error)]
pub enum ListingError {
    /// Not TOML, or a key is missing, unknown or of the wrong type; the cause names the line or the key.
    #[error("symbols: {0}")]
    Malformed(#[source] Box<config::ConfigError>),
    /// No symbol at all, or too many.
    #[error("symbols: {0} entries, not 1 to {LISTINGS_MAX}")]
    Count(usize),
    /// The ticker is not valid.
    #[error("symbols: entry {entry}, ticker {ticker:?}: {source}")]
    Ticker {
        /// Number of the entry.
        entry: usize,
        /// The invalid text.
        ticker: String,
        /// The rule that it breaks.
        source: SymbolError,
    },
    /// Two entries have the same ticker.
    #[error("symbols: entry {entry}: {ticker} is listed twice")]
    Duplicate {
        /// Number of the later entry.
        entry: usize,
        /// The ticker of both.
        ticker: Symbol,
    },
    /// The start price is not a decimal number.
    #[error("symbols: {ticker}: start_price {text:?}: {source}")]
    StartPrice {
        /// Ticker of the entry.
        ticker: Symbol,
        /// The invalid text.
        text: String,
        /// The rule that it breaks.
        source: PriceError,
    },
    /// A value is out of its range.
    #[error("symbols: {ticker}: {key} {expected}")]
    Range {
        /// Ticker of the entry.
        ticker: Symbol,
        /// Key of the value.
        key: &'static str,
        /// The permitted range.
        expected: &'static str,
    },
}

/// Returns the built-in symbols in the order of `config/symbols.toml`, then `extra_symbols` generated ones: `SYM000`,
/// `SYM001` and so on. A generated symbol has the mean weight of the built-in ones; its other properties depend on its
/// number alone.
///
/// # Errors
///
/// Returns the first mistake in the compiled-in `config/symbols.toml`; a test proves that there is none.
pub fn listings(extra_symbols: u32) -> Result<Vec<Listing>, ListingError> {
    let mut listings = parse(BUILT_IN)?;
    let sectors: Vec<String> = sectors(&listings).1.into_iter().map(String::from).collect();
    let weight = weight_mean(&listings);
    for index in 0..extra_symbols {
        let sector = sectors[index as usize % sectors.len()].clone();
        listings.push(generate(index, sector, weight)?);
    }
    Ok(listings)
}

/// Returns the index of each listing's sector, and the sectors in the order of their first appearance.
pub(super) fn sectors(listings: &[Listing]) -> (Vec<usize>, Vec<&str>) {
    let mut names: Vec<&str> = Vec::new();
    let numbers = listings.iter().map(|listing| {
        let sector = listing.instrument.sector.as_str();
        names.iter().position(|name| *name == sector).unwrap_or_else(|| {
            names.push(sector);
            names.len() - 1
        })
    });
    (numbers.collect(), names)
}

/// Returns the mean weight.
#[expect(clippy::cast_precision_loss, reason = "listings are counted in thousands")]
pub(super) fn weight_mean(listings: &[Listing]) -> f64 {
    listings.iter().map(|listing| listing.weight).sum::<f64>() / listings.len() as f64
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListingFile {
    #[serde(default)]
    symbol: Vec<ListingEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListingEntry {
    ticker: String,
    name: String,
    sector: String,
    start_price: String,
    volatility: f64,
    weight: f64,
}

fn parse(text: &str) -> Result<Vec<Listing>, ListingError> {
    let malformed = |err| ListingError::Malformed(Box::new(err));
    let source = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build().map_err(malformed)?;
    let file: ListingFile = source.try_deserialize().map_err(malformed)?;
    if file.symbol.is_empty() || file.symbol.len() > LISTINGS_MAX {
        return Err(ListingError::Count(file.symbol.len()));
    }
    let mut listings: Vec<Listing> = Vec::with_capacity(file.symbol.len());
    for (index, entry) in file.symbol.into_iter().enumerate() {
        let listing = check(index + 1, entry)?;
        let ticker = listing.instrument.symbol;
        if listings.iter().any(|other| other.instrument.symbol == ticker) {
            return Err(ListingError::Duplicate { entry: index + 1, ticker });
        }
        listings.push(listing);
    }
    Ok(listings)
}

fn check(entry: usize, text: ListingEntry) -> Result<Listing, ListingError> {
    let ticker: Symbol = match text.ticker.parse() {
        Ok(ticker) => ticker,
        Err(source) => return Err(ListingError::Ticker { entry, ticker: text.ticker, source }),
    };
    let start_price: Price = match text.start_price.parse() {
        Ok(price) => price,
        Err(source) => return Err(ListingError::StartPrice { ticker, text: text.start_price, source }),
    };
    let require =
        |met: bool, key, expected| if met { Ok(()) } else { Err(ListingError::Range { ticker, key, expected }) };
    let in_range = (START_PRICE_MIN..=START_PRICE_MAX).contains(&start_price);
    let whole_cents = start_price.units() % Price::UNITS_PER_CENT == 0;
    require(in_range && whole_cents, "start_price", "must be whole cents from 1.00 to 1000000.00")?;
    require((0.01..=3.0).contains(&text.volatility), "volatility", "must be from 0.01 to 3")?;
    require((0.01..=100.0).contains(&text.weight), "weight", "must be from 0.01 to 100")?;
    require(!text.name.trim().is_empty(), "name", "must not be empty")?;
    require(!text.sector.trim().is_empty(), "sector", "must not be empty")?;
    let instrument = Instrument { symbol: ticker, name: text.name, sector: text.sector };
    Ok(Listing { instrument, start_price, volatility: text.volatility, weight: text.weight })
}

/// Prices are spread evenly over the logarithms of 15 to 400 dollars, volatilities over 0.18 to 0.60.
#[expect(clippy::cast_possible_truncation, reason = "at most 40,000 cents")]
fn generate(index: u32, sector: String, weight: f64) -> Result<Listing, ListingError> {
    let ticker = format!("SYM{index:03}");
    let symbol = match ticker.parse() {
        Ok(symbol) => symbol,
        Err(source) => return Err(ListingError::Ticker { entry: index as usize + 1, ticker, source }),
    };
    let mut noise = Noise::new(0, Stream::Listing(index));
    let cents = 1_500.0 * libm::pow(400.0 / 15.0, noise.uniform());
    let volatility = 0.18 + 0.42 * noise.uniform();
    let instrument = Instrument { symbol, name: format!("Generated {index:03}"), sector };
    Ok(Listing { instrument, start_price: Price::from_cents(cents as i64), volatility, weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[symbol]]\nticker = \"AAPL\"\nname = \"Apple\"\nsector = \"IT\"\nstart_price = \"201.37\"\n\
                         volatility = 0.28\nweight = 1.5\n";

    #[test]
    fn the_built_in_symbols_are_thirty_and_begin_with_the_watchlist() {
        let listings = listings(0).unwrap();
        let tickers: Vec<_> = listings.iter().map(|listing| listing.instrument.symbol.as_str()).collect();
        assert_eq!(tickers.len(), 30);
        assert_eq!(tickers[..10], ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "V", "XOM"]);
        assert!(tickers.contains(&"BRK.B"));
        assert_eq!(listings[0].start_price.to_string(), "201.37");
        assert_eq!(sectors(&listings).1.len(), 11);
    }

    #[test]
    fn generated_symbols_follow_and_each_has_the_mean_rate() {
        let built_in = listings(0).unwrap();
        let all = listings(1_500).unwrap();
        assert_eq!(all[..30], built_in);
        for (index, name) in [(0, "SYM000"), (7, "SYM007"), (499, "SYM499"), (1_234, "SYM1234")] {
            assert_eq!(all[30 + index].instrument.symbol.as_str(), name);
        }
        for listing in &all[30..] {
            assert!((listing.weight - weight_mean(&built_in)).abs() < 1e-12);
            assert!((0.18..0.60).contains(&listing.volatility));
            assert!((Price::from_cents(1_500)..=Price::from_cents(40_000)).contains(&listing.start_price));
        }
        assert_eq!(listings(3).unwrap()[..], all[..33], "a symbol does not depend on the number of symbols");
    }

    #[test]
    fn a_valid_entry_is_parsed_exactly() {
        let listings = parse(ENTRY).unwrap();
        assert_eq!(listings[0].start_price, Price::from_cents(20_137));
        assert_eq!(listings[0].instrument.name, "Apple");
    }

    #[test]
    fn an_invalid_value_is_refused_with_a_message_that_names_it() {
        for (from, to, message) in [
            ("\"AAPL\"", "\"aapl\"", "entry 1, ticker \"aapl\": a symbol begins with A to Z"),
            ("201.37", "201.375", "AAPL: start_price must be whole cents from 1.00 to 1000000.00"),
            ("201.37", "0.99", "AAPL: start_price must be whole cents"),
            ("201.37", "-1", "AAPL: start_price \"-1\": not a decimal number"),
            ("0.28", "0.0", "AAPL: volatility must be from 0.01 to 3"),
            ("0.28", "nan", "AAPL: volatility must be from 0.01 to 3"),
            ("1.5", "0.0", "AAPL: weight must be from 0.01 to 100"),
            ("1.5", "inf", "AAPL: weight must be"),
            ("\"Apple\"", "\" \"", "AAPL: name must not be empty"),
            ("weight = 1.5", "", "missing"),
            ("weight", "heaviness", "heaviness"),
            ("weight = 1.5", "weight = \"much\"", "weight"),
            ("volatility = 0.28", "volatility 0.28", "line 6"),
        ] {
            let text = ENTRY.replace(from, to);
            let err = parse(&text).expect_err(&text).to_string();
            assert!(err.contains(message), "{err}\n  does not contain: {message}");
        }
    }

    #[test]
    fn a_duplicate_and_an_empty_list_are_refused() {
        let err = parse(&format!("{ENTRY}{ENTRY}")).unwrap_err();
        assert_eq!(err.to_string(), "symbols: entry 2: AAPL is listed twice");
        assert!(matches!(parse(""), Err(ListingError::Count(0))));
    }
}
