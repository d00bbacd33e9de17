//! `convert`: from any format to any other, with a report of the losses.

use tickcast_tape::{BadRecord, ConvertError, Order, ReadOptions, convert};

use crate::{Folder, fixture, read, shown, symbol};

const TRADES: &str = "symbol,timestamp,price,size\n\
    SPY,2020-12-15T14:30:00Z,367.4,100\n\
    QQQ,2020-12-15T14:30:00.000001Z,300.12345,0.5\n\
    SPY,2020-12-15T14:30:01Z,367.41,1.5\n";

fn plain() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn rows_survive_every_way_through_the_formats_that_have_them() {
    let folder = Folder::new();
    let first = folder.write("in.csv", TRADES);
    let expected: Vec<_> = read(&first, &plain()).unwrap().0;
    let mut input = first;
    for name in ["1.jsonl.zst", "2.csv", "3.jsonl", "4.csv.gz", "5.csv.zst"] {
        let output = folder.path(name);
        let report = convert(&[input], &output, &plain()).unwrap();
        assert_eq!((report.read.rows, report.losses.written), (3, 3));
        assert_eq!(read(&output, &plain()).unwrap().0, expected, "{name}");
        input = output;
    }
}

#[test]
fn dbn_has_whole_shares_only_and_the_report_says_so() {
    let folder = Folder::new();
    let (input, output) = (folder.write("in.csv", TRADES), folder.path("out.dbn.zst"));
    let report = convert(&[input], &output, &plain()).unwrap();
    let lost = "3 rows read, 2 written\nlost: 1 prices rounded to four decimals\nlost: 2 sizes rounded to whole shares\n\
        lost: 1 rows before 1970, of no whole share, or of too many shares";
    assert_eq!(report.to_string(), lost);
    let rows: Vec<_> = read(&output, &plain()).unwrap().0.iter().map(shown).collect();
    assert_eq!(rows, ["trade SPY 1608042600000000 367.40 100", "trade SPY 1608042601000000 367.41 2"]);
}

#[test]
fn databentos_samples_come_back_from_every_format() {
    let folder = Folder::new();
    for name in ["trades", "mbp-1", "tbbo", "ohlcv-1s", "ohlcv-1m", "ohlcv-1h"] {
        let input = fixture(&format!("databento/{name}.dbn"));
        let expected = read(&input, &plain()).unwrap().0;
        for end in ["dbn", "dbn.zst", "jsonl.zst", "csv"] {
            let output = folder.path(&format!("{name}.{end}"));
            convert(std::slice::from_ref(&input), &output, &plain()).unwrap();
            assert_eq!(read(&output, &plain()).unwrap().0, expected, "{name} as {end}");
        }
    }
}

#[test]
fn bars_of_a_length_that_dbn_does_not_have_are_lost() {
    let folder = Folder::new();
    let text = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n\
        SPY,2020-12-15T14:30:00Z,1,1,1,1,4,4,1\nSPY,2020-12-15T14:35:00Z,1,1,1,1,4,4,1\n";
    let report = convert(&[folder.write("in.csv", text)], &folder.path("out.dbn"), &plain()).unwrap();
    assert_eq!(report.to_string(), "2 rows read, 0 written\nlost: 2 bars of a length that the format does not have");
    let report = convert(&[folder.path("in.csv")], &folder.path("out.jsonl"), &plain()).unwrap();
    assert_eq!(report.lost().count(), 0);
}

#[test]
fn several_files_become_one_in_the_order_of_time() {
    let folder = Folder::new();
    let inputs = [fixture("databento/trades.dbn"), fixture("databento/mbp-1.dbn")];
    let output = folder.path("out.jsonl");
    convert(&inputs, &output, &plain()).unwrap();
    let kinds: Vec<_> = read(&output, &plain()).unwrap().0.iter().map(|row| shown(row)[..5].to_owned()).collect();
    assert_eq!(kinds, ["quote", "quote", "trade", "trade"]);
}

/// The first symbol has more rows than are read in order to see how a file is sorted.
#[test]
fn a_long_table_that_is_sorted_by_symbol_is_converted() {
    use std::fmt::Write as _;
    let folder = Folder::new();
    let mut text = "symbol,timestamp,price,size\n".to_owned();
    for (name, count) in [("AAPL", 70_000), ("SPY", 3)] {
        (0..count).for_each(|second| writeln!(text, "{name},{},1.5,1", 1_608_042_600 + second).unwrap());
    }
    let (input, output) = (folder.write("in.csv", &text), folder.path("out.csv"));
    let report = convert(std::slice::from_ref(&input), &output, &plain()).unwrap();
    assert_eq!(report.to_string(), "70003 rows read, 70003 written");
    let rows = read(&output, &plain()).unwrap().0;
    assert_eq!(shown(&rows[1]), "trade SPY 1608042600000000 1.50 1");
    let options = ReadOptions { events_max: 70_001, ..plain() };
    let err = convert(std::slice::from_ref(&input), &output, &options).unwrap_err().to_string();
    assert!(err.contains("in.csv:70003: the file is sorted in memory") && err.contains("events_max"), "{err}");
    let err = convert(&[input], &output, &ReadOptions { order: Order::Time, ..plain() }).unwrap_err().to_string();
    assert!(err.contains("in.csv:70002: the time is 69999s before") && err.contains("--order symbol"), "{err}");
}

#[test]
fn a_mistake_leaves_no_output_behind_under_its_name() {
    let folder = Folder::new();
    let input = folder.write("in.csv", format!("{TRADES}SPY,2020-12-15T14:30:02Z,x,1\n"));
    let output = folder.path("out.csv");
    assert!(matches!(convert(std::slice::from_ref(&input), &output, &plain()), Err(ConvertError::Read(_))));
    assert!(!output.exists());
    let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
    let report = convert(&[input], &output, &options).unwrap();
    assert!(report.to_string().contains("lost: 1 records with a mistake"), "{report}");
    let err = convert(&[fixture("databento/trades.dbn")], &folder.path("out.xlsx"), &plain()).unwrap_err();
    assert!(err.to_string().contains("expected a name that ends with .jsonl, .csv or .dbn"), "{err}");
    let err = convert(&[folder.path("in.csv")], &folder.path("in.csv"), &plain()).unwrap_err();
    assert!(matches!(err, ConvertError::SameFile(_)));
    let err = convert(&[fixture("databento/trades.dbn")], &folder.path("no/such/out.csv"), &plain()).unwrap_err();
    assert!(err.to_string().contains("out.csv: cannot be written: "), "{err}");
}

#[test]
fn amendments_are_lost_in_csv() {
    let folder = Folder::new();
    let text = r#"{"type":"recording","version":1}
{"type":"cancel","symbol":"SPY","seq":1,"offset":9577,"ts":5,"trade_seq":11,"trade_ts":4,"trade_price":201.38,"trade_size":40,"kind":"cancel"}
"#;
    let report = convert(&[folder.write("in.jsonl", text)], &folder.path("out.csv"), &plain()).unwrap();
    assert_eq!(report.to_string(), "1 rows read, 0 written\nlost: 1 corrections and cancellations");
    let _ = symbol("SPY");
}

fn trade(seq: u32, ts: i64) -> String {
    format!(
        "{{\"type\":\"trade\",\"symbol\":\"SPY\",\"seq\":{seq},\"offset\":{seq},\"ts\":{ts},\"price\":1,\"size\":1}}\n"
    )
}

fn header(epoch: &str, started: i64) -> String {
    format!(
        "{{\"type\":\"recording\",\"version\":1,\"epoch\":\"{epoch}\",\"offset\":0,\"started\":{started},\"channels\":[\"trades\",\"bars.1m\"]}}\n"
    )
}

#[test]
fn only_what_is_missing_in_a_recording_is_said_to_be_lost() {
    let folder = Folder::new();
    let derived = r#"{"type":"snapshot","symbol":"SPY","offset":0,"price":1}
{"type":"day","symbol":"SPY","seq":1,"offset":2,"ts":5,"prev_close":1}
{"type":"gap","symbol":"SPY","seq":1,"offset":3,"ts":5,"since":4}
{"type":"bar","symbol":"SPY","interval":"1m","seq":1,"offset":4,"ts":0,"open":1,"high":1,"low":1,"close":1,"volume":1}
"#;
    let end = "{\"type\":\"end\",\"offset\":4}\n";
    let input = folder.write("in.jsonl", [&header("a", 1), derived, &trade(5, 5), end].concat());
    let report = convert(&[input], &folder.path("out.csv"), &plain()).unwrap();
    assert_eq!(report.to_string(), "1 rows read, 1 written");
    let gaps = "{\"type\":\"gap\",\"epoch\":\"a\",\"from\":2,\"to\":4,\"reason\":\"cursor_void\"}\n\
        {\"type\":\"gap\",\"epoch\":\"a\",\"from\":6,\"reason\":\"restarted\"}\n";
    let input = folder.write("gaps.jsonl", [&header("a", 1), &trade(1, 5), gaps, &trade(1, 6), end].concat());
    let report = convert(&[input], &folder.path("out.csv"), &plain()).unwrap();
    let lost = "2 rows read, 2 written\nlost: 3 events that the recording says were lost before\n\
        lost: 1 gaps of unknown length: the recorded server was restarted, and nobody knows how many events are missing";
    assert_eq!(report.to_string(), lost);
}

#[test]
fn a_recording_of_a_killed_server_before_the_next_epoch_is_said_to_lack_its_end() {
    let folder = Folder::new();
    let file = |name: &str, epoch: &str, started: i64, end: &str| {
        folder.write(name, [&header(epoch, started), &trade(1, started), end].concat())
    };
    let end = "{\"type\":\"end\",\"offset\":1}\n";
    let (first, second, third) = (file("1", "a", 10, ""), file("2", "a", 20, ""), file("3", "b", 30, ""));
    let lost = |inputs: &[&std::path::PathBuf]| {
        let inputs: Vec<_> = inputs.iter().copied().cloned().collect();
        let report = convert(&inputs, &folder.path("out.csv"), &plain()).unwrap();
        report.lost().map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>()
    };
    let said = ["1 recordings without an end before the next epoch: what came after their last event"];
    assert_eq!(lost(&[&third, &first, &second]), said, "the second one; the third may still be written");
    let gap = "{\"type\":\"gap\",\"epoch\":\"a\",\"from\":2,\"reason\":\"restarted\"}\n";
    let found = lost(&[&first, &second, &file("5", "b", 30, gap)]);
    assert!(found.len() == 1 && found[0].starts_with("1 gaps of unknown length"), "said once: {found:?}");
    assert_eq!(lost(&[&first, &second]), [""; 0], "the second one continues the first");
    assert_eq!(lost(&[&file("4", "a", 25, end), &third]), [""; 0]);
}

#[test]
fn each_reason_of_a_gap_of_unknown_length_is_said() {
    let folder = Folder::new();
    let gap = |reason: &str| format!("{{\"type\":\"gap\",\"epoch\":\"a\",\"from\":2,\"reason\":\"{reason}\"}}\n");
    let reasons = ["reconnected", "slow_client", "restarted", "reconnected", "another"];
    let gaps: String = reasons.into_iter().map(gap).collect();
    let input = folder.write("in.jsonl", [&header("b", 1), gaps.as_str(), &trade(1, 5)].concat());
    let report = convert(&[input], &folder.path("out.csv"), &plain()).unwrap();
    let nobody = "nobody knows how many events are missing";
    let lost: Vec<_> = report.lost().map(|(count, what)| format!("{count} {what}")).collect();
    let said = [
        format!("1 gaps of unknown length: the recorded server was restarted, and {nobody}"),
        format!("2 gaps of unknown length: the recorder had lost its connection, and {nobody}"),
        format!("1 gaps of unknown length: the recorder was too slow for the server, and {nobody}"),
        format!("1 gaps of unknown length: {nobody}"),
    ];
    assert_eq!(lost, said);
}

#[test]
fn a_converted_recording_has_its_end_unless_its_source_lacks_it() {
    let folder = Folder::new();
    let converted = |input: std::path::PathBuf, options: &ReadOptions| {
        let output = input.with_extension("out.jsonl");
        convert(&[input], &output, options).unwrap();
        output
    };
    let lost = |first: std::path::PathBuf| {
        let next = folder.write(
            "next.jsonl",
            [&header("b", 1_700_000_000_000_000), trade(1, 1_700_000_000_000_000).as_str()].concat(),
        );
        let report = convert(&[first, next], &folder.path("all.csv"), &plain()).unwrap();
        report.lost().map(|(_, what)| what).collect::<Vec<_>>()
    };
    let table = converted(folder.write("a.csv", TRADES), &plain());
    let text = std::fs::read_to_string(&table).unwrap();
    assert!(text.ends_with("{\"type\":\"end\",\"offset\":3}\n"), "{text}");
    assert_eq!(lost(table), [""; 0]);
    let end = "{\"type\":\"end\",\"offset\":1}\n";
    let whole = folder.write("whole.jsonl", [&header("a", 1), trade(1, 5).as_str(), end].concat());
    assert_eq!(lost(converted(whole, &plain())), [""; 0]);
    let said = ["recordings without an end before the next epoch: what came after their last event"];
    let killed = folder.write("killed.jsonl", [&header("a", 1), trade(1, 5).as_str()].concat());
    assert_eq!(lost(converted(killed, &plain())), said);
    let cut = folder.write("cut.jsonl", [&header("a", 1), trade(1, 5).as_str(), "{\"type\":\"tra"].concat());
    let options = ReadOptions { bad_record: BadRecord::Skip, ..plain() };
    assert_eq!(lost(converted(cut, &options)), said);
}

#[test]
fn a_table_whose_last_line_has_no_end_may_be_cut_and_the_report_says_so() {
    let folder = Folder::new();
    let (whole, cut) = (folder.write("whole.csv", TRADES), folder.write("cut.csv", &TRADES[..TRADES.len() - 3]));
    let report = convert(&[whole, cut.clone()], &folder.path("out.csv"), &plain()).unwrap();
    let warning = "no line end follows the last line: if the file is cut off there, a number is wrong";
    assert_eq!(report.warnings, [format!("{}:4: {warning}", cut.display())]);
    assert!(report.to_string().ends_with(&format!("\nwarning: {}", report.warnings[0])), "{report}");
    for length in 1..TRADES.len() {
        let input = folder.write("part.csv", &TRADES[..length]);
        let Ok(report) = convert(&[input], &folder.path("out.csv"), &plain()) else { continue };
        assert_eq!(report.warnings.is_empty(), TRADES[..length].ends_with('\n'), "{length}");
    }
}

#[test]
fn files_without_a_row_are_refused_unless_all_were_left_out_on_request() {
    let folder = Folder::new();
    let (header, zero) = ("symbol,timestamp,price,size\n", "SPY,2020-12-15T14:30:00Z,1,0\n");
    let empty = folder.write("empty.csv", header);
    let zeros = folder.write("zeros.csv", [header, zero, zero].concat());
    let output = folder.path("out.csv");
    let refused = |inputs: &[std::path::PathBuf]| {
        let complaint = convert(inputs, &output, &plain()).unwrap_err().to_string();
        assert!(!output.exists());
        complaint
    };
    assert!(refused(std::slice::from_ref(&empty)).ends_with("empty.csv: has no trade, quote or bar"));
    let found = refused(std::slice::from_ref(&zeros));
    assert!(
        found.ends_with("zeros.csv: has no trade, quote or bar: left out were 2 trades or bars of no shares"),
        "{found}"
    );
    let found = refused(&[empty, zeros]);
    assert!(
        found.contains("empty.csv: has no trade, quote or bar, and neither have the 1 other files: left"),
        "{found}"
    );
    let input = folder.write("in.csv", TRADES);
    let options = ReadOptions { only: Some([symbol("IWM")].into()), ..plain() };
    let report = convert(&[input], &output, &options).unwrap();
    assert_eq!(report.to_string(), "0 rows read, 0 written\nlost: 3 rows of other symbols");
}
