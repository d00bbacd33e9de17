//! Reads recordings as another program would: decompresses their frames, and checks that the offsets have no hole that no line announces.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tickcast::feed::replay::ReplayTime;
use tickcast::feed::{FeedKind, OnBadRecord};
use tickcast_tape::{BadRecord, Counts, ReadOptions};

use crate::folder::Folder;
use crate::http::get;
use crate::patience::{LOOK_INTERVAL, patiently, wait_until};
use crate::publish::settle;
use crate::spawn::spawn_app;

/// The types of messages that are rows of a replay.
pub(crate) const ROWS: [&str; 4] = ["trade", "quote", "correction", "cancel"];

/// How often a test kills a process, unless this variable says otherwise.
const KILLS: &str = "TICKCAST_TEST_KILLS";

/// Returns how often a test kills a process that it usually kills so often.
pub(crate) fn kills(usually: u64) -> u64 {
    std::env::var(KILLS).map_or(usually, |text| text.parse().unwrap())
}

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
    let (mut missing, mut reached) = (0, HashMap::<String, u64>::new());
    for recording in recordings {
        let name = recording.name();
        let mut lines = recording.lines.iter();
        let Some(header) = lines.next() else { continue };
        assert_eq!((&header["type"], &header["version"]), (&"recording".into(), &1.into()), "{name}");
        let epoch = header["epoch"].as_str().unwrap();
        reached.entry(epoch.into()).or_insert(header["offset"].as_u64().unwrap());
        for line in lines {
            let number = |key: &str| line[key].as_u64().unwrap();
            match line["type"].as_str().unwrap() {
                "gap" if line["from"].is_u64() => {
                    let last = reached.get_mut(line["epoch"].as_str().unwrap()).unwrap();
                    assert_eq!(number("from"), *last + 1, "{name}: {line}");
                    // Nobody knows how many events a server had published after that before it was killed.
                    if line["to"].is_u64() {
                        missing += number("to") - *last;
                        *last = number("to");
                    }
                }
                "snapshot" | "end" => assert_eq!(number("offset"), reached[epoch], "{name}: {line}"),
                _ => {
                    let last = reached.get_mut(epoch).unwrap();
                    assert_eq!(number("offset"), *last + 1, "{name}: {line}");
                    *last += 1;
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

/// Returns the digest of the trades, quotes, corrections and cancels of recordings, in order, without these keys; and how many there are.
pub(crate) fn digest(recordings: &[Recording], without: &[&str]) -> (usize, String) {
    let (mut hash, mut count) = (Sha256::new(), 0);
    for event in recordings.iter().flat_map(Recording::events) {
        if ROWS.contains(&event["type"].as_str().unwrap()) {
            let mut event = event.clone();
            for key in without {
                event.as_object_mut().unwrap().remove(*key);
            }
            hash.update(event.to_string());
            count += 1;
        }
    }
    (count, format!("{:x}", hash.finalize()))
}

/// Replays recordings at their own time with this speed and number of workers, and returns the recordings of the replay.
pub(crate) async fn replayed(recordings: &[Recording], speed: f64, workers: usize) -> (Folder, Vec<Recording>) {
    let folder = Folder::new();
    let files = recordings.iter().map(|file| file.path.to_str().unwrap().to_owned()).collect();
    let mut server = spawn_app(|settings| {
        settings.server.workers = workers;
        settings.feed.kind = FeedKind::Replay;
        settings.feed.speed = speed;
        settings.feed.bad_record = OnBadRecord::Skip;
        settings.feed.replay.files = files;
        settings.feed.replay.time = ReplayTime::Original;
        settings.feed.record.dir = folder.root().to_str().unwrap().into();
        // Less than the files have: the replay waits for the recorder.
        settings.feed.record.queue_events_max = 131_072;
    });
    patiently("the end of the replay", async {
        while get(server.address, "/api/v1/feed").await.json()["state"] != "ended" {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    })
    .await;
    // The last bars close in the step after the last event, which is when the state says so.
    settle(&server).await;
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    assert_eq!(server.metrics.record_events_lost.get(), 0);
    let replayed = self::recordings(folder.root());
    (folder, replayed)
}
