//! The symbols of each session: a list from the command line or from the server, and each session's random choice from it, which is
//! the same in every run with the same seed.

use std::str::FromStr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::connection::get;
use crate::target::Target;

/// The most symbols of a list.
const SYMBOLS_MAX: usize = 100_000;

/// The list from which sessions choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watchlist {
    symbols: Vec<String>,
    per_session: usize,
    seed: u64,
}

impl Watchlist {
    /// Returns a list from which each session chooses `per_session` symbols, or all if there are not more.
    pub(crate) fn new(symbols: Vec<String>, per_session: usize, seed: u64) -> Self {
        Self { symbols, per_session, seed }
    }

    /// Returns every symbol.
    pub(crate) fn all(&self) -> Vec<&str> {
        self.symbols.iter().map(String::as_str).collect()
    }

    /// Returns the distinct symbols of one session.
    pub(crate) fn draw(&self, session: usize) -> Vec<&str> {
        if self.per_session >= self.symbols.len() {
            return self.all();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(session as u64);
        let chosen = rand::seq::index::sample(&mut rng, self.symbols.len(), self.per_session);
        chosen.iter().map(|index| self.symbols[index].as_str()).collect()
    }
}

/// The value of `--symbols`; `None` for all symbols of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbols(pub(crate) Option<Vec<String>>);

impl FromStr for Symbols {
    type Err = String;

    /// Parses `auto` or a list such as `AAPL,MSFT,SYM000..SYM499`.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(if text == "auto" { None } else { Some(parse_list(text)?) }))
    }
}

fn parse_list(text: &str) -> Result<Vec<String>, String> {
    let mut symbols = Vec::new();
    for item in text.split(',') {
        match item.split_once("..") {
            Some((first, last)) => symbols.extend(range(first, last).ok_or_else(|| {
                format!("bad symbols '{item}': a range is a name with two numbers of the same width, as SYM000..SYM499")
            })?),
            None if item.is_empty() || !item.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err("bad symbols: separate them by commas".into());
            }
            None => symbols.push(item.into()),
        }
        if symbols.len() > SYMBOLS_MAX {
            return Err(format!("bad symbols: more than {SYMBOLS_MAX}"));
        }
    }
    let unique: std::collections::HashSet<_> = symbols.iter().collect();
    if unique.len() < symbols.len() {
        return Err("bad symbols: the list repeats a name".into());
    }
    Ok(symbols)
}

fn range(first: &str, last: &str) -> Option<Vec<String>> {
    let name = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let (from, to) = (&first[name.len()..], last.strip_prefix(name)?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if from.len() != to.len() || !digits(from) || !digits(to) {
        return None;
    }
    let (width, from, to) = (from.len(), from.parse::<usize>().ok()?, to.parse::<usize>().ok()?);
    (from <= to && to - from < SYMBOLS_MAX).then(|| (from..=to).map(|n| format!("{name}{n:0width$}")).collect())
}

/// Requests the symbols of a tickcast server. Fails if the server does not list any.
pub(crate) async fn fetch(target: &Target) -> Result<Vec<String>, String> {
    let fail = |reason: String| format!("{} lists no symbols: {reason}: use --symbols", target.address);
    let body = get(target.address, "/api/v1/symbols").await.map_err(fail)?;
    let list: Listed = serde_json::from_slice(&body).map_err(|err| fail(err.to_string()))?;
    Ok(list.symbols.into_iter().map(|item| item.symbol).take(SYMBOLS_MAX).collect())
}

#[derive(Deserialize)]
struct Listed {
    symbols: Vec<Symbol>,
}

#[derive(Deserialize)]
struct Symbol {
    symbol: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_parsed() {
        assert_eq!(parse_list("AAPL,BRK.B").unwrap(), ["AAPL", "BRK.B"]);
        assert_eq!(parse_list("A,SYM098..SYM101").unwrap(), ["A", "SYM098", "SYM099", "SYM100", "SYM101"]);
        assert_eq!(parse_list("*").unwrap(), ["*"]);
        assert_eq!(parse_list("SYM000..SYM499").unwrap().len(), 500);
        let range_of_nothing = "SYM5..SYM4";
        for text in ["", "A,,B", "A,A", "A B", range_of_nothing, "SYM1..SYM10", "A..B", "S1..T2", "S0..S9999999"] {
            assert!(parse_list(text).unwrap_err().starts_with("bad symbols"), "{text}");
        }
    }

    #[test]
    fn a_choice_is_distinct_and_the_same_in_every_run() {
        let list = Watchlist::new(parse_list("S000..S499").unwrap(), 20, 1);
        let mut drawn = list.draw(3);
        assert_eq!(drawn, list.draw(3));
        assert_ne!(drawn, list.draw(4));
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 20);
        assert_eq!(Watchlist::new(parse_list("A,B").unwrap(), 20, 1).draw(0), ["A", "B"]);
    }
}
