//! `RecordingFile`: a recording that grows while the stream does, so that whatever ends the process, all but the last moment can be read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use tickcast_core::domain::Timestamp;

use crate::write::Output;

/// Most files that begin in the same second.
const SAME_SECOND_MAX: u32 = 10_000;

/// A recording in a directory: `2026-11-27T14-00-00Z.jsonl.zst`, with `.part` at the end until it is complete. Names sort in the order of
/// time.
pub struct RecordingFile {
    output: Output,
    path: PathBuf,
    /// Bytes of complete frames.
    bytes: u64,
}

impl RecordingFile {
    /// Creates a file that begins at `started` with these lines.
    ///
    /// # Errors
    ///
    /// Returns the error of the system; there is no file then.
    pub fn create(directory: &Path, started: Timestamp, first: &[u8]) -> io::Result<Self> {
        let time = DateTime::from_timestamp_micros(started.micros()).unwrap_or_default();
        let stem = time.format("%Y-%m-%dT%H-%M-%SZ").to_string();
        for number in 1..=SAME_SECOND_MAX {
            let end = if number == 1 { String::new() } else { format!("_{number:04}") };
            let path = directory.join(format!("{stem}{end}.jsonl.zst"));
            let output = match Output::create_new(&path) {
                Ok(output) => output,
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(err) => return Err(err),
            };
            let part = output.part.clone();
            let mut file = Self { output, path, bytes: 0 };
            if let Err(err) = file.write(first).and_then(|()| file.end_frame()) {
                let _ = std::fs::remove_file(part);
                return Err(err);
            }
            return Ok(file);
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Returns the name that the file has when it is complete.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes on the disk up to the end of the last frame.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds complete lines.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. Only [`Self::cut`] is left to do then.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.output.write_all(lines)
    }

    /// Ends a frame: everything so far can be read, even if the process is killed.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. Only [`Self::cut`] is left to do then.
    pub fn end_frame(&mut self) -> io::Result<()> {
        self.output.end_frame()?;
        self.bytes = self.output.written()?;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. The file keeps the end `.part` then.
    pub fn finish(self) -> io::Result<()> {
        self.output.finish()
    }

    /// Completes the file as it was at the end of the last frame.
    ///
    /// # Errors
    ///
    /// Returns the error of the system. The file keeps the end `.part` then.
    pub fn cut(self) -> io::Result<()> {
        self.output.cut(self.bytes)
    }
}
