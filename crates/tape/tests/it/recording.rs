//! Recordings: what is written is what the server sends, and is read again as it was.

use tickcast_core::domain::{
    CancelKind, Correction as Corrected, Event, EventBody, Price, Quote, Size, SymbolId, Timestamp, Trade,
};
use tickcast_core::protocol::Dialect;
use tickcast_core::protocol::native::Native;
use tickcast_tape::write::{LinesWriter, RecordingFile, RecordingHeader, RowWriter};
use tickcast_tape::{Amended, BadRecord, Body, Cancel, Correction, InputBar, ReadOptions, Row, Skip};

use crate::{Folder, read, rows, symbol};

fn header(channels: &[&str]) -> RecordingHeader {
    let channels = channels.iter().map(ToString::to_string).collect();
    RecordingHeader { epoch: "6d4ca617f2f75a8d".into(), offset: 41, started: Timestamp::from_micros(7), channels }
}

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn row(micros: i64, body: Body) -> Row {
    Row { ts: Timestamp::from_micros(micros), symbol: symbol("BRK.B"), body }
}

fn examples() -> Vec<Row> {
    let trade = Amended { seq: 57, ts: Timestamp::from_micros(5), price: price("201.38"), size: size("25") };
    let bar = InputBar {
        span_micros: 60_000_000,
        open: price("201"),
        high: price("202.11"),
        low: price("200"),
        close: price("201.38"),
        volume: size("900.5"),
        trades: Some(12),
        vwap: Some(price("201.1234")),
    };
    vec![
        row(10, Body::Trade { price: price("201.38"), size: size("25"), seq: 0 }),
        row(
            11,
            Body::Quote { bid: price("201.37"), bid_size: size("100"), ask: price("201.39"), ask_size: size("400") },
        ),
        row(12, Body::Trade { price: price("201.3825"), size: size("0.000001"), seq: 0 }),
        row(13, Body::Correction(Box::new(Correction { trade, price: price("201.37"), size: size("30") }))),
        row(14, Body::Cancel(Box::new(Cancel { trade, kind: CancelKind::Error }))),
        row(15, Body::Bar(Box::new(bar))),
        row(16, Body::Bar(Box::new(InputBar { span_micros: 1_800_000_000, trades: None, vwap: None, ..bar }))),
    ]
}

fn write(folder: &Folder, name: &str, channels: &[&str], rows: &[Row]) -> std::path::PathBuf {
    let path = folder.path(name);
    let mut writer = Box::new(LinesWriter::create(&path, &header(channels)).unwrap());
    for row in rows {
        writer.write(row).unwrap();
    }
    assert!(!path.exists(), "it has another name until it is complete");
    assert_eq!(writer.finish().unwrap().written, rows.len() as u64);
    path
}

#[test]
fn rows_are_read_as_they_were_written_whether_compressed_or_not() {
    let folder = Folder::new();
    let events: Vec<_> = examples().into_iter().filter(|row| !matches!(row.body, Body::Bar(_))).collect();
    for name in ["x.jsonl", "x.jsonl.zst", "x.jsonl.gz"] {
        let (found, counts) =
            read(&write(&folder, name, &["trades", "quotes"], &examples()), &ReadOptions::default()).unwrap();
        assert_eq!(found, events, "the bars are those of the trades");
        assert_eq!(counts.skipped, [0; Skip::COUNT], "nothing is lost with them");
    }
    let bars: Vec<_> = examples().into_iter().filter(|row| matches!(row.body, Body::Bar(_))).collect();
    let path = write(&folder, "bars.jsonl", &["bars.30m", "bars.1m"], &bars);
    let (found, _) = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(found, bars[..1], "the shortest bars");
}

#[test]
fn a_recording_can_be_read_up_to_its_last_frame_while_it_is_written() {
    let folder = Folder::new();
    let mut writer = Box::new(LinesWriter::create(&folder.path("x.jsonl.zst"), &header(&["trades"])).unwrap());
    let (first, rest) = (&examples()[..3], &examples()[3..5]);
    for row in first {
        writer.write(row).unwrap();
    }
    writer.end_frame().unwrap();
    for row in rest {
        writer.write(row).unwrap();
    }
    let (found, counts) = read(&folder.path("x.jsonl.zst.part"), &ReadOptions::default()).unwrap();
    assert_eq!((found.as_slice(), counts.cut), (first, 0));
    writer.finish().unwrap();
    assert_eq!(read(&folder.path("x.jsonl.zst"), &ReadOptions::default()).unwrap().0, examples()[..5]);
}

/// Returns the event as the server sends it.
fn sent(offset: u64, seq: u64, body: EventBody) -> String {
    let mut out = Vec::new();
    Native::encode_event(&Event { offset, seq, id: SymbolId(0), symbol: symbol("BRK.B"), body }, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_lines_are_the_messages_of_the_protocol() {
    let folder = Folder::new();
    let path = write(&folder, "x.jsonl", &["trades", "quotes"], &examples());
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let first = r#"{"type":"recording","version":1,"protocol":"tickcast.v1","epoch":"6d4ca617f2f75a8d","offset":41,"started":7,"channels":["trades","quotes"]}"#;
    assert_eq!(lines[0], first);
    let ts = Timestamp::from_micros;
    let trade = Trade { ts: ts(10), price: price("201.38"), size: Size::new(25) };
    assert_eq!(lines[1], sent(42, 1, EventBody::Trade(trade)));
    let quote = Quote {
        ts: ts(11),
        bid: price("201.37"),
        bid_size: Size::new(100),
        ask: price("201.39"),
        ask_size: Size::new(400),
    };
    assert_eq!(lines[2], sent(43, 1, EventBody::Quote(quote)));
    assert!(lines[3].ends_with(r#""seq":2,"offset":44,"ts":12,"price":201.3825,"size":0.000001}"#), "{}", lines[3]);
    let wrong = Trade { ts: ts(5), ..trade };
    let correction = Corrected { ts: ts(13), trade_seq: 57, trade: wrong, price: price("201.37"), size: Size::new(30) };
    assert_eq!(lines[4], sent(45, 1, EventBody::Correction(Box::new(correction))));
    let cancel = tickcast_core::domain::Cancel { ts: ts(14), trade_seq: 57, trade: wrong, kind: CancelKind::Error };
    assert_eq!(lines[5], sent(46, 1, EventBody::Cancel(Box::new(cancel))));
    assert!(lines[6].contains(r#""interval":"1m","seq":1,"offset":47,"ts":15,"open":201.00,"#), "{}", lines[6]);
}

#[test]
fn messages_that_are_no_events_are_passed_over_and_losses_counted() {
    let folder = Folder::new();
    let text = format!(
        "{}{}\n{}\n\n{}\n{}\n{}\n",
        header(&["trades"]).line(),
        r#"{"type":"snapshot","symbol":"SPY","offset":510,"price":201.38,"seq":{"trades":9}}"#,
        r#"{"type":"lag","skipped":312,"since_offset":48300}"#,
        r#"{"type":"trade","symbol":"SPY","seq":10,"offset":573,"ts":1,"price":201.38,"size":110,"new":{"a":[1]}}"#,
        r#"{"type":"day","symbol":"SPY","seq":1,"offset":9318,"ts":1795392000000000,"prev_close":201.37}"#,
        r#"{"type":"something","new":true}"#,
    );
    let (found, counts) = read(&folder.write("x.jsonl", &text), &ReadOptions::default()).unwrap();
    assert_eq!((found.len(), counts.lost, counts.skipped(Skip::Other)), (1, 312, 1));
    assert_eq!(rows("x.jsonl", text, &ReadOptions::default()), ["trade SPY 1 201.38 110"]);
}

#[test]
fn a_recording_that_is_cut_anywhere_is_read_up_to_its_last_frame() {
    let folder = Folder::new();
    let line = |seq: usize| {
        format!(
            "{{\"type\":\"trade\",\"symbol\":\"SPY\",\"seq\":{seq},\"offset\":{seq},\"ts\":{seq},\"price\":1.00,\"size\":1}}\n"
        )
    };
    let mut file =
        RecordingFile::create(folder.0.path(), Timestamp::from_micros(0), header(&["trades"]).line().as_bytes());
    let mut ends = vec![];
    for frame in 0..3 {
        let file = file.as_mut().unwrap();
        (1..=10).for_each(|seq| file.write(line(frame * 10 + seq).as_bytes()).unwrap());
        file.end_frame().unwrap();
        ends.push(file.bytes());
    }
    let path = folder.path("1970-01-01T00-00-00Z.jsonl.zst");
    file.unwrap().finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, ends[2]);
    let options = ReadOptions { bad_record: BadRecord::Skip, ..ReadOptions::default() };
    for length in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let (rows, counts) = read(&path, &options).unwrap();
        let frames = ends.iter().filter(|end| **end <= length as u64).count();
        assert!(rows.len() >= frames * 10 && rows.len() % 10 == 0, "{length}: {} rows", rows.len());
        assert!(rows.len() == 30 || counts.cut == 1 || ends.contains(&(length as u64)) || rows.is_empty(), "{length}");
    }
}

#[test]
fn files_of_the_same_second_have_names_in_order_and_none_is_overwritten() {
    let folder = Folder::new();
    let begun = |micros| RecordingFile::create(folder.0.path(), Timestamp::from_micros(micros), b"{}\n").unwrap();
    let mut names: Vec<_> = (0..11)
        .map(|number| {
            let file = begun(number);
            let name = file.path().file_name().unwrap().to_owned();
            if number % 2 == 0 {
                file.finish().unwrap();
            }
            name
        })
        .collect();
    names.push(begun(1_000_000).path().file_name().unwrap().to_owned());
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 12);
}
