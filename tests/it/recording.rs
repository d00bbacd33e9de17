//! Reads recordings as another program would: decompresses their frames, and checks that the offsets have no hole that no line announces.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tickcast_tape::{BadRecord, Counts, ReadOptions};

/// One recording.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
    /// The complete lines.
    pub(crate) lines: Vec<Value>,
}

/// Returns the recordings of a directory in the order of their names, those included that are not complete.
pub(crate) fn recordings(directory: &Path) -> Vec<Recording> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.to_string_lossy().contains(".jsonl.zst")).collect();
    paths.sort();
    paths.into_iter().filter_map(Recording::read).collect()
}

impl Recording {
    /// Returns `None` if the file was renamed meanwhile.
    fn read(path: PathBuf) -> Option<Self> {
        let decoder = zstd::stream::read::Decoder::new(fs::File::open(&path).ok()?).unwrap();
        let (mut text, mut lines) = (BufReader::new(decoder), Vec::new());
        loop {
            let mut line = String::new();
            match text.read_line(&mut line) {
                Ok(1..) if line.ends_with('\n') => lines.push(serde_json::from_str(&line).unwrap()),
                // The end, or the middle of the last frame.
                _ => break,
            }
        }
        Some(Self { path, lines })
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.path.extension().is_some_and(|end| end == "zst")
    }

    pub(crate) fn name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["type"] == kind)
    }

    /// Returns the events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| is_event(line))
    }
}

/// Returns whether a line is an event of the stream.
pub(crate) fn is_event(line: &Value) -> bool {
    line["offset"].is_u64() && !["recording", "snapshot", "end"].contains(&line["type"].as_str().unwrap())
}

/// Checks that the recordings of every channel, in this order, have or announce every event: within each file, and from one file of an
/// epoch to the next. Returns how many events are announced as missing.
pub(crate) fn check_offsets(recordings: &[Recording]) -> u64 {
    let (mut missing, mut last, mut epoch) = (0, 0, Value::Null);
    for recording in recordings {
        let name = recording.name();
        let mut lines = recording.lines.iter();
        let Some(header) = lines.next() else { continue };
        assert_eq!((&header["type"], &header["version"]), (&"recording".into(), &1.into()), "{name}");
        let begin = header["offset"].as_u64().unwrap();
        if header["epoch"] != epoch {
            (epoch, last) = (header["epoch"].clone(), begin);
        }
        for line in lines {
            let number = |key: &str| line[key].as_u64().unwrap();
            match line["type"].as_str().unwrap() {
                "gap" if line["from"].is_u64() && line["epoch"] == epoch => {
                    assert_eq!(number("from"), last + 1, "{name}: {line}");
                    missing += number("to") + 1 - number("from");
                    last = number("to");
                }
                // Of the stream before.
                "gap" if line["from"].is_u64() => missing += number("to") + 1 - number("from"),
                "snapshot" | "end" => assert_eq!(number("offset"), last, "{name}: {line}"),
                _ => {
                    assert_eq!(number("offset"), last + 1, "{name}: {line}");
                    last += 1;
                }
            }
        }
    }
    missing
}

/// Reads a recording with the reader of replays; returns how many rows it has, and the counters.
pub(crate) fn rows(path: &Path, bad_record: BadRecord) -> (u64, Counts) {
    let mut reader = tickcast_tape::open(path, &ReadOptions { bad_record, ..ReadOptions::default() }).unwrap();
    let mut rows = 0;
    while reader.next().unwrap().is_some() {
        rows += 1;
    }
    (rows, reader.counts())
}
