//! The market of the Rust peers: settings from the environment, the arrivals of trades, their text, the clock, and the
//! parser of subscriptions. The same arrivals and bytes as in `../../market.mjs`. The peers send the texts.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;

/// The settings from the environment.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The number of symbols.
    pub symbols: usize,
    /// The mean rate over all symbols.
    pub events_per_second: f64,
    /// The time between two steps.
    pub step: Duration,
    /// The least time between two writes to a session; zero writes every step.
    pub coalesce: Duration,
    /// Whether trades have a fixed rate instead of random times.
    pub fixed: bool,
    /// The number of threads.
    pub cores: usize,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Panics
    ///
    /// Panics if a value is not a number.
    #[must_use]
    pub fn read() -> Self {
        fn value<T: std::str::FromStr>(name: &str, default: T) -> T {
            std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
        }
        Self {
            port: value("PORT", 0),
            symbols: value("SYMBOLS", 500),
            events_per_second: value("EVENTS_PER_SECOND", 5_000.0),
            step: Duration::from_millis(value("STEP_MS", 1)),
            coalesce: Duration::from_millis(value("COALESCE_MS", 0)),
            fixed: std::env::var("ARRIVALS").is_ok_and(|kind| kind == "fixed"),
            cores: value("CORES", 1),
        }
    }
}

/// Returns the time since 1970 in microseconds.
///
/// # Panics
///
/// Panics if the clock is before 1970.
#[must_use]
pub fn now_micros() -> f64 {
    UNIX_EPOCH.elapsed().expect("the clock is set").as_secs_f64() * 1e6
}

/// The stream of trades.
#[derive(Debug)]
pub struct Market {
    heads: Vec<String>,
    seq: Vec<u64>,
    cents: Vec<u32>,
    offset: u64,
    mean_gap_micros: f64,
    fixed: bool,
    random: Random,
    next: f64,
}

impl Market {
    /// Returns a market that starts now.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let mut random = Random(42);
        let name = |index| format!("{{\"type\":\"trade\",\"symbol\":\"{}\",\"seq\":", symbol_name(index));
        let mut market = Self {
            heads: (0..settings.symbols).map(name).collect(),
            seq: vec![0; settings.symbols],
            cents: (0..settings.symbols).map(|_| 2_000 + random.below(30_000)).collect(),
            offset: 0,
            mean_gap_micros: 1e6 / settings.events_per_second,
            fixed: settings.fixed,
            random,
            next: now_micros(),
        };
        market.draw();
        market
    }

    fn draw(&mut self) {
        let gap = if self.fixed { 1.0 } else { -(1.0 - self.random.unit()).ln() };
        self.next += gap * self.mean_gap_micros;
    }

    /// Writes the text of the next trade that is due into `text` and returns the number of its symbol.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times since 1970 are positive and fit"
    )]
    pub fn take_due(&mut self, now_micros: f64, text: &mut Vec<u8>) -> Option<usize> {
        if self.next > now_micros {
            return None;
        }
        let symbol = self.random.below(u32::try_from(self.heads.len()).unwrap_or(u32::MAX)) as usize;
        let cents = (self.cents[symbol] + self.random.below(11)).saturating_sub(5).max(1_000);
        let size = 1 + self.random.below(400);
        self.cents[symbol] = cents;
        self.seq[symbol] += 1;
        self.offset += 1;
        text.clear();
        text.extend_from_slice(self.heads[symbol].as_bytes());
        let mut integer = |key: &[u8], value: u64| {
            text.extend_from_slice(key);
            text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        };
        integer(b"", self.seq[symbol]);
        integer(b",\"offset\":", self.offset);
        integer(b",\"ts\":", self.next as u64);
        integer(b",\"price\":", u64::from(cents / 100));
        integer(if cents % 100 < 10 { b".0" } else { b"." }, u64::from(cents % 100));
        integer(b",\"size\":", u64::from(size));
        text.push(b'}');
        self.draw();
        Some(symbol)
    }
}

/// Returns the name of a symbol.
#[must_use]
pub fn symbol_name(index: usize) -> String {
    format!("SYM{index:03}")
}

/// The symbols by name, to read subscriptions with.
#[derive(Debug)]
pub struct Symbols(HashMap<String, usize>);

#[derive(Deserialize)]
struct Request {
    action: String,
    #[serde(default)]
    symbols: Vec<String>,
}

impl Symbols {
    /// Returns the names of this number of symbols.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|index| (symbol_name(index), index)).collect())
    }

    /// Returns the numbers of the known symbols that a subscribe message names, or `None` for anything else.
    #[must_use]
    pub fn wanted(&self, message: &[u8]) -> Option<Vec<usize>> {
        let request: Request = serde_json::from_slice(message).ok()?;
        (request.action == "subscribe")
            .then(|| request.symbols.iter().filter_map(|name| self.0.get(name).copied()).collect())
    }
}

/// mulberry32, a random number generator with the same output in every language.
#[derive(Debug)]
struct Random(u32);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut t = (self.0 ^ (self.0 >> 15)).wrapping_mul(self.0 | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 0x3d));
        f64::from(t ^ (t >> 14)) / 4_294_967_296.0
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below bound, which is a u32")]
    fn below(&mut self, bound: u32) -> u32 {
        (self.unit() * f64::from(bound)) as u32
    }
}
