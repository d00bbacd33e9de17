//! The symbols of each session: a list from the command line or from the server, and each session's random choice from it, which is
//! the same in every run with the same seed.

use std::str::FromStr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::connection::get;
use crate::target::Target;

/// The most symbols of a list.
const SYMBOLS_MAX: usize = 100_000;

/// Returns the distinct symbols of one session: `count` of these at random, or all if there are not more.
pub(crate) fn draw(symbols: &[String], count: usize, seed: u64, session: usize) -> Vec<&str> {
    if count >= symbols.len() {
        return symbols.iter().map(String::as_str).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(session as u64);
    let chosen = rand::seq::index::sample(&mut rng, symbols.len(), count);
    chosen.iter().map(|index| symbols[index].as_str()).collect()
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
    let list: Value = serde_json::from_slice(&body).map_err(|err| fail(err.to_string()))?;
    let symbols = list["symbols"].as_array().ok_or_else(|| fail("it has no list".into()))?;
    Ok(symbols.iter().filter_map(|item| Some(item["symbol"].as_str()?.to_owned())).take(SYMBOLS_MAX).collect())
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
        let symbols = parse_list("S000..S499").unwrap();
        let mut drawn = draw(&symbols, 20, 1, 3);
        assert_eq!(drawn, draw(&symbols, 20, 1, 3));
        assert_ne!(drawn, draw(&symbols, 20, 1, 4));
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 20);
        assert_eq!(draw(&symbols[..2], 20, 1, 0), ["S000", "S001"]);
    }
}
