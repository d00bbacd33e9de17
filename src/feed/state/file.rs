//! Writes the file of the state: a line of JSON for the market, and one for each symbol. It is written beside the old one, which it replaces
//! when it is whole: whoever ends the process in the middle finds the old one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::domain::Timestamp;
use crate::feed::state::{Head, SymbolState, VERSION, beside};

/// Suffix of the name of a file that is not whole yet.
pub(super) const UNFINISHED: &str = ".new";

/// A file that is being written.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
}

impl StateFile {
    /// Begins a file with so many symbols, which replaces that at `path` by [`Self::finish`]. What a killed server has left beside it is
    /// overwritten.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn create(path: &Path, ts: Timestamp, symbols: usize) -> io::Result<Self> {
        let beside = beside(path, UNFINISHED);
        let mut file = BufWriter::new(File::create(&beside)?);
        let head = Head { r#type: "state".into(), version: VERSION, ts: ts.micros(), symbols };
        serde_json::to_writer(&mut file, &head)?;
        Ok(Self { path: path.into(), beside, file })
    }

    /// Adds the next symbol.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn push(&mut self, state: &SymbolState) -> io::Result<()> {
        self.file.write_all(b"\n")?;
        Ok(serde_json::to_writer(&mut self.file, state)?)
    }

    /// Puts the file into the place of the old one, after the disk has it.
    ///
    /// # Errors
    ///
    /// Returns the error of the system; the old file is then still there.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.write_all(b"\n")?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        // The new name, too, must be on the disk.
        File::open(directory(&self.path))?.sync_all()
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
