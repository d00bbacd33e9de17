//! However a file is made, reading it takes little memory. A process of its own, because its peak is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use tickcast_tape::{BadRecord, Merge, ReadOptions, Reader, recording_end};

/// Most bytes that the process may have in memory at once beyond those at its start: buffers, and a window of zstd of 8 MiB.
const PEAK_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Returns the greatest memory that the process has had since [`forget_peak`], in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn zstd_of(path: &Path, write: impl FnOnce(&mut dyn Write)) {
    let mut encoder = zstd::stream::write::Encoder::new(std::fs::File::create(path).unwrap(), 1).unwrap();
    write(&mut encoder);
    encoder.finish().unwrap();
}

fn header(text: &str, kind: &str, count: usize) -> String {
    (0..count).fold(text.to_owned(), |mut text, number| {
        writeln!(text, "{kind}{number}").unwrap();
        text
    })
}

/// Hostile files: most are a few kilobytes that decompress to hundreds of megabytes.
fn files(folder: &Path) -> Vec<(&'static str, ReadOptions)> {
    let block = vec![b'x'; 1024 * 1024];
    let repeated = |name: &str, head: &str, block: &[u8], count: usize| {
        zstd_of(&folder.join(name), |file| {
            file.write_all(head.as_bytes()).unwrap();
            (0..count).for_each(|_| file.write_all(block).unwrap());
        });
    };
    let csv = "symbol,timestamp,price,size\n";
    let recording = "{\"type\":\"recording\",\"version\":1,\"channels\":[\"trades\"]}\n";
    repeated("long_first_line.csv", "", &block, 400);
    repeated("long_line.csv", csv, &block, 400);
    repeated("open_quote.csv", &format!("{csv}\""), &block, 400);
    repeated("empty_lines.csv", csv, &vec![b'\n'; 1024 * 1024], 200);
    repeated("long_line.jsonl", recording, &block, 400);
    repeated("lines.jsonl", recording, "{\"type\":\"status\"}\n".repeat(1_000).as_bytes(), 200);
    // Names that nobody asked for, each of them another one.
    zstd_of(&folder.join("names.csv"), |file| {
        file.write_all(csv.as_bytes()).unwrap();
        let long = "X".repeat(60_000);
        for number in 0..2_000 {
            writeln!(file, "{long}{number},1608042600,1,1").unwrap();
        }
    });
    let dbn = |name: &str, length: u32, end: &[u8]| {
        let content = [b"DBN\x03".as_slice(), &length.to_le_bytes(), end].concat();
        std::fs::write(folder.join(name), content).unwrap();
    };
    dbn("metadata.dbn", 128 * 1024 * 1024, &[0; 1_000]);
    dbn("more_metadata.dbn", u32::MAX, &[0; 1_000]);
    // A file that is sorted by symbol is read into memory, but not without end.
    let by_symbol = header("ticker,correction,sip_timestamp,price,size\n", "A,0,1608042600000000000,1,", 200_000);
    std::fs::write(folder.join("by_symbol.csv"), by_symbol).unwrap();
    let skip = || ReadOptions { bad_record: BadRecord::Skip, events_max: 10_000, ..ReadOptions::default() };
    let only = || ReadOptions { only: Some(["SPY".parse().unwrap()].into()), ..skip() };
    vec![
        ("long_first_line.csv", skip()),
        ("long_line.csv", skip()),
        ("open_quote.csv", skip()),
        ("empty_lines.csv", skip()),
        ("long_line.jsonl", skip()),
        ("lines.jsonl", skip()),
        ("names.csv", only()),
        ("metadata.dbn", skip()),
        ("more_metadata.dbn", skip()),
        ("by_symbol.csv", skip()),
    ]
}

#[test]
fn no_file_takes_much_memory() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    forget_peak();
    let before = peak();
    for (name, options) in files {
        forget_peak();
        let path = folder.path().join(name);
        if path.extension().is_some_and(|end| end == "jsonl") {
            let _ = recording_end(&path);
        }
        if let Ok(mut merge) = Merge::open(&[path], &options) {
            while let Ok(Some(_)) = merge.next() {}
        }
        let taken = peak().saturating_sub(before);
        assert!(taken < PEAK_BYTES_MAX, "{name}: {taken} bytes");
    }
}
