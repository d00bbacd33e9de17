//! The state of a published market in a file, so that a restart keeps the last values and bars. docs/PUBLISH.md describes the format.

mod file;
mod lock;
mod reading;
mod restore;
mod symbol;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

pub use file::StateFile;
pub use lock::StateLock;
pub use symbol::{SavedBar, SymbolState};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// `"state"`.
    r#type: String,
    version: u32,
    /// Time of the market, in microseconds since 1970. Everything before it is in the file.
    ts: i64,
    /// How many lines of symbols follow.
    symbols: usize,
}

/// The state of a market, as a file has it.
#[derive(Debug)]
pub struct MarketState {
    /// The file.
    path: PathBuf,
    /// Time of the market.
    ts: Timestamp,
    symbols: Vec<SymbolState>,
}

/// Why a file of the state cannot be used. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system cannot read it, or cannot write beside it.
    #[error("feed.state_file {}: {source}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// It is broken, or another file.
    #[error("feed.state_file {}:{line}: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The rule that the line breaks.
        reason: String,
    },
    /// Another server writes it.
    #[error("feed.state_file {}: another server uses it, and has locked {}", path.display(), lock.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// The locked file.
        lock: PathBuf,
    },
    /// The table of symbols has no place for those of the file.
    #[error(
        "feed.state_file {}: the market has {symbols} symbols with those of the file, and feed.symbols_max is {symbols_max}",
        path.display()
    )]
    TooManySymbols {
        /// The file.
        path: PathBuf,
        /// Symbols of the market and of the file.
        symbols: usize,
        /// Most symbols of the table.
        symbols_max: usize,
    },
}

/// Returns the place of a file beside the file of the state.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    beside.into()
}
