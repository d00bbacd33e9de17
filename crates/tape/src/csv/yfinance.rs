//! yfinance's tables, as `to_csv()` writes them: `Price,Close,High,…`, `Ticker,SPY,SPY,…` and `Date,,,…` before the first row. With several
//! tickers each has columns of its own.

use crate::csv::header::Header;

/// A name that no column has.
const NOT_OF_TICKER: &str = "-";

/// A ticker, and where its columns are.
#[derive(Debug)]
pub(super) struct Ticker {
    pub(super) name: String,
    pub(super) header: Header,
}

/// Returns whether a table without another layout may be of yfinance, by its first line. `group_by="ticker"` has the tickers there.
pub(super) fn may_be(first: &[String]) -> bool {
    first.len() > 1 && matches!(first[0].trim(), "Price" | "Ticker")
}

/// Returns the tickers of a table with these first three lines, of which there is at least one.
pub(super) fn tickers(first: &[String], second: &[String], third: &[String]) -> Result<Vec<Ticker>, String> {
    let bad = || {
        let lines = "Price,Open,High,Low,Close,…; Ticker,SPY,SPY,…; and Date,,,… or Datetime,,,…";
        format!("begins like a table of yfinance, whose first three lines are {lines}, with four prices of each ticker")
    };
    let (prices, tickers) = match (first[0].trim(), second.first().map(|cell| cell.trim())) {
        ("Price", Some("Ticker")) => (first, second),
        ("Ticker", Some("Price")) => (second, first),
        _ => return Err(bad()),
    };
    if second.len() != first.len()
        || third.len() != first.len()
        || third[1..].iter().any(|cell| !cell.trim().is_empty())
    {
        return Err(bad());
    }
    let mut names: Vec<&str> = Vec::new();
    for name in tickers[1..].iter().map(|name| name.trim()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let ticker = |name: &str| {
        let column = |at: usize| match at {
            0 => third[0].clone(),
            at if tickers[at].trim() == name => prices[at].clone(),
            _ => NOT_OF_TICKER.into(),
        };
        let columns: Vec<String> = (0..first.len()).map(column).collect();
        Header::of(&columns, false).map(|header| Ticker { name: name.to_owned(), header }).ok_or_else(bad)
    };
    names.into_iter().map(ticker).collect()
}
