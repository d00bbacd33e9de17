//! Reads the files that settings name, without being blocked by a pipe or filled by a device.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The permission to write for everybody (chmod(1)).
const WRITABLE_FOR_ALL: u32 = 0o002;
/// The permission to read for everybody.
const READABLE_FOR_ALL: u32 = 0o004;

/// Why a file of keys or of revocations cannot be used. Displays as one line that names the setting and the file.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {}: {complaint}", path.display())]
pub struct KeyFileError {
    setting: &'static str,
    path: PathBuf,
    complaint: String,
}

impl KeyFileError {
    /// Returns the error of the file that this setting names.
    pub(super) fn new(setting: &'static str, path: impl Into<PathBuf>, complaint: impl Into<String>) -> Self {
        Self { setting, path: path.into(), complaint: complaint.into() }
    }
}

/// The result of reading a file of the settings again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reread {
    /// It was good, and holds from now on.
    Reloaded,
    /// It is bad, for this reason in one line, and the old one stays.
    Kept(String),
    /// It is an address, which is being asked: the log tells the result.
    Asked,
}

impl Reread {
    /// Returns the word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reloaded => "reloaded",
            Self::Kept(_) => "kept",
            Self::Asked => "asked",
        }
    }
}

/// Reads a regular file of at most `bytes_max` bytes.
///
/// # Errors
///
/// Returns the reason in words: the error of the operating system, or a rule that the file breaks.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    // A pipe would block the thread until somebody writes to it.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(|err| err.to_string())?;
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(|err| err.to_string())?;
    let metadata = file.metadata().map_err(|err| err.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file but a directory, a pipe or a device".into());
    }
    if metadata.permissions().mode() & WRITABLE_FOR_ALL != 0 {
        return Err("everybody may write to it (chmod o-w)".into());
    }
    let too_long = format!("it has more than {bytes_max} bytes");
    if metadata.len() > bytes_max {
        return Err(too_long);
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|err| err.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_long);
    }
    Ok(bytes)
}

/// Returns whether everybody on this machine may read the file.
///
/// # Errors
///
/// Returns the error of the operating system.
pub(super) fn is_readable_for_all(path: &Path) -> Result<bool, String> {
    let metadata = fs::metadata(path).map_err(|err| err.to_string())?;
    Ok(metadata.permissions().mode() & READABLE_FOR_ALL != 0)
}

/// Reads a text.
///
/// # Errors
///
/// As [`read`]; also if the file is not UTF-8.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    String::from_utf8(read(path, bytes_max)?).map_err(|_| "it is not UTF-8".into())
}

/// Returns a secret without the end of its line, which editors and `openssl rand` add.
pub(super) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
