//! `Input`: the bytes of a file, decompressed if its content is compressed, and the format that its first bytes show.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Fault, Place, ReadError};
use crate::options::Format;

/// Bytes at the beginning of a file by which its format and layout are recognised.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The first bytes of a file that is compressed with zstd.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An open file.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// The first bytes; without a byte order mark.
    pub(crate) head: Vec<u8>,
    rest: Box<dyn Read + Send>,
    pub(crate) progress: Progress,
}

/// How far a file has been read: bytes of the file as it is on the disk.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    /// Returns the bytes read so far.
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Returns the bytes of the file when it was opened.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }
}

impl Input {
    /// Opens a file.
    pub(crate) fn open(path: &Path, format: Format) -> Result<Self, ReadError> {
        let fail = |fault| ReadError::new(path, Place::File, fault);
        // Before it is opened: to open a pipe without a writer would take forever.
        let about = std::fs::metadata(path).map_err(|err| fail(Fault::Unreadable(err)))?;
        let kind = about.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_char_device() {
            let complaint = "is a pipe or a device: it is read more than once, so write it into a file first";
            return Err(fail(Fault::Format(complaint.into())));
        }
        let total = about.len();
        let file = File::open(path).map_err(|err| fail(Fault::Unreadable(err)))?;
        let progress = Progress { read: Arc::default(), total };
        let counted = Counted { file, read: progress.read.clone() };
        let mut raw = decompressed(counted).map_err(|err| ReadError::io(path, Place::File, err))?;
        let mut head = Vec::new();
        let failure = fill(&mut raw, &mut head);
        if head.is_empty() {
            return Err(match failure {
                Some(err) => ReadError::io(path, Place::File, err),
                None => fail(Fault::Empty),
            });
        }
        let rest: Box<dyn Read + Send> = match failure {
            Some(err) => Box::new(Failing(Some(err))),
            None => raw,
        };
        if head.starts_with("\u{feff}".as_bytes()) {
            head.drain(..3);
        }
        let seen = recognised(&head).map_err(|complaint| fail(Fault::Format(complaint)))?;
        let format = if format == Format::Auto { seen } else { format };
        Ok(Self { path: path.into(), format, head, rest, progress })
    }

    /// Returns all bytes, the first ones included.
    pub(crate) fn into_bytes(self) -> Box<dyn Read + Send> {
        Box::new(Cursor::new(self.head).chain(self.rest))
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A reader that has failed before its bytes were needed.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn decompressed(file: Counted) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let head = file.fill_buf()?;
    if !head.is_empty() && head.len() < ZSTD.len() && ZSTD.starts_with(head) || head == [0x1f] {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(match head {
        _ if head.starts_with(&ZSTD) => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// Reads the first bytes; returns the error after them, if one came.
fn fill(reader: &mut impl Read, head: &mut Vec<u8>) -> Option<io::Error> {
    head.resize(HEAD_BYTES_MAX, 0);
    let mut length = 0;
    let failure = loop {
        match reader.read(&mut head[length..]) {
            Ok(0) => break None,
            Ok(count) => length += count,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => break Some(err),
        }
    };
    head.truncate(length);
    failure
}

/// Returns the format of a file with these first bytes, or why it is not read.
fn recognised(head: &[u8]) -> Result<Format, String> {
    let advice = |what: &str| Err(format!("is {what}"));
    match head {
        [b'D', b'B', b'N', ..] => Ok(Format::Dbn),
        [b'P', b'A', b'R', b'1', ..] => {
            advice("Parquet, which is not read; convert it: duckdb -c \"COPY 'in.parquet' TO 'out.csv'\"")
        }
        [b'P', b'K', 3, 4, ..] => advice("a ZIP archive: unpack it first"),
        [0x51, 0x2a, 0x4d, 0x18, ..] => advice("DBZ, which came before DBN and is not read"),
        [0x89, b'H', b'D', b'F', ..] => advice("HDF5, which is not read; convert it to CSV"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => advice("Arrow, which is not read; convert it to CSV"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => advice("a spreadsheet: save it as CSV"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => advice("UTF-16: save it as UTF-8"),
        _ if head.contains(&0) => advice("binary, but neither DBN nor a compressed text"),
        _ if head.trim_ascii_start().starts_with(b"{") => Ok(Format::Lines),
        _ => Ok(Format::Csv),
    }
}
