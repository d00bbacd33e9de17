//! `tickcast convert IN… OUT`: files of market data in another format.

use std::path::PathBuf;

use clap::Args;
use tickcast_tape::{ConvertError, Report, convert};

use crate::app::{ReadArguments, Settings};

/// Writes files of trades, quotes and bars (CSV, DBN, recordings) into one of another format, and says what is lost
#[derive(Args)]
pub struct ConvertCommand {
    /// The files to read, merged in the order of time, and the file to write; the end of its name chooses the format: .csv, .dbn or
    /// .jsonl, compressed with .zst (or .gz, but for DBN)
    #[arg(required = true, num_args = 2.., value_name = "IN… OUT")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArguments,
}

/// The reason why files are not converted. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// An argument has a bad value.
    #[error("--{} {rule}", .argument.replace('_', "-"))]
    Argument {
        /// Its name, as that of the key in `[feed.replay]`.
        argument: &'static str,
        /// The rule that the value breaks.
        rule: &'static str,
    },
    /// A file cannot be read, or the new one not be written.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

impl ConvertCommand {
    /// Converts the files, read as the settings and then the arguments say; returns how many rows were read, written and lost.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in the arguments or in a file. There is no new file then, but perhaps one whose name ends with `.part`.
    pub fn run(&self, settings: &Settings) -> Result<Report, ConversionError> {
        let (mut config, mut bad_record) = (settings.feed.replay.clone(), settings.feed.bad_record);
        self.read.apply(&mut config, &mut bad_record);
        let options = config.read_options(bad_record.into()).map_err(|(key, rule)| ConversionError::Argument {
            argument: key.trim_start_matches("feed.replay."),
            rule,
        })?;
        let Some((output, inputs)) = self.files.split_last() else {
            return Err(ConversionError::Argument { argument: "files", rule: "are missing" });
        };
        Ok(convert(inputs, output, &options)?)
    }
}
