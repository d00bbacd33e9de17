//! The reason why settings are refused, in one line that names the key or the file.

use std::io;
use std::path::PathBuf;

use config::ConfigError;

/// The reason why settings are refused. Displays as one line that names the key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a value could not be read.
    #[error("{}", in_one_line(.0))]
    Read(#[from] ConfigError),
    /// A settings file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system, or that the file is not UTF-8.
        source: io::Error,
    },
    /// An environment variable is nearly that of a setting.
    #[error("the environment variable {name} is no setting: did you mean {setting}?")]
    Variable {
        /// The variable.
        name: String,
        /// The variable of the setting.
        setting: String,
    },
    /// A value has another type than its default.
    #[error("{key} must be {kind}, not {value}")]
    Kind {
        /// The key, with its section.
        key: String,
        /// Type of the default.
        kind: &'static str,
        /// The value, and where it was set.
        value: String,
    },
    /// A value is out of its range.
    #[error("{key} {complaint}")]
    Value {
        /// The key, with its section.
        key: &'static str,
        /// The rule that the value breaks.
        complaint: &'static str,
    },
}

/// Longest complaint of the reader of a file, in characters: it quotes names and values in full.
const COMPLAINT_CHARS_MAX: usize = 500;

/// Returns the beginning of a text, with `…` if that is not all of it.
pub(super) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Removes the excerpt of the file, over several lines, that the TOML parser adds to its message, and the value of a setting with secrets.
fn in_one_line(err: &ConfigError) -> String {
    let text = err.to_string();
    // Without the excerpt of the file, `12 | key = value`. A name may have such a bar, too.
    let is_excerpt = |line: &str| {
        line.split_once('|').is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit() || b == b' '))
    };
    let lines = text.lines().map(str::trim).filter(|line| !is_excerpt(line));
    let line = lines.collect::<Vec<_>>().join(", ");
    let line = match (line.find('"'), line.rfind('"')) {
        (Some(begin), Some(end)) if line.contains("`keys.pairs") => format!("{}\"***{}", &line[..begin], &line[end..]),
        _ => line,
    };
    // A name in quotes may have a carriage return.
    shortened(&line.replace(char::is_control, " "), COMPLAINT_CHARS_MAX)
}
