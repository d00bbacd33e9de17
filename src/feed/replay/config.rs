//! The section `[feed.replay]` of the configuration.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use tickcast_tape::{BadRecord, Format, Order, ReadOptions};

use crate::domain::{Symbol, Timestamp};

/// A key of the section, and the rule that its value breaks.
type Broken = (&'static str, &'static str);

/// The files of a replay, and how they are read. docs/TAPE.md describes the formats.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// The files, merged in the order of time. In a variable of the environment separated by commas.
    #[serde(deserialize_with = "list")]
    pub files: Vec<String>,
    /// The format: `auto`, `csv`, `dbn` or `lines`.
    pub format: String,
    /// Time of the files at which the stream begins; rows before it fill the history. Empty for the first row.
    pub start: String,
    /// Time of the files at which the stream ends. Empty for the last row.
    pub end: String,
    /// The time of the market.
    pub time: ReplayTime,
    /// Whether the files begin again at their end.
    #[serde(rename = "loop")]
    pub is_loop: bool,
    /// Whether the replay waits for `resume`.
    pub paused: bool,
    /// A silence longer than this lasts so long, in milliseconds of the clock; 0 leaves silences as they are.
    pub gap_max_ms: u64,
    /// Whether a replay also waits, at any speed, for clients that must lose nothing, in mode `all`.
    pub lossless: bool,
    /// Time zone of times without an offset, like `America/New_York`, also of `start` and `end`. Empty for none.
    pub tz: String,
    /// The columns of CSV files without a header, separated by commas.
    pub columns: String,
    /// The symbol of files that name none. Empty for the name of the file.
    pub symbol: String,
    /// The symbols of names that are none.
    pub symbols: BTreeMap<String, String>,
    /// The only symbols that are read. In a variable of the environment separated by commas. Empty for all.
    #[serde(deserialize_with = "list")]
    pub only: Vec<String>,
    /// The length of the bars of CSV files, like `1m`, from a second to a day. Empty for the one that the file shows.
    pub interval: String,
    /// The order of the rows in a file: `auto`, `time` or `symbol`.
    pub order: String,
    /// Rows that are late by at most this many milliseconds are sorted. At most 86,400,000.
    pub reorder_ms: u32,
    /// Most rows that are held in memory, of a file that is sorted by symbol. 1 to 1,000,000,000.
    pub events_max: usize,
}

/// The time of the market in a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayTime {
    /// The times of the files are moved by whole minutes, so that the replay begins now.
    #[default]
    Now,
    /// The times of the files.
    Original,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            format: "auto".into(),
            start: String::new(),
            end: String::new(),
            time: ReplayTime::Now,
            is_loop: false,
            paused: false,
            gap_max_ms: 0,
            lossless: false,
            tz: String::new(),
            columns: String::new(),
            symbol: String::new(),
            symbols: BTreeMap::new(),
            only: Vec::new(),
            interval: String::new(),
            order: "auto".into(),
            reorder_ms: 1_000,
            events_max: 20_000_000,
        }
    }
}

/// A configuration whose texts were understood.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) files: Vec<PathBuf>,
    pub(super) options: ReadOptions,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
}

impl Parsed {
    /// Returns the time of a text of a client: microseconds since 1970, or a text as in `feed.replay.start`.
    pub(super) fn time(&self, text: &str) -> Option<Timestamp> {
        if let Ok(micros) = text.parse() {
            return Some(Timestamp::from_micros(micros));
        }
        // A plus sign that was not encoded in an address.
        let offset = text.len().checked_sub(6).filter(|at| text.contains('T') && text.as_bytes()[*at] == b' ');
        let mended = offset.map(|at| format!("{}+{}", &text[..at], &text[at + 1..]));
        time(mended.as_deref().unwrap_or(text), self.options.tz)
    }
}

impl ReplayConfig {
    /// Checks the values, without looking for the files.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self, is_replay: bool) -> Result<(), Broken> {
        if is_replay && self.files.is_empty() {
            return Err(("feed.replay.files", "must name a file, because feed.kind is \"replay\""));
        }
        if self.is_loop && self.time == ReplayTime::Original {
            return Err(("feed.replay.loop", "needs feed.replay.time = \"now\", because times must ascend"));
        }
        if self.gap_max_ms > 86_400_000 {
            return Err(("feed.replay.gap_max_ms", "must be at most 86400000"));
        }
        self.parsed(BadRecord::Stop).map(drop)
    }

    /// Returns how the files are read.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn read_options(&self, bad_record: BadRecord) -> Result<ReadOptions, Broken> {
        let format = match self.format.as_str() {
            "auto" => Format::Auto,
            "csv" => Format::Csv,
            "dbn" => Format::Dbn,
            "lines" => Format::Lines,
            _ => return Err(("feed.replay.format", "must be \"auto\", \"csv\", \"dbn\" or \"lines\"")),
        };
        let order = match self.order.as_str() {
            "auto" => Order::Auto,
            "time" => Order::Time,
            "symbol" => Order::Symbol,
            _ => return Err(("feed.replay.order", "must be \"auto\", \"time\" or \"symbol\"")),
        };
        let tz: Option<Tz> = match self.tz.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|_| ("feed.replay.tz", "must be a time zone like America/New_York"))?),
        };
        let symbol = |key, text: &str| text.parse::<Symbol>().map_err(|_| (key, "must be a symbol like SPY"));
        let named = match self.symbol.as_str() {
            "" => None,
            name => Some(symbol("feed.replay.symbol", name)?),
        };
        let symbols = self.symbols.iter();
        let symbols = symbols.map(|(name, text)| Ok((name.clone(), symbol("feed.replay.symbols", text)?)));
        if self.reorder_ms > 86_400_000 {
            return Err(("feed.replay.reorder_ms", "must be at most 86400000"));
        }
        if !(1..=1_000_000_000).contains(&self.events_max) {
            return Err(("feed.replay.events_max", "must be 1 to 1000000000"));
        }
        let only = self.only.iter().map(|name| symbol("feed.replay.only", name));
        let only = only.collect::<Result<HashSet<_>, Broken>>()?;
        let interval_rule = "must be the length of a bar, from 1s to 1d, like 1m";
        let interval = match self.interval.as_str() {
            "" => None,
            length => Some(tickcast_tape::bar_micros(length).ok_or(("feed.replay.interval", interval_rule))?),
        };
        Ok(ReadOptions {
            format,
            columns: self
                .columns
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            tz,
            symbol: named,
            symbols: symbols.collect::<Result<_, Broken>>()?,
            bad_record,
            order,
            reorder_ms: self.reorder_ms,
            events_max: self.events_max,
            only: Some(only).filter(|only| !only.is_empty()),
            interval_micros: interval,
            ..ReadOptions::default()
        })
    }

    /// Returns the values of the texts.
    pub(super) fn parsed(&self, bad_record: BadRecord) -> Result<Parsed, Broken> {
        let options = self.read_options(bad_record)?;
        let tz = options.tz;
        let rule = "must be a time like 2020-12-15T09:30, with an offset like -05:00 or with feed.replay.tz";
        let moment = |key, text: &str| match text {
            "" => Ok(None),
            text => time(text, tz).map(Some).ok_or((key, rule)),
        };
        let (start, end) = (moment("feed.replay.start", &self.start)?, moment("feed.replay.end", &self.end)?);
        if start.zip(end).is_some_and(|(start, end)| end <= start) {
            return Err(("feed.replay.end", "must be after feed.replay.start"));
        }
        Ok(Parsed { files: self.files.iter().map(PathBuf::from).collect(), options, start, end })
    }
}

/// Returns the time of a text: RFC 3339, or without an offset in this zone; of a day its midnight.
fn time(text: &str, tz: Option<Tz>) -> Option<Timestamp> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp::from_micros(time.timestamp_micros()));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let naive = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN)))?;
    Some(Timestamp::from_micros(tz?.from_local_datetime(&naive).earliest()?.timestamp_micros()))
}

/// Reads a list, or one text with commas.
pub(in crate::feed) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        List(Vec<String>),
        Line(String),
    }
    let names = Names::deserialize(deserializer).map_err(|_| D::Error::custom("must be a list of names"))?;
    Ok(match names {
        Names::List(names) => names,
        Names::Line(line) => {
            line.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_an_offset_or_a_zone() {
        let new_york = Some(chrono_tz::America::New_York);
        for (text, tz) in [
            ("2020-12-15T09:30:00-05:00", None),
            ("2020-12-15T14:30:00Z", None),
            ("2020-12-15T09:30", new_york),
            ("2020-12-15 09:30:00", new_york),
        ] {
            assert_eq!(time(text, tz).map(Timestamp::micros), Some(1_608_042_600_000_000), "{text}");
        }
        assert_eq!(time("2020-12-15", new_york).map(Timestamp::micros), Some(1_608_008_400_000_000));
        for text in ["2020-12-15T09:30", "2020-12-15", "", "now", "15/12/2020"] {
            assert_eq!(time(text, None), None, "{text}");
        }
    }

    #[test]
    fn each_bad_value_is_refused_with_its_key() {
        let good = ReplayConfig { files: vec!["a.csv".into()], ..ReplayConfig::default() };
        good.validate(true).unwrap();
        let is = |key: &str, change: fn(&mut ReplayConfig)| {
            let mut config = good.clone();
            change(&mut config);
            assert_eq!(config.validate(true).map_err(|(key, _)| key), Err(key));
        };
        is("feed.replay.files", |config| config.files.clear());
        is("feed.replay.format", |config| config.format = "parquet".into());
        is("feed.replay.start", |config| config.start = "2020-12-15T09:30".into());
        is("feed.replay.end", |config| {
            (config.start, config.end) = ("2020-12-15T09:30:00Z".into(), "2020-12-15T09:30:00Z".into());
        });
        is("feed.replay.tz", |config| config.tz = "Mars/Olympus".into());
        is("feed.replay.symbol", |config| config.symbol = "BTC/USDT".into());
        is("feed.replay.symbols", |config| drop(config.symbols.insert("BTC/USDT".into(), "btc".into())));
        is("feed.replay.only", |config| config.only = vec!["btc".into()]);
        is("feed.replay.interval", |config| config.interval = "2d".into());
        is("feed.replay.loop", |config| (config.is_loop, config.time) = (true, ReplayTime::Original));
        is("feed.replay.gap_max_ms", |config| config.gap_max_ms = 86_400_001);
        is("feed.replay.order", |config| config.order = "price".into());
        is("feed.replay.reorder_ms", |config| config.reorder_ms = 86_400_001);
        is("feed.replay.events_max", |config| config.events_max = 0);
    }
}
