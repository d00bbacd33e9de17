//! Which symbols each session asks for: the list as it is written on the command line, the server's own list, and each
//! session's draw from it, the same in every run with the same seed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::target::Target;

/// The most symbols that can be named.
const SYMBOLS_MAX: usize = 100_000;
/// The longest answer with the server's symbols, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// How long the server may take for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What sessions choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watchlist {
    symbols: Vec<String>,
    per_session: usize,
    seed: u64,
}

impl Watchlist {
    /// Returns a list from which each session draws `per_session` symbols, or takes all when there are no more.
    pub(crate) fn new(symbols: Vec<String>, per_session: usize, seed: u64) -> Self {
        Self { symbols, per_session, seed }
    }

    /// Returns every symbol.
    pub(crate) fn all(&self) -> Vec<&str> {
        self.symbols.iter().map(String::as_str).collect()
    }

    /// Returns the symbols of one session, each once.
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

/// Reads a list such as `AAPL,MSFT,SYM000..SYM499`.
///
/// # Errors
///
/// Returns what is wrong with it, in words.
pub(crate) fn parse_list(text: &str) -> Result<Vec<String>, String> {
    let mut symbols = Vec::new();
    for item in text.split(',') {
        match item.split_once("..") {
            Some((first, last)) => symbols.extend(range(first, last).ok_or_else(|| {
                format!("bad symbols '{item}': a range is a name with two numbers of the same width, as SYM000..SYM499")
            })?),
            None if item.is_empty() || !item.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(format!("bad symbols '{text}': write them with commas between"));
            }
            None => symbols.push(item.into()),
        }
        if symbols.len() > SYMBOLS_MAX {
            return Err(format!("bad symbols: more than {SYMBOLS_MAX}"));
        }
    }
    let unique: std::collections::HashSet<_> = symbols.iter().collect();
    if unique.len() < symbols.len() {
        return Err(format!("bad symbols '{text}': a name stands there twice"));
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

/// Asks a tickcast server for its symbols.
///
/// # Errors
///
/// Returns why they are not known, in words.
pub(crate) fn fetch(target: &Target) -> Result<Vec<String>, String> {
    let hint = "name the symbols with --symbols";
    let answer = get(target).map_err(|err| format!("cannot reach {}: {err}", target.authority))?;
    let body = answer.split_once("\r\n\r\n").filter(|(head, _)| head.split(' ').nth(1) == Some("200"));
    let (_, body) = body.ok_or_else(|| format!("the server has no /api/v1/symbols: {hint}"))?;
    let list: Symbols =
        serde_json::from_str(body).map_err(|err| format!("cannot read /api/v1/symbols: {err}: {hint}"))?;
    Ok(list.symbols.into_iter().map(|item| item.symbol).take(SYMBOLS_MAX).collect())
}

#[derive(Deserialize)]
struct Symbols {
    symbols: Vec<Symbol>,
}

#[derive(Deserialize)]
struct Symbol {
    symbol: String,
}

fn get(target: &Target) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&target.address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    // HTTP/1.0, so that the answer comes in one piece and ends with the connection.
    write!(stream, "GET /api/v1/symbols HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n", target.authority)?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("the answer is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read() {
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
    fn a_draw_is_distinct_and_the_same_in_every_run() {
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
