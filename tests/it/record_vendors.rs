//! `tickcast record` of servers that speak the protocols of Alpaca and Massive, those of the server itself: event by event the same as the
//! recording that the server makes.

use std::collections::HashSet;

use serde_json::Value;

use crate::folder::Folder;
use crate::patience::wait_until;
use crate::record_remote::{Recorder, events, until_events};
use crate::recording::{Recording, check_offsets, digest, recordings, replayed};
use crate::spawn::{TestServer, spawn_app};

/// A stream, and the parts of events that it has.
struct Vendor {
    protocol: &'static str,
    path: &'static str,
    options: &'static [&'static str],
    /// Kinds of events of which there are many.
    kinds: &'static [&'static str],
    /// The unit of times, in microseconds.
    unit: i64,
    /// Keys that it cannot carry.
    without: &'static [&'static str],
    has_amendments: bool,
    /// The signal that ends the first recorder.
    first_end: &'static str,
}

fn market(own: &Folder) -> TestServer {
    spawn_app(|settings| {
        settings.feed.events_per_second = 3_000.0;
        // So many that nearly every trade that can be amended is.
        settings.feed.amendments_per_million_trades = 100_000;
        settings.feed.record.dir = own.root().to_str().unwrap().into();
        settings.feed.record.frame_ms = 100;
    })
}

/// Returns how many events of this type are recorded.
fn count_of(folder: &Folder, kind: &str) -> usize {
    recordings(folder.root()).iter().map(|file| file.of_type(kind).count()).sum()
}

/// Returns the kind of an event, with the interval of a bar.
fn kind(event: &Value) -> String {
    let interval = event["interval"].as_str().unwrap_or_default();
    format!("{} {interval}", event["type"].as_str().unwrap()).trim_end().to_owned()
}

impl Vendor {
    /// Returns the events of this kind as far as the stream has them, without numbers.
    fn shown(&self, files: &[Recording], wanted: &str) -> Vec<String> {
        let events = files.iter().flat_map(Recording::events).filter(|event| kind(event) == wanted);
        events.map(|event| self.text(event)).collect()
    }

    fn text(&self, event: &Value) -> String {
        let mut event = event.clone();
        let keys = event.as_object_mut().unwrap();
        for key in ["offset", "seq", "trade_seq"].iter().chain(self.without) {
            keys.remove(*key);
        }
        for key in ["ts", "trade_ts"] {
            if let Some(ts) = event[key].as_i64() {
                event[key] = ts.div_euclid(self.unit).into();
            }
        }
        event.to_string()
    }

    async fn record(&self, url: &str, folder: &Folder, signal: &str) {
        let options = ["--protocol", self.protocol, "--token", "tickcast:tickcast", "--rotate", "1s"];
        let amended = || ["correction", "cancel"].map(|kind| count_of(folder, kind));
        let (before, amended_before) = (events(folder), amended());
        let recorder = Recorder::start(url, folder, &[&options[..], self.options].concat());
        until_events(folder, before + 8_000).await;
        if self.has_amendments {
            let has_more = || amended().iter().zip(amended_before).all(|(now, before)| *now > before);
            wait_until("amendments", true, has_more).await;
        }
        let ended = recorder.end(signal).await;
        if signal == "KILL" {
            return;
        }
        assert!(ended.status.success() && ended.stdout.contains(" events recorded in "), "{ended:?}");
        assert!(!ended.stdout.contains("cannot be read") && !ended.stdout.contains("other kinds"), "{ended:?}");
    }

    /// Checks that the events of a kind are those of the server: every one after the first.
    fn check_kind(&self, own: &[Recording], recorded: &[Recording], kind: &str) {
        let (own, recorded) = (self.shown(own, kind), self.shown(recorded, kind));
        assert!(recorded.len() > 20, "{kind}: {}", recorded.len());
        // The first ones show where it began.
        let begin = own.windows(20).position(|window| *window == recorded[..20]).expect("the server has sent them");
        let differing = own[begin..].iter().zip(&recorded).find(|(own, recorded)| own != recorded);
        assert!(differing.is_none() && own.len() - begin >= recorded.len(), "{}: {kind}: {differing:?}", self.protocol);
    }

    /// Checks that each correction and cancellation of a recorded trade is recorded, and no other one.
    fn check_amendments(&self, own: &[Recording], recorded: &[Recording]) {
        let key = |event: &Value, names: [&str; 4]| names.map(|name| event[name].to_string());
        let trades = recorded.iter().flat_map(|file| file.of_type("trade"));
        let trades: Vec<_> = trades.map(|trade| key(trade, ["symbol", "ts", "price", "size"])).collect();
        let last = trades.last().unwrap().clone();
        let trades: HashSet<_> = trades.into_iter().collect();
        let is_amendment = |event: &&Value| ["correction", "cancel"].contains(&event["type"].as_str().unwrap());
        let until_last = own
            .iter()
            .flat_map(Recording::events)
            .take_while(|event| event["type"] != "trade" || key(event, ["symbol", "ts", "price", "size"]) != last);
        let of_recorded =
            |event: &&Value| trades.contains(&key(event, ["symbol", "trade_ts", "trade_price", "trade_size"]));
        let expected: Vec<_> =
            until_last.filter(is_amendment).filter(of_recorded).map(|event| self.text(event)).collect();
        let found = recorded.iter().flat_map(Recording::events).filter(is_amendment);
        let found: Vec<_> = found.map(|event| self.text(event)).collect();
        assert!(!expected.is_empty() && found.starts_with(&expected), "{expected:#?} {found:#?}");
        // Their trades are named by the numbers that the recorder has given.
        for event in recorded.iter().flat_map(Recording::events).filter(is_amendment) {
            let same = |trade: &&Value| trade["symbol"] == event["symbol"] && trade["seq"] == event["trade_seq"];
            let trade = recorded.iter().flat_map(|file| file.of_type("trade")).find(same).expect("it is recorded");
            assert_eq!((&trade["ts"], &trade["price"]), (&event["trade_ts"], &event["trade_price"]));
        }
    }

    async fn check(&self) {
        let (own, folder) = (Folder::new(), Folder::new());
        let mut server = market(&own);
        let url = format!("ws://{}{}", server.address, self.path);
        for signal in [self.first_end, "INT"] {
            self.record(&url, &folder, signal).await;
        }
        server.shut_down();
        wait_until("the end of the server", true, || server.has_ended()).await;
        let files = recordings(folder.root());
        assert!(files.iter().filter(|file| !file.is_complete()).count() <= usize::from(self.first_end == "KILL"));
        assert_eq!(check_offsets(&files), 0);
        let epochs: Vec<&Value> = files.iter().map(|file| &file.lines[0]["epoch"]).collect();
        let second =
            epochs.iter().position(|epoch| **epoch != *epochs[0]).expect("another connection is another epoch");
        assert!(second > 1, "a file each second");
        let gaps: Vec<&Value> = files.iter().flat_map(|file| file.of_type("gap")).collect();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!((&gaps[0]["epoch"], &gaps[0]["reason"]), (epochs[0], &"reconnected".into()));
        assert_eq!(files[0].lines[0]["source"], self.protocol);

        let own = recordings(own.root());
        for connection in [&files[..second], &files[second..]] {
            self.kinds.iter().for_each(|kind| self.check_kind(&own, connection, kind));
            if self.has_amendments {
                self.check_amendments(&own, connection);
            } else {
                // Those of Alpaca come with the trades, asked for or not.
                let amendments =
                    connection.iter().flat_map(|file| file.of_type("correction").chain(file.of_type("cancel")));
                assert_eq!(amendments.count(), 0);
            }
        }
        // The numbers of the trades begin again with each connection.
        let without = ["offset", "seq", "trade_seq"];
        let (_folder, again) = replayed(&files, 0.0, 1).await;
        assert_eq!(digest(&again, &without), digest(&files, &without), "the replay has the same trades and quotes");
    }
}

#[actix_web::test]
async fn the_stream_of_alpaca_is_recorded_as_the_server_records_it() {
    let vendor = Vendor {
        protocol: "alpaca",
        path: "/v2/sip",
        options: &[],
        kinds: &["trade", "quote"],
        unit: 1,
        without: &[],
        has_amendments: true,
        first_end: "TERM",
    };
    vendor.check().await;
}

#[actix_web::test]
async fn the_stream_of_alpaca_in_message_pack_is_recorded_as_the_server_records_it() {
    let vendor = Vendor {
        protocol: "alpaca",
        path: "/v2/iex",
        options: &["--codec", "msgpack", "--channels", "trades,quotes"],
        kinds: &["trade", "quote"],
        unit: 1,
        without: &[],
        has_amendments: false,
        first_end: "KILL",
    };
    vendor.check().await;
}

#[actix_web::test]
async fn the_stream_of_massive_is_recorded_as_the_server_records_it() {
    let vendor = Vendor {
        protocol: "massive",
        path: "/stocks",
        options: &[],
        kinds: &["trade", "quote", "bar 1s"],
        unit: 1_000,
        // The server names the average size of a trade, not the number of them.
        without: &["trades"],
        has_amendments: false,
        first_end: "INT",
    };
    vendor.check().await;
}
