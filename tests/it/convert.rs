//! `tickcast convert` as a process: what it writes, what it says, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Ended, run};
use crate::folder::Folder;

const TRADES: &str = "symbol,timestamp,price,size\n\
    SPY,2020-12-15T14:30:00Z,367.4,100\n\
    QQQ,2020-12-15T14:30:00.000001Z,300.12345,0.5\n\
    SPY,2020-12-15T14:30:01Z,367.41,1.5\n";

fn fixture(name: &str) -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tape/fixtures").join(name))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Converts the files with these options; returns the output, and how the process has ended.
async fn convert(options: &[&str], inputs: &[&str], output: &Path) -> Ended {
    let output = text(output);
    let arguments: Vec<&str> = [&["convert"], options, inputs, &[&output]].concat();
    run(&arguments, &[]).await
}

fn written(folder: &Folder, name: &str, content: &str) -> (PathBuf, String) {
    let path = folder.path(name);
    fs::write(&path, content).unwrap();
    (path.clone(), text(&path))
}

#[actix_web::test]
async fn files_are_converted_and_what_is_lost_is_said() {
    let folder = Folder::new();
    let (_, input) = written(&folder, "in.csv", TRADES);
    let ended = convert(&[], &[&input], &folder.path("out.dbn")).await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "3 rows read, 2 written\nlost: 1 prices rounded to four decimals\nlost: 2 sizes rounded to whole shares\n\
         lost: 1 rows before 1970, of no whole share, or of too many shares\n"
    );
    let (dbn, csv) = (text(&folder.path("out.dbn")), folder.path("back.csv"));
    assert_eq!(convert(&[], &[&dbn], &csv).await.stdout, "2 rows read, 2 written\n");
    assert_eq!(
        fs::read_to_string(csv).unwrap(),
        "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size,interval,open,high,low,close,volume,trades,vwap\n\
         trade,SPY,2020-12-15T14:30:00.000000Z,367.40,100,,,,,,,,,,,,\n\
         trade,SPY,2020-12-15T14:30:01.000000Z,367.41,2,,,,,,,,,,,,\n"
    );
}

#[actix_web::test]
async fn several_files_become_one_recording_in_the_order_of_time() {
    let folder = Folder::new();
    let output = folder.path("out.jsonl");
    let (trades, quotes) = (fixture("databento/trades.dbn"), fixture("databento/mbp-1.dbn.zst"));
    let ended = convert(&[], &[&trades, &quotes], &output).await;
    assert!(ended.status.success(), "{ended:?}");
    let lines = fs::read_to_string(output).unwrap();
    assert!(lines.starts_with(r#"{"type":"recording","version":1,"protocol":"tickcast.v1""#), "{lines}");
    let times: Vec<u64> = lines
        .lines()
        .skip(1)
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["ts"].as_u64())
        .collect();
    assert!(times.len() >= 4 && times.is_sorted(), "{lines}");
}

#[actix_web::test]
async fn the_arguments_say_what_the_files_do_not() {
    let folder = Folder::new();
    let (_, bars) = written(&folder, "bars.csv", "2020-12-15 09:30,1,2,1,2,10\n2020-12-15 09:31,2,3,2,3,10\n");
    let output = folder.path("out.csv");
    let options = [
        ["--columns", "time,open,high,low,close,volume"],
        ["--tz", "America/New_York"],
        ["--symbol", "SPY"],
        ["--interval", "1m"],
        ["--format", "csv"],
    ];
    let ended = convert(&options.concat(), &[&bars], &output).await;
    assert!(ended.status.success(), "{ended:?}");
    let rows = fs::read_to_string(&output).unwrap();
    assert!(rows.contains("\nbar,SPY,2020-12-15T14:30:00.000000Z,,,,,,,1m,1.00,2.00,1.00,2.00,10,,\n"), "{rows}");

    let (_, coins) = written(&folder, "coins.csv", "symbol,timestamp,price,size\nBTC/USDT,2020-12-15T14:30:00Z,2,3\n");
    let ended = convert(&["--symbols", "BTC/USDT=BTC-USDT"], &[&coins], &output).await;
    assert_eq!(ended.stdout, "1 rows read, 1 written\n", "{ended:?}");
    assert!(fs::read_to_string(&output).unwrap().contains("trade,BTC-USDT,"));

    let (_, trades) = written(&folder, "in.csv", TRADES);
    let ended = convert(&["--only", "QQQ,IWM"], &[&trades], &output).await;
    assert!(ended.stdout.contains("1 rows read, 1 written\nlost: 2 rows of other symbols"), "{ended:?}");
}

#[actix_web::test]
async fn a_mistake_is_one_line_and_exit_code_2() {
    let folder = Folder::new();
    let (_, bad) = written(&folder, "bad.csv", "symbol,timestamp,price,size\nSPY,2020-12-15T14:30:00Z,-1,5\n");
    let output = folder.path("out.csv");
    let is = async |ended: Ended, expected: &str| {
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.starts_with("tickcast convert: ") && ended.stderr.contains(expected), "{ended:?}");
        assert!(!output.exists());
    };
    is(convert(&[], &[&bad], &output).await, "bad.csv:2: column 'price': '-1' is not a price").await;
    is(convert(&[], &["no-such-file.csv"], &output).await, "no-such-file.csv: cannot be read").await;
    is(convert(&["--tz", "Mars/Olympus"], &[&bad], &output).await, "--tz must be a time zone").await;
    is(convert(&["--interval", "2d"], &[&bad], &output).await, "--interval must be the length").await;
    is(convert(&["--format", "parquet"], &[&bad], &output).await, "--format must be").await;
    is(convert(&[], &[&bad], &folder.path("out.parquet")).await, "expected a name that ends with .jsonl").await;
    is(convert(&[], &[&bad], &folder.path("bad.csv")).await, "would be overwritten").await;

    let ended = convert(&["--bad-record", "skip"], &[&bad], &output).await;
    assert_eq!(ended.stdout, "0 rows read, 0 written\nlost: 1 records with a mistake\n", "{ended:?}");
}

#[actix_web::test]
async fn the_settings_say_how_files_are_read_and_arguments_of_the_server_are_refused() {
    let folder = Folder::new();
    let (_, trades) = written(&folder, "in.csv", "symbol,timestamp,price,size\nSPY,2020-12-15 09:30,1,5\nSPY,x,1,5\n");
    let (_, settings) =
        written(&folder, "settings.toml", "[feed]\nbad_record = \"skip\"\n[feed.replay]\ntz = \"UTC\"\n");
    let (output, name) = (folder.path("out.csv"), text(&folder.path("out.csv")));
    let ended = convert(&["--config", &settings], &[&trades], &output).await;
    assert_eq!(ended.stdout, "1 rows read, 1 written\nlost: 1 records with a mistake\n", "{ended:?}");
    assert!(fs::read_to_string(&output).unwrap().contains("2020-12-15T09:30:00.000000Z"));
    let variables = [("TICKCAST__FEED__REPLAY__TZ", "America/New_York"), ("TICKCAST__FEED__BAD_RECORD", "skip")];
    let ended = run(&["convert", &trades, &name], &variables).await;
    assert!(
        ended.status.success() && fs::read_to_string(&output).unwrap().contains("2020-12-15T14:30:00.000000Z"),
        "{ended:?}"
    );
    let ended = run(&["convert", "--tz", "Europe/Berlin", &trades, &name], &variables).await;
    assert!(
        ended.status.success() && fs::read_to_string(&output).unwrap().contains("2020-12-15T08:30:00.000000Z"),
        "{ended:?}"
    );

    fs::remove_file(&output).unwrap();
    for (options, expected) in [
        (&["--port", "8080"][..], "--port is for the server and not for a conversion"),
        (&["--strict"], "--strict is for the server and not for a conversion"),
        (&["--config", "no-such-file.toml"], "cannot read no-such-file.toml"),
    ] {
        let ended = convert(options, &[&trades], &output).await;
        assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(expected) && !output.exists(), "{ended:?}");
    }
    let ended = run(&["convert", &trades, &name], &[("TICKCAST__FEED__REPLAY__ORDER", "price")]).await;
    assert!(ended.stderr.contains("feed.replay.order must be"), "{ended:?}");
}

#[actix_web::test]
async fn files_that_are_unsorted_empty_or_pipes_are_refused_in_one_line() {
    let folder = Folder::new();
    let header = "timestamp,open,high,low,close,volume\n";
    let line = |minute: u32| format!("2020-12-15T14:{minute:02}:00Z,1,2,1,2,9\n");
    let (_, unsorted) = written(&folder, "SPY.csv", &[header, &line(32), &line(31), &line(30)].concat());
    let (_, empty) = written(&folder, "QQQ.csv", header);
    let output = folder.path("out.csv");
    for (input, expected) in [
        (unsorted.as_str(), "SPY.csv:3: the time is 60s before that of an earlier line"),
        (&empty, "QQQ.csv: has no trade, quote or bar"),
        ("/dev/stdin", "/dev/stdin: is a pipe or a device"),
    ] {
        let ended = convert(&[], &[input], &output).await;
        assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
        let ended = run(&["replay", input, "--port", "0"], &[]).await;
        assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    let ended = convert(&["--order", "symbol"], &[&unsorted], &output).await;
    assert_eq!(ended.stdout, "3 rows read, 3 written\n", "{ended:?}");
}
