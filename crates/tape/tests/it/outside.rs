//! Other programs read what is written: `databento_dbn` of Databento field by field, `DuckDB`, and pandas. `make sdk-deps` installs them.

use std::path::Path;
use std::process::Command;

use tickcast_tape::{ReadOptions, convert};

use crate::{Folder, fixture};

/// Returns the lines that `tests/sdk/tape/read.py` prints of a file.
fn seen(kind: &str, path: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/clients/tape/bin/python");
    let mut command = Command::new(&python);
    command.current_dir(&root).arg("tests/sdk/tape/read.py").arg(kind).arg(path);
    let output =
        command.output().unwrap_or_else(|err| panic!("{}: {err}: `make sdk-deps` installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(Into::into).collect()
}

const TABLE: &str = "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size,interval,open,high,low,close,volume,trades,vwap\n\
    trade,SPY,2020-12-15T14:30:00.000001Z,367.4025,100,,,,,,,,,,,,\n\
    quote,QQQ,2020-12-15T14:30:00.000002Z,,,300.01,7,300.02,8,,,,,,,,\n\
    bar,SPY,2020-12-15T14:31:00Z,,,,,,,1m,367.4,367.62,367.36,367.46,407870,,\n\
    trade,QQQ,2020-12-16T00:00:00Z,1000000000,4294967295,,,,,,,,,,,,\n";

#[test]
fn databento_reads_every_field_of_a_dbn_file_that_was_written() {
    let folder = Folder::new();
    let input = folder.write("in.csv", TABLE);
    let output = folder.path("out.dbn");
    convert(std::slice::from_ref(&input), &output, &ReadOptions::default()).unwrap();
    assert_eq!(
        seen("dbn", &output),
        [
            "3 TICKCAST None SPY,QQQ",
            "trade SPY 1608042600000001000 1608042600000001000 367402500000 100 T",
            "quote QQQ 1608042600000002000 1608042600000002000 300010000000 7 300020000000 8",
            "bar SPY 1608042660000000000 33 367400000000 367620000000 367360000000 367460000000 407870",
            "trade QQQ 1608076800000000000 1608076800000000000 1000000000000000000 4294967295 T",
        ]
    );
}

#[test]
fn databento_reads_its_own_samples_the_same_after_they_were_converted() {
    let folder = Folder::new();
    for name in ["trades", "mbp-1", "ohlcv-1s", "ohlcv-1m", "ohlcv-1h"] {
        let (input, output) = (fixture(&format!("databento/{name}.dbn")), folder.path(&format!("{name}.dbn")));
        convert(std::slice::from_ref(&input), &output, &ReadOptions::default()).unwrap();
        // Times become whole microseconds, and that at which the market counted the event is not kept.
        let shortened = |line: &String| {
            let words: Vec<_> = line.split(' ').collect();
            let times = if words[0] == "bar" { 2..3 } else { 3..4 };
            let time = words[times.clone()][0].parse::<u64>().unwrap() / 1_000;
            format!("{} {} {time} {}", words[0], words[1], words[times.end..].join(" "))
        };
        let [before, after] =
            [&input, &output].map(|path| seen("dbn", path)[1..].iter().map(shortened).collect::<Vec<_>>());
        assert_eq!(before.len(), 2);
        assert_eq!(after, before, "{name}");
    }
}

#[test]
fn duckdb_and_pandas_read_recordings_and_csv_files_that_were_written() {
    let folder = Folder::new();
    let input = folder.write("in.csv", TABLE);
    for (kind, name) in [
        ("lines", "out.jsonl.zst"),
        ("csv", "out.csv"),
        ("csv", "out.csv.gz"),
        ("pandas-lines", "out.jsonl.zst"),
        ("pandas-lines", "out.jsonl.gz"),
        ("pandas-csv", "out.csv"),
        ("pandas-csv", "out.csv.zst"),
    ] {
        let output = folder.path(name);
        convert(std::slice::from_ref(&input), &output, &ReadOptions::default()).unwrap();
        assert_eq!(
            seen(kind, &output),
            [
                "trade SPY 1608042600000001 367.4025 100 None None",
                "quote QQQ 1608042600000002 None None 300.01 300.02",
                "trade QQQ 1608076800000000 1000000000.0 4294967295 None None",
            ],
            "{kind} {name}"
        );
    }
}
