//! `recording_end`: how far a recording goes, so that a recorder can go on after it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::error::{Fault, ReadError};
use crate::input::Input;
use crate::lines::LINE_BYTES_MAX;
use crate::options::Format;

/// The stream and the place in it at which a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingEnd {
    /// Names the stream.
    pub epoch: String,
    /// The offset up to which the recording has every event, or announces it as missing.
    pub offset: u64,
    /// The channels.
    pub channels: Vec<String>,
    /// The symbols that a client of a server has recorded; empty for all.
    pub symbols: Vec<String>,
    /// Whether it has its last line. Who wrote another one was killed, and nobody knows which events followed.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    epoch: Option<&'a str>,
    offset: Option<u64>,
    from: Option<u64>,
    to: Option<u64>,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default)]
    symbols: Vec<String>,
}

/// Reads a recording to its last complete line. Returns `None` if it has none, or is no recording.
///
/// # Errors
///
/// Returns the error of the system.
pub fn recording_end(path: &Path) -> Result<Option<RecordingEnd>, ReadError> {
    let input = match Input::open(path, Format::Lines) {
        Ok(input) => input,
        Err(err) if matches!(err.fault(), Fault::Unreadable(_)) => return Err(err),
        Err(_) => return Ok(None),
    };
    let (mut text, mut bytes) = (BufReader::new(input.into_bytes()), Vec::new());
    let mut end: Option<RecordingEnd> = None;
    // An error is the end of the last frame of a file that is cut off.
    while (&mut text).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0)
        && bytes.ends_with(b"\n")
    {
        if let Ok(line) = serde_json::from_slice::<Line>(&bytes) {
            match &mut end {
                None if line.kind == "recording" => {
                    let Line { epoch, offset, channels, symbols, .. } = line;
                    let (epoch, offset) = (epoch.unwrap_or_default().to_owned(), offset.unwrap_or_default());
                    end = Some(RecordingEnd { epoch, offset, channels, symbols, is_complete: false });
                }
                None => return Ok(None),
                Some(end) => {
                    end.offset = end.offset.max(line.reach(&end.epoch));
                    end.is_complete = line.kind == "end";
                }
            }
        }
        bytes.clear();
    }
    Ok(end)
}

impl Line<'_> {
    /// Returns the offset of this epoch to which the recording goes with this line.
    fn reach(&self, epoch: &str) -> u64 {
        match (self.from, self.to) {
            (Some(_), Some(to)) if self.epoch == Some(epoch) => to,
            (Some(_), _) => 0,
            _ => self.offset.unwrap_or_default(),
        }
    }
}
