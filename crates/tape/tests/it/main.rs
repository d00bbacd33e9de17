//! Tests of the readers and writers from outside: files in, rows out.

#![allow(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod convert;
mod databento;
mod layouts;
mod order;
mod outside;
mod properties;
mod recording;
mod spy;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tickcast_core::domain::Symbol;
use tickcast_tape::{Body, Counts, Merge, ReadError, ReadOptions, Reader, Row};

/// A folder that is removed at the end of the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn all(reader: &mut dyn Reader) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
    }
    Ok(rows)
}

/// Reads a file in the order of time, without the numbers of trades, which only recordings have.
fn read(path: &Path, options: &ReadOptions) -> Result<(Vec<Row>, Counts), ReadError> {
    let mut merge = Merge::open(&[path.into()], options)?;
    let mut rows = all(&mut merge)?;
    for row in &mut rows {
        if let Body::Trade { seq, .. } = &mut row.body {
            *seq = 0;
        }
    }
    Ok((rows, merge.counts()))
}

/// Returns the rows of a file of this name and content, one text for each.
fn rows(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> Vec<String> {
    let folder = Folder::new();
    let (rows, _) = read(&folder.write(name, content), options).unwrap();
    rows.iter().map(shown).collect()
}

/// Returns why a file of this name and content cannot be read, without its folder.
fn complaint(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let folder = Folder::new();
    let err = read(&folder.write(name, content), options).unwrap_err();
    let text = err.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    text.replace(&format!("{}/", folder.0.path().display()), "")
}

/// Returns a row as text: kind, symbol, microseconds, values.
fn shown(row: &Row) -> String {
    let Row { ts, symbol, body } = row;
    match body {
        Body::Trade { price, size, .. } => format!("trade {symbol} {ts} {price} {size}"),
        Body::Quote { bid, bid_size, ask, ask_size } => {
            format!("quote {symbol} {ts} {bid} {bid_size} {ask} {ask_size}")
        }
        Body::Bar(bar) => format!(
            "bar {symbol} {ts} {}s {} {} {} {} {}",
            bar.span_micros / 1_000_000,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume
        ),
        other => format!("{other:?}"),
    }
}
