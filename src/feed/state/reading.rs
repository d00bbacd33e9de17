//! Reads the file of the state. Everything in it is checked: a value that the market could not have is a mistake with its line.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::domain::Timestamp;
use crate::feed::state::file::UNFINISHED;
use crate::feed::state::symbol::Times;
use crate::feed::state::{Head, MarketState, StateError, SymbolState, VERSION, beside};

/// Longest line in bytes: 100,000 bars of each of six intervals (`feed.state_bars_max`), at most 136 bytes each.
const LINE_BYTES_MAX: u64 = 6 * 100_000 * 136;
/// Most symbols of a file, as of `feed.publish.symbols` and `feed.symbols_max`.
const SYMBOLS_MAX: usize = 1_000_000;
/// Longest description of a mistake, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Why a file cannot be read.
enum Fault {
    /// A line, and the rule that it breaks.
    Line(usize, String),
    System(io::Error),
}

impl Fault {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self::Line(line, reason.into())
    }

    /// Returns the error about the file at `path`, in one line.
    fn at(self, path: &Path) -> StateError {
        match self {
            Self::System(source) => StateError::System { path: path.into(), source },
            Self::Line(line, reason) => {
                let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
                StateError::Broken { path: path.into(), line, reason: reason.take(REASON_CHARS_MAX).collect() }
            }
        }
    }
}

impl MarketState {
    /// Reads the file at this time of the clock, and checks that one can be written beside it. `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is broken, cannot be read, or cannot be written.
    pub fn read(path: &Path, now: Timestamp) -> Result<Option<Self>, StateError> {
        let system = |source| StateError::System { path: path.into(), source };
        let state = match fs::metadata(path) {
            Ok(found) if found.is_file() => {
                let input = BufReader::new(File::open(path).map_err(system)?);
                Some(Self::parse(input, path, now)?)
            }
            Ok(_) => return Err(system(io::Error::other("it is not a file"))),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(system(err)),
        };
        File::create(beside(path, UNFINISHED)).map_err(system)?;
        Ok(state)
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    ///
    /// Returns an error with the first mistake.
    pub(crate) fn parse(input: impl BufRead, path: &Path, now: Timestamp) -> Result<Self, StateError> {
        let (ts, symbols) = parse(Lines::new(input), Times::at(now)).map_err(|fault| fault.at(path))?;
        Ok(Self { path: path.into(), ts, symbols })
    }
}

/// The lines of a file, of bounded length.
struct Lines<R> {
    input: R,
    /// The present line, without its end.
    line: Vec<u8>,
    /// Its number, from 1.
    number: usize,
}

impl<R: BufRead> Lines<R> {
    const fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// Reads the next line; returns false at the end of the file.
    fn next(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.input).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut self.line);
        if read.map_err(Fault::System)? == 0 {
            return Ok(false);
        }
        if self.line.pop_if(|byte| *byte == b'\n').is_some() {
            return Ok(true);
        }
        let is_long = self.line.len() as u64 > LINE_BYTES_MAX;
        Err(self.fault(if is_long { "the line is too long" } else { "the file is cut off in this line" }))
    }

    /// Returns the object of the present line.
    fn object<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.line).map_err(|err| {
            let (text, column) = (err.to_string(), err.column());
            let place = format!(" at line {} column {column}", err.line());
            let text = text.strip_suffix(&place).unwrap_or(&text);
            self.fault(format!("not a line of a state, in column {column}: {text}"))
        })
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.number, reason)
    }
}

/// Returns the time of the market and the states of the symbols.
fn parse<R: BufRead>(mut lines: Lines<R>, times: Times) -> Result<(Timestamp, Vec<SymbolState>), Fault> {
    if !lines.next()? {
        return Err(lines.fault("the file is empty"));
    }
    let head: Head = lines.object()?;
    if head.r#type != "state" || head.version != VERSION {
        return Err(lines.fault(format!("expected type \"state\" and version {VERSION}")));
    }
    times.check(head.ts).map_err(|reason| lines.fault(reason))?;
    if head.symbols > SYMBOLS_MAX {
        return Err(lines.fault(format!("a file has at most {SYMBOLS_MAX} symbols")));
    }
    let (mut symbols, mut names) = (Vec::new(), HashSet::new());
    while lines.next()? {
        if symbols.len() == head.symbols {
            return Err(lines.fault(format!("expected {} symbols and the end of the file", head.symbols)));
        }
        let state: SymbolState = lines.object()?;
        let name = state.check(times).map_err(|reason| lines.fault(reason))?;
        if !names.insert(name) {
            return Err(lines.fault(format!("{name} is in the file twice")));
        }
        symbols.push(state);
    }
    if symbols.len() < head.symbols {
        return Err(lines.fault(format!("the file is cut off: expected {} symbols", head.symbols)));
    }
    Ok((Timestamp::from_micros(head.ts), symbols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Interval;
    use crate::feed::state::StateFile;

    const GOOD: &str = r#"{"type":"state","version":1,"ts":1000000,"symbols":1}
{"symbol":"AA","ts":1,"traded_at":1,"quoted_at":0,"last":[10000,5],"quote":null,"day":[10000,10000,10000],"prev_close":null,"volume":5,"closed":[[],[],[],[],[],[]],"open":[null,[0,10000,10000,10000,10000,5,1,10000],null,null,null,null]}
"#;

    fn read(text: &[u8]) -> Result<MarketState, StateError> {
        MarketState::parse(text, Path::new("state"), Timestamp::from_micros(2_000_000))
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let state = read(GOOD.as_bytes()).unwrap();
        assert_eq!((state.ts.micros(), state.symbols.len()), (1_000_000, 1));
        assert_eq!(state.symbols[0].open()[Interval::M1 as usize].unwrap().trades, 1);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert!(MarketState::read(&path, state.ts).unwrap().is_none());
        // What a killed server has left does not matter.
        fs::write(beside(&path, UNFINISHED), GOOD.repeat(2)).unwrap();
        let mut file = StateFile::create(&path, state.ts, 1).unwrap();
        file.push(&state.symbols[0]).unwrap();
        assert!(!path.exists(), "not before it is whole");
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), GOOD);
        assert_eq!(MarketState::read(&path, state.ts).unwrap().unwrap().symbols, state.symbols);
    }

    #[test]
    fn a_broken_file_is_refused_with_the_line() {
        let with = |from: &str, to: &str| GOOD.replacen(from, to, 1);
        let symbol = GOOD.lines().nth(1).unwrap();
        let cases = [
            (String::new(), 1, "the file is empty"),
            ("\n".into(), 1, "EOF"),
            (with("\"version\":1", "\"version\":2"), 1, "version 1"),
            (with("\"version\":1", "\"version\":-1"), 1, "not a line"),
            (with("\"type\":\"state\"", "\"type\":\"recording\""), 1, "\"state\""),
            (with("\"version\"", "\"a\\nb\":1,\"version\""), 1, "unknown field `a b`"),
            (with("\"ts\":1000000", "\"ts\":9223372036854775807"), 1, "at most two days ahead of the clock"),
            (with("\"ts\":1000000", "\"ts\":-9223372036854775808"), 1, "at most two days ahead of the clock"),
            (with("\"ts\":1000000", "\"ts\":1e308"), 1, "not a line"),
            (with("\"symbols\":1", "\"symbols\":2"), 3, "cut off"),
            (with("\"symbols\":1", "\"symbols\":0"), 2, "the end of the file"),
            (with("\"symbols\":1", "\"symbols\":18446744073709551615"), 1, "at most 1000000 symbols"),
            (with("\"symbols\":1", "\"symbols\":2") + symbol + "\n", 3, "AA is in the file twice"),
            (GOOD.trim_end().into(), 2, "cut off"),
            (GOOD[..GOOD.len() - 9].into(), 2, "cut off"),
            (GOOD.replace('\n', "\r\n").replacen('\n', "", 1), 1, "not a line"),
            (with("AA", "aa"), 2, "no symbol"),
            (with("AA", "ABCDEFGHIJKLMNOP"), 2, "no symbol"),
            (with("\"AA\"", "7"), 2, "not a line"),
            (with("\"ts\":1,", "\"ts\":9223372036854775807,"), 2, "at most two days ahead of the clock"),
            (with("\"traded_at\":1", "\"traded_at\":172802000001"), 2, "at most two days ahead of the clock"),
            (with("\"quoted_at\":0", "\"quoted_at\":-9223372036854775808"), 2, "at most two days ahead of the clock"),
            (with("[10000,5]", "[0,5]"), 2, "a price"),
            (with("[10000,5]", "[10000000000001,5]"), 2, "a price"),
            (with("[10000,5]", "[10000,-5]"), 2, "not a line"),
            (with("[10000,5]", "[10000,18446744073709551615]"), 2, "a size must be at most"),
            (with("\"quote\":null", "\"quote\":[10000,1,10000]"), 2, "not a line"),
            (with("\"quote\":null", "\"quote\":[10000,1,null,1]"), 2, "not a line"),
            (with("\"quote\":null", "\"quote\":[-1,1,10000,1]"), 2, "a price"),
            (with("\"quote\":null", "\"quote\":[10000,18446744073709551615,10000,1]"), 2, "a size must be at most"),
            (with("[10000,10000,10000]", "[10000,9999,10000]"), 2, "within its extremes"),
            (with("[0,10000", "[1,10000"), 2, "a bar of 1m"),
            (with("[0,10000", "[9223372036800000000,10000"), 2, "a bar of 1m"),
            (with("5,1,10000]", "5,0,10000]"), 2, "a bar of 1m"),
            (with("5,1,10000]", "5,18446744073709551615,10000]"), 2, "a bar of 1m"),
            (with("5,1,10000]", "0,1,10000]"), 2, "a bar of 1m"),
            (with("[[],", "[[[0,1,1,1,1,1,1,1],[0,1,1,1,1,1,1,1]],"), 2, "must ascend"),
            (with("\"volume\"", "\"colour\""), 2, "unknown field"),
        ];
        for (text, line, reason) in cases {
            let complaint = read(text.as_bytes()).unwrap_err().to_string();
            let is_named = complaint.starts_with(&format!("feed.state_file state:{line}: "));
            assert!(is_named && complaint.contains(reason) && !complaint.contains('\n'), "{text}: {complaint}");
        }
        let complaint = read(b"{\"type\":\"\xff\xfe\"}\n").unwrap_err().to_string();
        assert!(complaint.contains("state:1: not a line of a state"), "not UTF-8: {complaint}");
        let field = with("\"version\"", &format!("\"{}\":1,\"version\"", "x".repeat(1_000_000)));
        assert!(read(field.as_bytes()).unwrap_err().to_string().len() < 400);
        read(with("\"volume\":5", "\"volume\":18446744073709551615").as_bytes()).expect("a sum may be that");
    }

    /// A file of this byte without an end, which counts what is read of it.
    struct Endless(u64);

    impl io::Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            out.fill(b'[');
            self.0 += out.len() as u64;
            Ok(out.len())
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_read_to_its_end() {
        let mut endless = Endless(0);
        let text = GOOD.split_inclusive('\n').next().unwrap().as_bytes().chain(&mut endless);
        let refused = MarketState::parse(BufReader::new(text), Path::new("state"), Timestamp::from_micros(2_000_000));
        assert!(refused.unwrap_err().to_string().contains("state:2: the line is too long"));
        assert!((LINE_BYTES_MAX..LINE_BYTES_MAX + 1_000_000).contains(&endless.0), "{}", endless.0);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(2_000_000);
        let complaint = MarketState::read(directory.path(), now).unwrap_err().to_string();
        assert!(complaint.ends_with("it is not a file"), "{complaint}");
        assert!(MarketState::read(Path::new("/dev/zero"), now).is_err(), "not read for ever");
        assert!(MarketState::read(&directory.path().join("no/such/state"), now).is_err());
    }
}
