//! Random clients of keys with different delays and symbols, over every transport and from one to the other with their cursors, against a
//! model: what a client receives at a time is what a client of the present had received so long before.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tickcast::domain::ManualClock;

use crate::client::Client;
use crate::delayed::{advance, delaying, get_at, opened, read_up_to};
use crate::event_stream::EventSource;
use crate::keyring::{KeyRing, entry, get_as, header_of};
use crate::spawn::{TestServer, spawn_app_at_rest};
use crate::view::is_event;

/// The keys: id, delay in milliseconds, and symbols, of which none means all.
const KEYS: [(&str, u64, &[&str]); 6] = [
    ("now", 0, &[]),
    ("now-some", 0, &["AAPL", "NVDA", "TSLA"]),
    ("short", 700, &[]),
    ("short-some", 700, &["AAPL", "MSFT", "NVDA"]),
    ("long", 2_500, &[]),
    ("long-some", 2_500, &["AAPL", "TSLA"]),
];
const DELAYS_MS: [u64; 2] = [700, 2_500];
const CHANNELS: [&str; 3] = ["trades", "quotes", "bars.1s"];
const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "NVDA", "TSLA"];
/// Answers over HTTP that are compared: snapshots, and bars with the open one.
const PATHS: [&str; 3] = [
    "/api/v1/snapshot?symbols=AAPL",
    "/api/v1/bars?symbol=AAPL&interval=1s",
    "/api/v1/bars?symbol=AAPL&interval=1m&limit=3",
];

type Key = (&'static str, u64, &'static [&'static str]);

/// The market as a client of the present has seen it.
struct Model {
    server: TestServer,
    clock: Arc<ManualClock>,
    /// Time since the start, in microseconds.
    time: i64,
    /// The offset of the newest event at each time at which the clock stood still.
    heads: BTreeMap<i64, u64>,
    /// Every event of the channels, by offset.
    events: BTreeMap<u64, Value>,
    /// The answers at each head, by offset and path.
    answers: BTreeMap<(u64, &'static str), Value>,
    /// The client that sees it.
    witness: Client,
}

impl Model {
    async fn start(ring: &KeyRing) -> Self {
        let (server, clock) = spawn_app_at_rest(|settings| {
            delaying(settings, ring, &DELAYS_MS);
            settings.history.memory_max_bytes = 1 << 30;
            settings.feed.events_per_second = 400.0;
            settings.feed.amendments_per_million_trades = 20_000;
            settings.feed.late_per_million_trades = 20_000;
        });
        let mut witness = Client::connect_as(server.address, "now").await;
        witness.subscribe(&["*"], &CHANNELS).await;
        let (heads, events, answers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut model = Self { server, clock, time: 0, heads, events, answers, witness };
        model.advance(0).await;
        model
    }

    /// Advances the clock, and records what a client of the present sees then.
    async fn advance(&mut self, micros: i64) {
        let head = advance(&self.server, &self.clock, micros).await;
        self.time += micros;
        self.heads.insert(self.time, head);
        for message in read_up_to(&mut self.witness, head).await {
            assert_ne!(message["type"], "lag");
            if is_event(&message) {
                self.events.insert(message["offset"].as_u64().unwrap(), message);
            }
        }
        for path in PATHS {
            let answer = get_at(&self.server, "now", path, head).await;
            self.answers.insert((head, path), answer);
        }
        for (delay_ms, id) in [(700, "short"), (2_500, "long")] {
            if self.time - micros < delay_ms * 1_000 && self.time >= delay_ms * 1_000 {
                opened(&self.server, id).await;
            }
        }
    }

    /// Returns the offset of the newest event that is due for a key; `None` if its stream has not begun.
    fn due(&self, (_, delay_ms, _): Key) -> Option<u64> {
        let time = self.time - i64::try_from(delay_ms).unwrap() * 1_000;
        self.heads.range(..=time).next_back().map(|(_, head)| *head)
    }

    /// Returns the events that a client of the key gets of its subscription between two offsets.
    fn expected(&self, asked: &Asked, after: u64, up_to: u64) -> Vec<Value> {
        let is_of = |event: &&Value| {
            let symbol = event["symbol"].as_str().unwrap();
            asked.names.iter().any(|name| name == "*" || name == symbol)
                && (asked.key.2.is_empty() || asked.key.2.contains(&symbol))
                && asked.channels.contains(&channel_of(event))
        };
        let offsets = (Bound::Excluded(after), Bound::Included(up_to));
        self.events.range(offsets).map(|(_, event)| event).filter(is_of).cloned().collect()
    }
}

/// Returns the channel of an event.
fn channel_of(event: &Value) -> &'static str {
    let place = ["trade", "quote", "bar"].iter().position(|kind| event["type"] == *kind);
    CHANNELS[place.unwrap_or_else(|| panic!("no event of these channels: {event}"))]
}

/// A subscription.
struct Asked {
    key: Key,
    names: Vec<String>,
    channels: BTreeSet<&'static str>,
}

impl Asked {
    /// Returns a random subscription, to symbols of the key or to all of them.
    fn random(rng: &mut ChaCha8Rng, key: Key) -> Self {
        let own = if key.2.is_empty() { &SYMBOLS[..] } else { key.2 };
        let names: BTreeSet<_> = (0..rng.random_range(1..3)).map(|_| (*own.choose(rng).unwrap()).to_owned()).collect();
        let names = if rng.random_bool(0.4) { vec!["*".into()] } else { names.into_iter().collect() };
        let channels = (0..rng.random_range(1..4)).map(|_| *CHANNELS.choose(rng).unwrap()).collect();
        Self { key, names, channels }
    }

    fn query(&self) -> String {
        let channels: Vec<_> = self.channels.iter().copied().collect();
        format!("symbols={}&channels={}", self.names.join(","), channels.join(","))
    }
}

/// An open stream.
enum Stream {
    WebSocket(Box<Client>),
    Sse(Box<EventSource>),
}

struct Open {
    asked: Asked,
    /// The offset up to which it has got everything.
    here: u64,
    stream: Stream,
}

impl Open {
    /// Reads everything that is due, and compares it with the model.
    async fn follow(&mut self, model: &Model) {
        let due = model.due(self.asked.key).unwrap();
        let expected = model.expected(&self.asked, self.here, due);
        let read = match &mut self.stream {
            Stream::WebSocket(client) => events_of(read_up_to(client, due).await),
            Stream::Sse(source) => {
                let mut read = Vec::new();
                while read.len() < expected.len() {
                    read.extend(events_of(source.next_messages().await.unwrap()));
                }
                read
            }
        };
        assert_eq!(read, expected, "{} from {} to {due}", self.asked.key.0, self.here);
        self.here = due;
    }
}

fn events_of(messages: Vec<Value>) -> Vec<Value> {
    assert!(messages.iter().all(|message| message["type"] != "lag"));
    messages.into_iter().filter(is_event).collect()
}

/// Returns the offset of the snapshots among messages, which is that of the hub: it may be about to get what is due.
fn offset_of_snapshots(messages: &[Value], due: u64) -> u64 {
    let snapshots = messages.iter().filter(|message| message["type"] == "snapshot");
    let offsets: BTreeSet<_> = snapshots.map(|snapshot| snapshot["offset"].as_u64().unwrap()).collect();
    assert!(offsets.len() == 1 && offsets.iter().all(|offset| *offset <= due), "{offsets:?} {due}");
    *offsets.first().unwrap()
}

/// Opens a stream of a key that has begun, after a cursor of whichever key, and checks how it begins.
async fn open(model: &Model, rng: &mut ChaCha8Rng, asked: Asked, after: Option<u64>, epoch: &str) -> Open {
    let (due, address) = (model.due(asked.key).unwrap(), model.server.address);
    let is_good = after.is_some_and(|after| after <= due);
    let mut here = after.filter(|_| is_good).unwrap_or(due);
    if rng.random_bool(0.5) {
        let mut client = Client::connect_as(address, asked.key.0).await;
        let channels: Vec<_> = asked.channels.iter().collect();
        let mut request = json!({"action": "subscribe", "symbols": asked.names, "channels": channels});
        if let Some(after) = after {
            request["after"] = json!({"epoch": epoch, "offset": after});
        }
        let answer = client.ask(request).await.pop().unwrap();
        assert_eq!(answer.get("recovered"), after.map(|_| json!(is_good)).as_ref(), "{answer}");
        if !is_good {
            let messages = read_up_to(&mut client, due).await;
            here = offset_of_snapshots(&messages, due);
            assert_eq!(events_of(messages), model.expected(&asked, here, due));
            here = due;
        }
        return Open { asked, here, stream: Stream::WebSocket(Box::new(client)) };
    }
    let after = after.map_or(String::new(), |after| format!("&after={epoch}:{after}"));
    let query = format!("{}{after}", asked.query());
    let mut source = EventSource::open_as(address, &query, &header_of(asked.key.0)).await;
    let mut read = source.next_messages().await.unwrap();
    if !is_good {
        while !read.iter().any(|message| message["type"] == "snapshot") {
            read.extend(source.next_messages().await.unwrap());
        }
        here = offset_of_snapshots(&read, due);
    }
    // Events that are due may have come already.
    let mut open = Open { asked, here, stream: Stream::Sse(Box::new(source)) };
    if let Some(last) = events_of(read.clone()).last() {
        let last = last["offset"].as_u64().unwrap();
        assert_eq!(events_of(read), model.expected(&open.asked, here, last));
        open.here = last;
    }
    open
}

/// Polls once, and returns the cursor.
async fn poll(model: &Model, asked: &Asked, after: Option<u64>, epoch: &str) -> u64 {
    let due = model.due(asked.key).unwrap();
    let cursor = after.map_or(String::new(), |after| format!("&after={epoch}:{after}"));
    let path = format!("/api/v1/poll?wait_ms=0&{}{cursor}", asked.query());
    let answer = get_as(model.server.address, asked.key.0, &path).await.json();
    let (offset, messages) = (answer["offset"].as_u64().unwrap(), answer["messages"].as_array().unwrap());
    assert!(offset <= due, "{offset} is later than {due}");
    match after.filter(|after| *after <= due) {
        Some(after) => {
            assert_eq!(answer["recovered"], true);
            assert_eq!(events_of(messages.clone()), model.expected(asked, after, offset));
        }
        None => {
            assert_eq!((&answer["recovered"], offset_of_snapshots(messages, due)), (&json!(false), offset));
        }
    }
    offset
}

#[actix_web::test]
async fn what_a_client_receives_is_what_a_client_of_the_present_had_received_so_long_before() {
    let lines = |(id, delay_ms, symbols): &Key| {
        let symbols = if symbols.is_empty() { vec!["*"] } else { symbols.to_vec() };
        entry(id, &format!("symbols = {symbols:?}\ndelay_ms = {delay_ms}"))
    };
    let ring = KeyRing::new(&KEYS.iter().map(lines).collect::<Vec<_>>());
    let mut model = Model::start(&ring).await;
    let epoch = model.witness.welcome["epoch"].as_str().unwrap().to_owned();
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let (mut streams, mut cursors): (Vec<Open>, Vec<u64>) = (Vec::new(), vec![0]);
    for _ in 0..60 {
        model.advance(rng.random_range(1..400_000)).await;
        for stream in &mut streams {
            stream.follow(&model).await;
            cursors.push(stream.here);
        }
        let key = *KEYS.choose(&mut rng).unwrap();
        let Some(due) = model.due(key) else {
            let answer = get_as(model.server.address, key.0, PATHS.choose(&mut rng).unwrap()).await;
            assert_eq!(answer.status, 503, "{}: nothing is due yet", key.0);
            continue;
        };
        for path in PATHS {
            assert_eq!(get_at(&model.server, key.0, path, due).await, model.answers[&(due, path)], "{} {path}", key.0);
        }
        let after = rng.random_bool(0.7).then(|| *cursors.choose(&mut rng).unwrap());
        let asked = Asked::random(&mut rng, key);
        if rng.random_bool(0.3) {
            cursors.push(poll(&model, &asked, after, &epoch).await);
            continue;
        }
        let mut opened = open(&model, &mut rng, asked, after, &epoch).await;
        opened.follow(&model).await;
        streams.push(opened);
        if streams.len() > 8 {
            streams.swap_remove(rng.random_range(0..8));
        }
    }
}
