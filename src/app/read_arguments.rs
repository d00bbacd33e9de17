//! `ReadArguments`: the arguments of `tickcast replay` and `tickcast convert` about files that do not say everything themselves.

use clap::{Args, ValueEnum};

use crate::feed::OnBadRecord;
use crate::feed::replay::ReplayConfig;

/// How the files are read
#[derive(Args, Clone, Debug, Default)]
pub struct ReadArguments {
    /// The format of the files: auto, csv, dbn or lines
    #[arg(long)]
    format: Option<String>,
    /// Time zone of times without an offset, like `America/New_York`
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// The columns of a CSV file without a header, separated by commas
    #[arg(long)]
    columns: Option<String>,
    /// The symbol of files that name none
    #[arg(long)]
    symbol: Option<String>,
    /// The symbol of a name that is none, like BTC/USDT=BTC-USDT; may be repeated
    #[arg(long = "symbols", value_name = "NAME=SYMBOL", value_parser = renaming)]
    symbols: Vec<(String, String)>,
    /// The only symbols that are read, separated by commas
    #[arg(long, value_name = "SYMBOLS", value_delimiter = ',')]
    only: Vec<String>,
    /// The length of the bars of CSV files, like 1m
    #[arg(long, value_name = "LENGTH")]
    interval: Option<String>,
    /// The order of the rows in the files: time, symbol (or none: sorts them in memory), or auto
    #[arg(long)]
    order: Option<String>,
    /// Rows that are late by at most this time are sorted
    #[arg(long, value_name = "MILLISECONDS")]
    reorder_ms: Option<u32>,
    /// The reaction to a record with a mistake
    #[arg(long, value_name = "REACTION")]
    bad_record: Option<OnBadRecord>,
}

impl ReadArguments {
    /// Sets the keys of `[feed.replay]`, and `feed.bad_record`, that the arguments name.
    pub(super) fn apply(&self, replay: &mut ReplayConfig, bad_record: &mut OnBadRecord) {
        let texts = [
            (&self.format, &mut replay.format),
            (&self.tz, &mut replay.tz),
            (&self.columns, &mut replay.columns),
            (&self.symbol, &mut replay.symbol),
            (&self.interval, &mut replay.interval),
            (&self.order, &mut replay.order),
        ];
        for (argument, key) in texts {
            if let Some(text) = argument {
                key.clone_from(text);
            }
        }
        replay.symbols.extend(self.symbols.iter().cloned());
        if !self.only.is_empty() {
            replay.only.clone_from(&self.only);
        }
        if let Some(reorder_ms) = self.reorder_ms {
            replay.reorder_ms = reorder_ms;
        }
        if let Some(reaction) = self.bad_record {
            *bad_record = reaction;
        }
    }
}

impl ValueEnum for OnBadRecord {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Stop, Self::Skip]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let name = match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        };
        Some(name.into())
    }
}

fn renaming(text: &str) -> Result<(String, String), &'static str> {
    let (name, symbol) = text.split_once('=').ok_or("must be a name and its symbol, like BTC/USDT=BTC-USDT")?;
    Ok((name.to_owned(), symbol.to_owned()))
}
