//! Bad input: each file has one line of complaint that names file, line or record, column, and what was expected.

use std::io::Write;
use std::path::Path;

use tickcast_tape::{BadRecord, ReadOptions, Skip, open};

use crate::{Folder, complaint, fixture, read};

const HEADER: &str = "symbol,timestamp,price,size\n";

fn plain() -> ReadOptions {
    ReadOptions::default()
}

fn trade(price: &str) -> String {
    format!("{HEADER}SPY,2020-12-15T14:30:00Z,{price},1\n")
}

#[test]
fn a_file_that_is_missing_empty_or_no_file() {
    let missing = open(Path::new("no/such.csv"), &plain()).err().unwrap().to_string();
    assert!(missing.starts_with("no/such.csv: cannot be read: No such file"), "{missing}");
    assert_eq!(complaint("x.csv", "", &plain()), "x.csv: is empty");
    assert_eq!(complaint("x.csv", "\u{feff}\n\r\n", &plain()), "x.csv: is empty");
    let folder = Folder::new();
    assert!(open(folder.0.path(), &plain()).err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn a_pipe_or_a_device_is_refused_before_it_is_opened() {
    let folder = Folder::new();
    let (pipe, socket) = (folder.path("pipe"), folder.path("socket"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [pipe.as_path(), &socket, Path::new("/dev/null")] {
        let found = open(path, &ReadOptions { bad_record: BadRecord::Skip, ..plain() }).err().unwrap().to_string();
        let expected = "is a pipe or a device: it is read more than once, so write it into a file first";
        assert_eq!(found, format!("{}: {expected}", path.display()));
    }
}

#[test]
fn a_file_of_another_format() {
    for (content, part) in [
        (&b"PAR1\x15\x04"[..], "is Parquet, which is not read; convert it: duckdb"),
        (b"PK\x03\x04\x14\x00", "is a ZIP archive: unpack it first"),
        (b"\xff\xfes\x00y\x00", "is UTF-16: save it as UTF-8"),
        (b"\x89HDF\r\n\x1a\n", "is HDF5"),
        (b"\x51\x2a\x4d\x18\x00\x00", "is DBZ"),
        (b"\x00\x01\x02\x03", "is binary"),
        (b"DBN\x04\x00\x00\x00\x00", "is DBN of version 4, expected 1 to 3"),
        (b"DBN", "is DBN of version 0"),
        (b"DBN\x03\x00", "is cut off: it ends in the middle of its metadata"),
        (b"DBN\x03\xff\xff\xff\xff", "has metadata of 4294967295 bytes"),
    ] {
        let found = complaint("x", content, &plain());
        assert!(found.starts_with(&format!("x: {part}")), "{found}");
    }
}

#[test]
fn a_table_of_unknown_columns() {
    let found = complaint("x.csv", "date,open,close\n", &plain());
    assert!(found.starts_with("x.csv:1: the first line is 'date,open,close', expected a header of trades"), "{found}");
    let found = complaint("x.csv", "2020-12-15,1,2,3,4,5\n", &plain());
    assert!(found.contains("`columns` can name the columns"), "{found}");
}

#[test]
fn a_line_with_too_few_or_too_many_columns() {
    let found = complaint("x.csv", format!("{HEADER}SPY,2020-12-15T14:30:00Z,1\n"), &plain());
    assert_eq!(found, "x.csv:2: 3 columns, expected 4 (trades)");
    let found = complaint("x.csv", format!("{HEADER}SPY,2020-12-15T14:30:00Z,1,000,1\n"), &plain());
    assert_eq!(found, "x.csv:2: 5 columns, expected 4 (trades)");
}

#[test]
fn prices_that_are_negative_zero_out_of_range_or_no_numbers() {
    for price in ["-1", "0", "0.00001", "1000000001", "1e300", "NaN", "inf", "abc", "\"1,5\"", "\"1,234.5\"", "1.", "٣"]
    {
        let found = complaint("x.csv", trade(price), &plain());
        let expected = "a price: a decimal number with a point, above 0 and at most 1,000,000,000";
        assert!(found.starts_with("x.csv:2: column 'price': '") && found.ends_with(expected), "{price}: {found}");
    }
    let found = complaint("x.csv", format!("{HEADER}SPY,2020-12-15T14:30:00Z,1,-1\n"), &plain());
    assert!(found.starts_with("x.csv:2: column 'size': '-1' is not a size"), "{found}");
}

#[test]
fn numbers_with_a_decimal_comma_or_in_two_styles() {
    let header = HEADER.replace(',', ";");
    let found = complaint("x.csv", format!("{header}SPY;2020-12-15T14:30:00Z;367,4;1\n"), &plain());
    assert_eq!(
        found,
        "x.csv:2: column 'price': '367,4' is not a price: a decimal number with a point, above 0 and at most 1,000,000,000"
    );
    let text = format!("{header}SPY;2020-12-15T14:30:00Z;367.4;1\nSPY;2020-12-15T14:30:01Z;367,5;1\n");
    assert!(complaint("x.csv", text, &plain()).starts_with("x.csv:3: column 'price': '367,5'"));
    for exponent in ["1e-2147483648", "1e2147483647", "1e99999999999"] {
        assert!(complaint("x.csv", trade(exponent), &plain()).starts_with("x.csv:2: column 'price'"), "{exponent}");
    }
}

#[test]
fn the_line_is_right_whatever_the_line_ends_and_the_quotes() {
    for (end, line) in [("\n", 5), ("\r\n", 5), ("\n\n", 9)] {
        let text = [
            "\u{feff}symbol,timestamp,price,size",
            "\"SPY\",1608042600,1,\"1\"",
            "SPY,1608042601,2,1",
            "SPY,1608042602,3,1",
            "SPY,1608042603,x,1",
            "",
        ];
        let found = complaint("x.csv", text.join(end), &plain());
        assert!(found.starts_with(&format!("x.csv:{line}: column 'price': 'x'")), "{found}");
    }
    let found =
        complaint("x.csv", format!("id,{HEADER}\"two\nlines\",SPY,1608042600,1,1\n3,SPY,1608042600,x,1\n"), &plain());
    assert!(found.starts_with("x.csv:4: column 'price': 'x'"), "{found}");
}

#[test]
fn a_text_that_ends_in_the_middle_of_a_line() {
    let text = format!("{}SPY,2020-12-15T14:30:01Z,36", trade("1"));
    assert_eq!(complaint("x.csv", &text, &plain()), "x.csv:3: 3 columns, expected 4 (trades)");
    let folder = Folder::new();
    let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
    let (rows, counts) = read(&folder.write("x.csv", &text), &options).unwrap();
    assert_eq!((rows.len(), counts.skipped(Skip::Bad)), (1, 1));
}

#[test]
fn a_bar_whose_prices_do_not_enclose_each_other() {
    let bars = |line: &str| format!("date,open,high,low,close,volume\n2020-12-14,2,3,1,2,9\n2020-12-15,{line},9\n");
    for (line, expected) in [
        ("2,1,1,1", "column 'high': '1.00' is not at least open, 2.00"),
        ("2,3,1,4", "column 'high': '3.00' is not at least close, 4.00"),
        ("2,3,2.5,3", "column 'low': '2.50' is not at most open, 2.00"),
    ] {
        assert_eq!(complaint("SPY.csv", bars(line), &plain()), format!("SPY.csv:3: {expected}"));
    }
}

#[test]
fn a_symbol_that_is_too_long_or_missing() {
    let found = complaint("x.csv", trade("1").replace("SPY", "ABCDEFGHIJKLMNOP"), &plain());
    let expected = "x.csv:2: column 'symbol': 'ABCDEFGHIJKLMNOP' is not a symbol: a symbol has 1 to 15 characters; `symbols` can give it one";
    assert_eq!(found, expected);
    assert!(complaint("x.csv", trade("1").replace("SPY", ""), &plain()).contains("'' is not a symbol"));
    let bars = "date,open,high,low,close,volume\n2020-12-14,2,3,1,2,9\n";
    let found = complaint("intraday.csv", bars, &plain());
    assert!(found.ends_with("is not named after one (SPY.csv): `symbol` can say it"), "{found}");
}

#[test]
fn times_without_a_zone_or_of_two_styles() {
    let line = |time: &str| format!("SPY,{time},1,1\n");
    let found = complaint("x.csv", format!("{HEADER}{}", line("2020-12-15 09:30")), &plain());
    assert_eq!(found, "x.csv:2: the times have no offset from UTC: `tz` can name their time zone");
    let text = format!("{HEADER}{}{}", line("2020-12-15 09:30Z"), line("2020-12-15 09:31"));
    let found = complaint("x.csv", text, &plain());
    let expected = "x.csv:3: column 'timestamp': '2020-12-15 09:31' is not a time with an offset from UTC like the first one of the file";
    assert_eq!(found, expected);
    let found = complaint("x.csv", format!("{HEADER}{}", line("12/15/2020 09:30")), &plain());
    assert!(found.contains("is not a time such as 2020-12-15T09:30:00-05:00"), "{found}");
}

#[test]
fn times_of_two_zones_are_right_if_they_have_an_offset_and_refused_if_they_have_a_name() {
    let line = |time: &str| format!("SPY,{time},1,1\n");
    let text = format!("{HEADER}{}{}", line("2020-12-15 09:30:00-05:00"), line("2020-12-15T15:31:00+01:00"));
    let expected = ["trade SPY 1608042600000000 1.00 1", "trade SPY 1608042660000000 1.00 1"];
    assert_eq!(crate::rows("x.csv", text, &plain()), expected);
    let found = complaint("x.csv", format!("{HEADER}{}", line("2020-12-15 09:30:00 EST")), &plain());
    assert!(
        found.starts_with("x.csv:2: column 'timestamp': '2020-12-15 09:30:00 EST' is not a time such as"),
        "{found}"
    );
}

#[test]
fn times_that_no_clock_shows_or_beyond_the_years_that_are_read() {
    let options = ReadOptions { tz: Some(chrono_tz::America::New_York), ..plain() };
    let line = |time: &str| format!("{HEADER}SPY,2020-12-15 09:30,1,1\nSPY,{time},1,1\n");
    let found = complaint("x.csv", line("2021-03-14 02:30"), &options);
    let expected = "x.csv:3: column 'timestamp': '2021-03-14 02:30' is not a time in America/New_York: the clocks were set forward";
    assert_eq!(found, expected);
    for time in [
        "2021-02-29 09:30",
        "2020-12-15 24:00",
        "2020-12-15 9:30",
        "1799-12-31 09:30",
        "2262-01-01 09:30",
        "2020-12-150930",
    ] {
        let found = complaint("x.csv", line(time), &options);
        assert!(found.starts_with(&format!("x.csv:3: column 'timestamp': '{time}' is not a time such as")), "{found}");
    }
    let tardis = |time: &str| format!("exchange,symbol,timestamp,local_timestamp,price,amount\nx,SPY,{time},1,1,1\n");
    let any = |time: &str| format!("{HEADER}SPY,{time},1,1\n");
    for text in [
        any("99999999999"),
        any("99999999999999999"),
        any("99999999999999999999"),
        tardis("99999999999999999"),
        tardis("9223372036854775807"),
    ] {
        let found = complaint("x.csv", &text, &plain());
        assert!(
            found.starts_with("x.csv:2: column 'timestamp'") && found.contains("of the years 1800 to 2261"),
            "{found}"
        );
    }
}

#[test]
fn bars_whose_length_is_not_to_be_seen() {
    let bars = "timestamp,open,high,low,close,volume\n2020-12-15T14:30:00Z,1,1,1,1,9\n";
    let found = complaint("SPY.csv", bars, &plain());
    assert_eq!(found, "SPY.csv: does not show the length of its bars (1s to 1d): `interval` can say it");
}

#[test]
fn a_compressed_file_that_is_cut_off() {
    use std::fmt::Write as _;
    let mut text = HEADER.to_owned();
    for second in 0..100_000 {
        writeln!(text, "SPY,{},1.{second},1", 1_608_042_600 + second).unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let zstd = zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    for content in [gzip.finish().unwrap(), zstd] {
        let cut = &content[..content.len() / 2];
        let found = complaint("x.csv", cut, &plain());
        assert!(
            found.starts_with("x.csv:")
                && found.ends_with(": is cut off: it ends in the middle of its compressed data"),
            "{found}"
        );
        let folder = Folder::new();
        let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
        let (rows, counts) = read(&folder.write("x.csv", cut), &options).unwrap();
        assert!((1_000..100_000).contains(&rows.len()), "those before the cut: {}", rows.len());
        assert_eq!(counts.cut, 1);
        assert!(complaint("x.csv", &content[..20], &plain()).ends_with("the middle of its compressed data"));
    }
}

#[test]
fn a_quote_that_is_never_closed() {
    let text = format!("{HEADER}\"SPY,2020-12-15T14:30:00Z,1,1\n{}", "SPY,2020-12-15T14:30:00Z,1,1\n".repeat(10_000));
    let found = complaint("x.csv", text, &plain());
    assert_eq!(found, "x.csv:2: the line is too long, perhaps for a quote that is not closed");
}

#[test]
fn a_record_with_a_mistake_is_skipped_and_counted_if_that_is_asked_for() {
    let text =
        format!("{}SPY,2020-12-15T14:30:01Z,x,1\nSPY,2020-12-15T14:30:02Z\nSPY,2020-12-15T14:30:03Z,2,1\n", trade("1"));
    assert!(complaint("x.csv", &text, &plain()).starts_with("x.csv:3: column 'price': 'x'"));
    let folder = Folder::new();
    let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
    let (rows, counts) = read(&folder.write("x.csv", &text), &options).unwrap();
    assert_eq!((rows.len(), counts.rows, counts.skipped(Skip::Bad)), (2, 2, 2));
}

#[test]
fn what_a_complaint_quotes_is_short_whatever_it_is() {
    for text in ["x".repeat(5_000), "\u{10ffff}".repeat(5_000)] {
        assert!(complaint("x.csv", &text, &plain()).chars().count() < 500);
        assert!(complaint("x.csv", trade(&text), &plain()).chars().count() < 300);
    }
}

#[test]
fn control_characters_of_a_file_are_not_shown() {
    let found = complaint("x.csv", trade("\"1\n\u{1b}[31m2\""), &plain());
    assert!(found.starts_with("x.csv:2: column 'price': '1\\n\\u{1b}[31m2' is not"), "{found}");
}

#[test]
fn dbn_of_another_schema_or_cut_off() {
    for (name, schema) in [("mbo", "mbo"), ("definition", "definition")] {
        let err = open(&fixture(&format!("databento/{name}.dbn")), &plain()).err().unwrap().to_string();
        let expected = format!(
            "{name}.dbn: has the schema {schema}, expected one of trades, tbbo, mbp-1, bbo-1s, bbo-1m, ohlcv-1s, ohlcv-1m, ohlcv-1h, ohlcv-1d, ohlcv-eod"
        );
        assert!(err.ends_with(&expected), "{err}");
    }
    let content = std::fs::read(fixture("databento/trades.dbn")).unwrap();
    for length in 9..content.len() {
        let folder = Folder::new();
        let path = folder.write("x.dbn", &content[..length]);
        let records = content.len() - 2 * 48;
        match read(&path, &plain()) {
            Ok((rows, _)) => assert_eq!(rows.len() * 48, length - records, "only between two records"),
            Err(err) if length < records => assert!(err.to_string().ends_with("the middle of its metadata"), "{err}"),
            Err(err) => {
                let record = (length - records) / 48 + 1;
                let text = format!("x.dbn: record {record}: is cut off: it ends in the middle of a record");
                assert!(err.to_string().ends_with(&text), "{err}");
                let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
                let (rows, counts) = read(&path, &options).unwrap();
                assert_eq!((rows.len(), counts.cut), (record - 1, 1));
            }
        }
    }
}

#[test]
fn a_recording_of_another_version_without_header_or_cut_off() {
    let header = "{\"type\":\"recording\",\"version\":1,\"new\":[]}\n";
    let event = "{\"type\":\"trade\",\"symbol\":\"SPY\",\"seq\":1,\"offset\":1,\"ts\":1,\"price\":1.00,\"size\":1}\n";
    let found = complaint("x.jsonl", header.replace(":1,", ":2,"), &plain());
    assert_eq!(found, "x.jsonl:1: is a recording of version 2, expected at most 1");
    let found = complaint("x.jsonl", event, &plain());
    assert!(found.contains("is not line 1 of a recording: {\"type\":\"recording\""), "{found}");
    let found = complaint("x.jsonl", format!("{header}{}", &event[..50]), &plain());
    assert_eq!(found, "x.jsonl:2: is cut off: it ends in the middle of a line");
    let found = complaint("x.jsonl", format!("{header}{event}{}\n", &event[..50]), &plain());
    assert!(
        found.starts_with("x.jsonl:3: '{\\\"type") && found.contains("is not a message of the protocol"),
        "{found}"
    );
    let found = complaint("x.jsonl", format!("{header}{}", event.replace("1.00", "-1.00")), &plain());
    assert!(found.starts_with("x.jsonl:2: column 'price': '-1.00' is not a price"), "{found}");
    let long = format!("\"{}\"", "x".repeat(10_000));
    let found =
        complaint("x.jsonl", format!("{header}{}", event.replace("\"ts\":1", &format!("\"ts\":{long}"))), &plain());
    assert!(found.contains("is not a message of the protocol (invalid type") && found.len() < 300, "{found}");
    for (key, value, part) in [
        ("ts", "9223372036854775807", "column 'ts': '9223372036854775807' is not a time in microseconds"),
        ("seq", "9223372036854775808", "column 'seq': '9223372036854775808' is not the number of a trade"),
        ("size", "9300000000000", "column 'size': '9300000000000' is not a size"),
    ] {
        let found = complaint(
            "x.jsonl",
            format!("{header}{}", event.replace(&format!("\"{key}\":1"), &format!("\"{key}\":{value}"))),
            &plain(),
        );
        assert!(found.starts_with(&format!("x.jsonl:2: {part}")), "{found}");
    }
    let found = complaint("x.jsonl", format!("{header}{}", "x".repeat(2_000_000)), &plain());
    assert_eq!(found, "x.jsonl:2: the line has more than 1048576 bytes");
}
