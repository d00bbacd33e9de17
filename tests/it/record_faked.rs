//! `tickcast record` of a server that plays the vendor as its documentation has it: its messages, its errors, its ends, and garbage.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::command::Ended;
use crate::faked_vendor::{
    AUTHENTICATED, CONNECTED, Faked, MASSIVE_AUTHENTICATED, MASSIVE_CONNECTED, SECRET, SUBSCRIBED,
};
use crate::folder::Folder;
use crate::patience::wait_until;
use crate::record_remote::{events, until_events};
use crate::recording::{check_offsets, recordings};

/// The messages of a session in MessagePack.
const PACKED: &str = include_str!("../fixtures/alpaca/stream_msgpack.txt");

fn trade(id: u64, price: &str) -> String {
    format!(
        r#"{{"T":"t","S":"AAPL","i":{id},"x":"V","p":{price},"s":40,"c":["@","I"],"z":"C","t":"2026-03-02T15:04:05.123456789Z"}}"#
    )
}

/// Returns the lines of all files: their types, numbers, and why events are missing.
fn lines(folder: &Folder) -> Vec<String> {
    let mut streams = Vec::new();
    let mut place = |epoch: &Value| {
        let known = streams.iter().position(|known| known == epoch);
        known.unwrap_or_else(|| {
            streams.push(epoch.clone());
            streams.len() - 1
        })
    };
    let files = recordings(folder.root());
    let lines = files.iter().flat_map(|file| &file.lines);
    lines
        .map(|line| match line["type"].as_str().unwrap() {
            "gap" => format!("gap {} {}-{} {}", place(&line["epoch"]), line["from"], line["to"], line["reason"]),
            "recording" => format!("recording {} {}", place(&line["epoch"]), line["offset"]),
            kind => format!("{kind} {} {}", line["offset"], line["seq"]),
        })
        .collect()
}

#[actix_web::test]
async fn the_messages_of_alpacas_documentation_are_recorded_and_garbage_and_every_end_are_announced() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "alpaca", &["--symbols", "AAPL"]);
    let mut connection = vendor.accept().await;
    connection.send(CONNECTED).await;
    assert_eq!(connection.request().await, json!({"action": "auth", "key": "KEY", "secret": SECRET}));
    connection.send(AUTHENTICATED).await;
    let names = json!(["AAPL"]);
    let expected = json!({"action": "subscribe", "trades": names, "quotes": names, "bars": names, "updatedBars": names, "dailyBars": names});
    assert_eq!(connection.request().await, expected);
    connection.send(SUBSCRIBED).await;
    for frame in [
        &format!(
            r#"[{},{{"T":"q","S":"AAPL","bx":"V","bp":201.36,"bs":300,"ax":"V","ap":201.38,"as":200,"c":["R"],"z":"C","t":"2026-03-02T15:04:05.1236Z"}}]"#,
            trade(7_001, "201.37")
        ),
        r#"[{"T":"b","S":"AAPL","o":201.1,"h":201.6,"l":201.05,"c":201.37,"v":18250,"n":214,"vw":201.332,"t":"2026-03-02T15:03:00Z"}]"#,
        r#"[{"T":"u","S":"AAPL","o":201.1,"h":201.6,"l":201.05,"c":201.37,"v":18251,"n":215,"vw":201.33256,"t":"2026-03-02T15:03:00Z"}]"#,
        r#"[{"T":"d","S":"AAPL","o":201.1,"h":201.6,"l":201.05,"c":201.37,"v":18250,"n":214,"vw":201.332,"t":"2026-03-02T05:00:00Z"}]"#,
        r#"[{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T1","rm":"News pending","t":"2026-03-02T15:10:00Z","z":"C"}]"#,
        r#"[{"T":"l","S":"AAPL","u":211.4,"d":191.2,"i":"B","t":"2026-03-02T15:10:01Z","z":"C"}]"#,
        r#"[{"T":"c","S":"AAPL","x":"V","oi":7001,"op":201.37,"os":40,"oc":["@"],"ci":7002,"cp":201.27,"cs":40,"cc":["@"],"t":"2026-03-02T15:10:02Z","z":"C"}]"#,
        r#"[{"T":"x","S":"AAPL","i":7002,"x":"V","p":201.27,"s":40,"a":"C","t":"2026-03-02T15:10:03Z","z":"C"}]"#,
        // Of a trade that nobody has seen, and a quote of one side.
        r#"[{"T":"x","S":"AAPL","i":1,"x":"V","p":201.27,"s":40,"a":"C","t":"2026-03-02T15:10:03Z","z":"C"}]"#,
        r#"[{"T":"q","S":"AAPL","bx":"V","bp":0,"bs":0,"ax":"V","ap":201.38,"as":200,"c":["R"],"z":"C","t":"2026-03-02T15:04:05Z"}]"#,
        // Garbage, with good messages around it.
        &format!("[{},{},{}]", trade(7_003, "201.38"), trade(7_004, "-1"), trade(7_005, "201.39")),
        &format!("[{},{},{}]", trade(7_006, "201.38"), trade(7_007, "NaN"), trade(7_008, "201.39")),
        "<html>\u{7} busy",
        &format!("[{}]", trade(7_009, "201.40")),
    ] {
        connection.send(frame).await;
    }
    until_events(&folder, 11).await;
    // In the middle of the stream, without a word.
    drop(connection);
    let mut connection = vendor.accept_alpaca().await;
    connection.send(&format!("[{}]", trade(8_000, "201.41"))).await;
    until_events(&folder, 12).await;
    connection.send(r#"[{"T":"error","code":407,"msg":"slow client"}]"#).await;
    connection.until_end().await;
    let mut connection = vendor.accept_alpaca().await;
    connection.send(&format!("[{}]", trade(8_001, "201.42"))).await;
    until_events(&folder, 13).await;
    let ended = recorder.end("TERM").await;
    assert_eq!(
        ended.stdout,
        "13 events recorded in 3 files, 5 gaps\nnot recorded, or rounded: 3 messages that cannot be read, 2 messages of other kinds, \
         1 quotes without a bid or an ask, 1 corrections and cancellations of trades that are not known, 1 events with rounded numbers\n",
        "{ended:?}"
    );
    assert!(ended.status.success() && !ended.stderr.contains(SECRET), "{ended:?}");
    for expected in [
        "a message cannot be read: field 'p': '-1' is not a price: a number above 0 and at most 1,000,000,000: {\"T\":\"t\",\"S\":\"AAPL\",\"i\":7004,",
        "a message cannot be read: no array of messages (expected value at line 1 column",
        "<html>\\u{7} busy",
        "a message of an unknown kind: {\"T\":\"s\",\"S\":\"AAPL\",\"sc\":\"H\"",
        "the connection has ended, another one follows: 407 slow client",
    ] {
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
    check_documented(&folder);
}

/// Checks the files of the recording of the test above.
fn check_documented(folder: &Folder) {
    let files = recordings(folder.root());
    assert_eq!(check_offsets(&files), 3, "three messages are announced");
    let expected = [
        "recording 0 0",
        "trade 1 1",
        "quote 2 1",
        "bar 3 1",
        "bar 4 1",
        "bar 5 1",
        "correction 6 1",
        "cancel 7 1",
        "trade 8 2",
        "gap 0 9-9 \"bad_message\"",
        "trade 10 3",
        // The messages before the mistake.
        "trade 11 4",
        "gap 0 12-12 \"bad_message\"",
        "gap 0 13-13 \"bad_message\"",
        "trade 14 5",
        "end 14 null",
        "recording 1 0",
        "gap 0 15-null \"reconnected\"",
        "trade 1 1",
        "end 1 null",
        "recording 2 0",
        "gap 1 2-null \"slow_client\"",
        "trade 1 1",
        "end 1 null",
    ];
    assert_eq!(lines(folder), expected);
    let values = |kind: &str| files[0].of_type(kind).next().unwrap().clone();
    let ts = 1_772_463_845_123_456_i64;
    assert_eq!(
        values("trade"),
        json!({"type": "trade", "symbol": "AAPL", "seq": 1, "offset": 1, "ts": ts, "price": 201.37, "size": 40})
    );
    let correction = values("correction");
    assert_eq!((&correction["trade_seq"], &correction["trade_ts"]), (&json!(1), &json!(ts)));
    assert_eq!((&correction["trade_price"], &correction["price"]), (&json!(201.37), &json!(201.27)));
    let cancel = values("cancel");
    assert_eq!((&cancel["trade_seq"], &cancel["kind"]), (&json!(1), &json!("cancel")), "of the corrected trade");
    let bars: Vec<_> = files[0].of_type("bar").map(|bar| (&bar["interval"], &bar["trades"], &bar["vwap"])).collect();
    let [minute, updated, day] = ["1m", "1m.updated", "1d.ny"].map(Value::from);
    let (counts, vwaps) = ([json!(214), json!(215)], [json!(201.332), json!(201.3326)]);
    assert_eq!(
        bars,
        [(&minute, &counts[0], &vwaps[0]), (&updated, &counts[1], &vwaps[1]), (&day, &counts[0], &vwaps[0])]
    );
}

#[actix_web::test]
async fn the_messages_of_massives_documentation_are_recorded() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "massive", &["--symbols", "AAPL,MSFT", "--channels", "trades,bars.1m"]);
    let mut connection = vendor.accept().await;
    connection.send(MASSIVE_CONNECTED).await;
    assert_eq!(connection.request().await, json!({"action": "auth", "params": format!("KEY:{SECRET}")}));
    connection.send(MASSIVE_AUTHENTICATED).await;
    assert_eq!(connection.request().await, json!({"action": "subscribe", "params": "T.AAPL,T.MSFT,AM.AAPL,AM.MSFT"}));
    // The acknowledgement may come late, and the vendor sends all kinds of events in one frame.
    connection.send(r#"[{"ev":"T","sym":"AAPL","x":15,"i":"7001","z":3,"p":201.37,"s":40,"c":[12,37],"t":1772463845123,"q":880012},{"ev":"status","status":"success","message":"subscribed to: T.AAPL"}]"#).await;
    connection.send(r#"[{"ev":"AM","sym":"AAPL","v":18250,"av":912000,"op":200.9,"vw":201.33,"o":201.1,"c":201.37,"h":201.6,"l":201.05,"a":201.02,"z":85,"s":1772463780000,"e":1772463840000},{"ev":"T","sym":"AAPL","p":1.5,"s":0,"ds":"0.25","t":1772463845124}]"#).await;
    connection
        .send(r#"[{"ev":"LULD","T":"AAPL","h":218.02,"l":214.12,"i":[0],"z":3,"t":1601541601659000,"q":1}]"#)
        .await;
    until_events(&folder, 3).await;
    connection.send(r#"[{"ev":"status","status":"slow_consumer","message":"too slow"}]"#).await;
    connection.until_end().await;
    let mut connection = vendor.accept().await;
    connection.send(MASSIVE_CONNECTED).await;
    connection.request().await;
    connection.send(r#"[{"ev":"status","status":"auth_failed","message":"authentication failed"}]"#).await;
    // As the vendor does, without a close frame.
    drop(connection);
    let ended = recorder.finish().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.ends_with("the server refuses the key: auth_failed: authentication failed: --token must be KEY\n"),
        "{ended:?}"
    );
    assert_eq!(lines(&folder), ["recording 0 0", "trade 1 1", "bar 2 1", "trade 3 2", "end 3 null"]);
    let files = recordings(folder.root());
    let trades: Vec<_> = files[0].of_type("trade").map(|trade| (&trade["ts"], &trade["size"])).collect();
    assert_eq!(trades[1], (&json!(1_772_463_845_124_000_i64), &json!(0.25)));
    assert_eq!(files[0].of_type("bar").next().unwrap()["volume"], 18_250);
}

#[actix_web::test]
async fn messages_in_message_pack_are_asked_for_and_recorded() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "alpaca", &["--codec", "msgpack", "--channels", "trades,quotes,bars.1m"]);
    let (mut connection, kind) = vendor.accept_typed().await;
    assert_eq!(kind.as_deref(), Some("application/msgpack"));
    // The frames of the server, each after its text in JSON.
    let lines = PACKED.lines().collect::<Vec<_>>();
    let frames = lines.windows(2).filter_map(|pair| Some((pair[0].strip_prefix("# ")?, pair[1].strip_prefix("< ")?)));
    for (text, hex) in frames {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let frame: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        match text {
            _ if text.contains("error") => {}
            CONNECTED => {
                connection.0.send(Message::Binary(frame.into())).await.unwrap();
                assert_eq!(connection.request().await, json!({"action": "auth", "key": "KEY", "secret": SECRET}));
            }
            AUTHENTICATED => {
                connection.0.send(Message::Binary(frame.into())).await.unwrap();
                let all = json!(["*"]);
                let expected = json!({"action": "subscribe", "trades": all, "quotes": all, "bars": all});
                assert_eq!(connection.request().await, expected);
            }
            _ => connection.0.send(Message::Binary(frame.into())).await.unwrap(),
        }
    }
    until_events(&folder, 3).await;
    let ended = recorder.end("INT").await;
    assert_eq!(ended.stdout, "3 events recorded in 1 files, 0 gaps\n", "{ended:?}");
    let files = recordings(folder.root());
    let shown: Vec<_> = files[0].events().map(|event| (&event["symbol"], &event["ts"])).collect();
    let times = [1_772_463_845_123_456_i64, 1_772_463_845_123_600, 1_772_463_780_000_000].map(Value::from);
    let names = ["AAPL", "AMD", "KO"].map(Value::from);
    assert_eq!(shown, names.iter().zip(&times).collect::<Vec<_>>());
    let prices = ["price", "bid", "vwap"].map(|key| files[0].events().find_map(|event| event[key].as_f64()));
    assert_eq!(prices, [Some(201.37), Some(201.36), Some(201.332)]);
}

/// Records a server that answers to the key, or to the subscription, with this frame.
async fn refused(protocol: &str, is_of_key: bool, answer: &str) -> Ended {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, protocol, &["--symbols", "AAPL"]);
    let mut connection = vendor.accept().await;
    let (connected, authenticated) =
        if protocol == "massive" { (MASSIVE_CONNECTED, MASSIVE_AUTHENTICATED) } else { (CONNECTED, AUTHENTICATED) };
    connection.send(connected).await;
    connection.request().await;
    if !is_of_key {
        connection.send(authenticated).await;
        connection.request().await;
    }
    connection.send(answer).await;
    let ended = recorder.finish().await;
    assert_eq!(events(&folder), 0);
    ended
}

#[actix_web::test]
async fn a_refusal_is_one_line_and_exit_code_1() {
    let alpaca = |code: u16, msg: &str| format!(r#"[{{"T":"error","code":{code},"msg":"{msg}"}}]"#);
    let massive = |status: &str, text: &str| format!(r#"[{{"ev":"status","status":"{status}","message":"{text}"}}]"#);
    let key = "the server refuses the key: ";
    let subscription = "the server refuses the subscription: ";
    for (protocol, is_of_key, answer, expected) in [
        ("alpaca", true, alpaca(402, "auth failed"), format!("{key}402 auth failed: --token must be KEY:SECRET")),
        ("alpaca", true, alpaca(409, "insufficient subscription"), format!("{key}409 insufficient subscription")),
        ("alpaca", true, alpaca(411, "insufficient scope"), format!("{subscription}411 insufficient scope")),
        ("alpaca", false, alpaca(400, "invalid\\nsyntax"), format!("{subscription}400 invalid\\nsyntax")),
        ("alpaca", false, alpaca(405, "symbol limit exceeded"), format!("{subscription}405 symbol limit exceeded")),
        (
            "alpaca",
            false,
            alpaca(410, "invalid subscribe action for this feed"),
            format!("{subscription}410 invalid subscribe action for this feed"),
        ),
        (
            "massive",
            true,
            massive("auth_failed", "Your plan doesn't include websocket access."),
            format!("{key}auth_failed: Your plan doesn't include websocket access."),
        ),
        ("massive", false, massive("error", "not authorized"), format!("{subscription}error: not authorized")),
    ] {
        let ended = refused(protocol, is_of_key, &answer).await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let last = ended.stderr.lines().last().unwrap();
        assert!(last.ends_with(&expected), "{expected}: {ended:?}");
        assert_eq!(ended.stderr.lines().filter(|line| line.contains("ERROR")).count(), 1, "{ended:?}");
    }
}

#[actix_web::test]
async fn a_server_that_has_no_connection_left_is_asked_again_and_a_signal_ends_the_wait() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "alpaca", &[]);
    let refuse = async || {
        let mut connection = vendor.accept().await;
        connection.send(CONNECTED).await;
        connection.request().await;
        connection.send(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#).await;
        connection.until_end().await;
    };
    refuse().await;
    let mut connection = vendor.accept_alpaca().await;
    connection.send(&format!("[{}]", trade(1, "1"))).await;
    until_events(&folder, 1).await;
    drop(connection);
    refuse().await;
    let ended = recorder.end("TERM").await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "1 events recorded in 1 files, 0 gaps\n");
    assert_eq!(ended.stderr.matches("another one follows: 406 connection limit exceeded").count(), 2, "{ended:?}");
}

#[actix_web::test]
async fn with_bad_record_stop_the_first_mistake_ends_the_recording() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "alpaca", &["--bad-record", "stop"]);
    let mut connection = vendor.accept_alpaca().await;
    connection.send(&format!("[{},{},{}]", trade(1, "1"), trade(2, "0"), trade(3, "1"))).await;
    let ended = recorder.finish().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("a message cannot be read: field 'p': '0' is not a price"), "{ended:?}");
    assert_eq!(lines(&folder), ["recording 0 0", "trade 1 1", "end 1 null"], "the file is complete");
}

#[actix_web::test]
async fn a_server_that_sends_only_garbage_neither_ends_the_recorder_nor_fills_its_log() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let recorder = vendor.record(&folder, "alpaca", &[]);
    let mut connection = vendor.accept_alpaca().await;
    let garbage = format!("[{}]", vec![r#"{"T":"t"}"#; 1_000].join(","));
    for _ in 0..20 {
        connection.send(&garbage).await;
    }
    connection.0.send(Message::Binary(vec![0xdd, 0xff, 0xff, 0xff, 0xff, 0x81].into())).await.unwrap();
    connection.send(&format!("[{}]", trade(1, "1"))).await;
    wait_until("the trade", 1, || trades(&folder)).await;
    let ended = recorder.end("INT").await;
    assert!(ended.stdout.starts_with("1 events recorded in 1 files, 20001 gaps\n"), "{ended:?}");
    assert!(ended.stderr.lines().count() < 20 && ended.stderr.contains("the next ones are only counted"), "{ended:?}");
    let missing: HashSet<_> = recordings(folder.root())[0].of_type("gap").map(|gap| gap["from"].as_u64()).collect();
    assert_eq!(missing.len(), 20_001);
}

fn trades(folder: &Folder) -> usize {
    recordings(folder.root()).iter().map(|file| file.of_type("trade").count()).sum()
}

#[actix_web::test]
async fn a_server_that_falls_silent_before_or_after_the_subscription_is_left() {
    let (early, late) = (Faked::new().await, Faked::new().await);
    let folders = [Folder::new(), Folder::new()];
    let recorders =
        [&early, &late].into_iter().zip(&folders).map(|(vendor, folder)| vendor.record(folder, "alpaca", &[]));
    let recorders: Vec<_> = recorders.collect();
    // Nobody reads these connections any more, so that no ping is answered.
    let (_mute, mut connection) = (early.accept().await, late.accept_alpaca().await);
    connection.send(&format!("[{}]", trade(1, "1"))).await;
    tokio::join!(early.accept(), late.accept());
    for recorder in recorders {
        let ended = recorder.end("INT").await;
        assert!(ended.status.success() && ended.stderr.contains("another one follows: silence"), "{ended:?}");
    }
    assert_eq!([events(&folders[0]), events(&folders[1])], [0, 1]);
}

#[actix_web::test]
async fn a_server_that_ends_every_connection_is_asked_ever_more_rarely() {
    let (vendor, folder) = (Faked::new().await, Folder::new());
    let (recorder, began) = (vendor.record(&folder, "alpaca", &[]), Instant::now());
    for _ in 0..4 {
        drop(vendor.accept_alpaca().await);
    }
    // 250, 500 and 1,000 ms.
    assert!(began.elapsed() >= Duration::from_millis(1_750));
    let ended = recorder.end("INT").await;
    assert!(ended.status.success(), "{ended:?}");
    let gaps = lines(&folder).iter().filter(|line| line.contains("reconnected")).count();
    assert_eq!(gaps + 1, recordings(folder.root()).len(), "{ended:?}");
}
