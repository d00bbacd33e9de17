//! Files whose rows are not in the order of time, or come twice.

use tickcast_tape::{BadRecord, Order, ReadOptions};

use crate::{Folder, complaint, fixture, read};

const HEADER: &str = "symbol,timestamp,price,size\n";

fn plain() -> ReadOptions {
    ReadOptions::default()
}

#[test]
fn rows_out_of_order_are_sorted_or_refused_or_moved_and_counted() {
    let line = |second: u32, tenth: u32| format!("SPY,2020-12-15T14:30:{second:02}.{tenth}Z,{second}.{tenth}1,1\n");
    let text = [line(1, 0), line(2, 0), line(1, 5), line(9, 0), line(3, 0), line(9, 1)].concat();
    let folder = Folder::new();
    let path = folder.write("x.csv", format!("{HEADER}{text}"));
    let found = read(&path, &plain()).unwrap_err().to_string();
    assert!(
        found.ends_with(
            "x.csv:6: the time is 6s before that of an earlier line: sort the file by time, or use --order symbol, which sorts it \
             in memory, or --bad-record skip, which moves such lines to the newest time"
        ),
        "{found}"
    );
    let (rows, counts) = read(&path, &ReadOptions { bad_record: BadRecord::Skip, ..plain() }).unwrap();
    let shown: Vec<_> = rows.iter().map(|row| crate::shown(row)[10..].to_owned()).collect();
    let expected = ["1608042601000000 1.01 1", "1608042601500000 1.51 1", "1608042602000000 2.01 1"];
    assert_eq!(shown[..3], expected);
    assert_eq!(shown[3..], ["1608042609000000 9.01 1", "1608042609000000 3.01 1", "1608042609100000 9.11 1"]);
    assert_eq!((counts.sorted, counts.moved), (1, 1));
    let (rows, counts) = read(&path, &ReadOptions { order: Order::Symbol, ..plain() }).unwrap();
    assert_eq!((rows.len(), counts.sorted, counts.moved), (6, 0, 0));
    assert_eq!(crate::shown(&rows[3]), "trade SPY 1608042603000000 3.01 1", "at its own time");
}

#[test]
fn bars_from_the_newest_to_the_oldest_are_refused_or_sorted_in_memory() {
    let line = |minute: u32| format!("2020-12-15T14:{minute:02}:00Z,{minute},{minute},{minute},{minute},4\n");
    let text: String =
        std::iter::once("timestamp,open,high,low,close,volume\n".into()).chain((10..30).rev().map(line)).collect();
    assert!(complaint("SPY.csv", &text, &plain()).starts_with("SPY.csv:3: the time is 60s before"));
    let rows = crate::rows("SPY.csv", &text, &ReadOptions { order: Order::Symbol, ..plain() });
    assert_eq!((rows.len(), rows[0].as_str()), (20, "bar SPY 1608041400000000 60s 10.00 10.00 10.00 10.00 4"));
}

#[test]
fn records_of_dbn_out_of_order_are_refused_but_not_late_events_of_recordings() {
    let folder = Folder::new();
    let mut bytes = std::fs::read(fixture("databento/trades.dbn")).unwrap();
    // The two records have 48 bytes, and the time of reception at their 32nd: the second one an hour earlier.
    let at = bytes.len() - 16;
    let time = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&(time - 3_600_000_000_000).to_le_bytes());
    let found = complaint("x.dbn", &bytes, &plain());
    assert!(found.starts_with("x.dbn: record 2: the time is 3599.9"), "{found}");
    let event = |seq: u32, ts: i64| {
        format!(
            "{{\"type\":\"trade\",\"symbol\":\"SPY\",\"seq\":{seq},\"offset\":{seq},\"ts\":{ts},\"price\":1,\"size\":1}}\n"
        )
    };
    let text = format!("{{\"type\":\"recording\",\"version\":1}}\n{}{}", event(1, 9_000_000), event(2, 2_000_000));
    let (rows, counts) = read(&folder.write("x.jsonl", text), &plain()).unwrap();
    assert_eq!((rows.len(), counts.moved), (2, 1));
}
