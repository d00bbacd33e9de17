//! Why settings are refused, in one line that names the key or the file.

use std::io;
use std::path::PathBuf;

use config::ConfigError;

/// Why the settings cannot be used. Displays as one line that names the key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a value could not be read.
    #[error("{}", in_one_line(.0))]
    Read(#[from] ConfigError),
    /// A file of settings cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system, or that the file is not UTF-8.
        source: io::Error,
    },
    /// A value is of another kind than its default.
    #[error("{key} must be {kind}, not {value}")]
    Kind {
        /// The key, with its section.
        key: String,
        /// What its default is.
        kind: &'static str,
        /// What was given, with where it was given.
        value: String,
    },
    /// A value is out of its range.
    #[error("{key} {complaint}")]
    Value {
        /// The key, with its section.
        key: &'static str,
        /// What is wrong with it.
        complaint: &'static str,
    },
}

/// Leaves out the drawing of the place that a parser of TOML adds to its complaint.
fn in_one_line(err: &ConfigError) -> String {
    let text = err.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('|') && !line.contains(" | "));
    lines.collect::<Vec<_>>().join(", ")
}
