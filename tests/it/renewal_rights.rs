//! A renewal with other rights: the subscriptions end that the new rights do not cover, the wildcard follows the symbols, and of the
//! symbols that stay no event is missed or repeated, however far the session is behind.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};
use tickcast::access::{AuthConfig, Caller, Credentials, Identity, Keys, KeysConfig, LimitsConfig, Pass};
use tickcast::domain::{ManualClock, Timestamp};
use tickcast::hub::PushConfig;
use tickcast::metrics::Metrics;
use tickcast::protocol::native::Native;
use tickcast::session::Session;

use crate::cursor_world::{AtFirst, Process, SYMBOLS};
use crate::cursor_writer::{Drained, Writer};
use crate::keyring::{KeyRing, entry, secret};

/// The rights to every symbol, now and later; smaller numbers are sets of symbols, as bits.
const EVERY: u32 = 1 << SYMBOLS;

/// Returns the keys of a server on which the key `a` has these further lines.
fn keys(more: &str) -> Arc<Keys> {
    let ring = KeyRing::new(&[entry("a", more), entry("b", "symbols = [\"*\"]")]);
    let keys_file = ring.path.to_str().unwrap().to_owned();
    let auth = AuthConfig { required: true, keys_file, renewal_ms: 0, ..AuthConfig::default() };
    let clock = Arc::new(ManualClock::new(Timestamp::default()));
    let keys = Keys::new(&KeysConfig::default(), false);
    Arc::new(keys.guarded(&auth, &LimitsConfig::default(), clock, Arc::new(Metrics::default())).unwrap())
}

/// Returns the keys of a server on which `a` has these symbols.
fn keys_with(rights: u32) -> Arc<Keys> {
    let names: Vec<_> = (0..SYMBOLS).filter(|id| rights >> id & 1 == 1).map(|id| format!("\"S{id}\"")).collect();
    keys(&format!("symbols = [{}]", if rights == EVERY { "\"*\"".into() } else { names.join(", ") }))
}

/// Returns a key that has every symbol by a pattern.
pub(crate) fn by_a_pattern() -> Identity {
    identity(&keys("symbols = [\"S?\"]"))
}

fn identity(keys: &Keys) -> Identity {
    let secret = secret("a");
    keys.identify(Some(Credentials::Token(&secret)), &Caller::default()).unwrap()
}

/// A session, and everything that it was sent.
struct Client {
    session: Session,
    writer: Writer,
    identity: Identity,
    read: Vec<Value>,
    now: Instant,
}

impl Client {
    fn join(process: &Process, keys: &Arc<Keys>) -> Self {
        let now = Instant::now();
        let mut session = process.join(0, now);
        let identity = identity(keys);
        session.entitle(&identity, Some(keys));
        Self { session, writer: Writer::default(), identity, read: Vec::new(), now }
    }

    fn send(&mut self, request: &Value) {
        self.session.receive::<Native>(request.to_string().as_bytes(), self.now).unwrap();
    }

    /// Renews the key as the server with these keys does.
    fn renew(&mut self, keys: &Arc<Keys>, token: &str) {
        let pass = Pass::new(keys.clone(), Caller::default(), self.identity.clone(), None, Arc::new(|_| {}));
        self.session.hold(pass, "", self.now);
        self.send(&json!({"action": "auth", "token": token}));
        self.identity = identity(keys);
    }

    /// Reads one write of this many messages. Returns whether there was one.
    fn drain(&mut self, limit: usize) -> bool {
        match self.writer.drain(&self.session, limit, self.now) {
            Drained::Messages(messages) => {
                self.read.extend(messages);
                true
            }
            Drained::Nothing => false,
            Drained::Ended => panic!("the session has ended"),
        }
    }

    /// Returns the messages since the last call.
    fn messages(&mut self) -> Vec<Value> {
        while self.drain(usize::MAX) {}
        std::mem::take(&mut self.read)
    }
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}

fn symbols(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["symbol"].as_str()).collect()
}

fn process() -> Process {
    Process::start(0, 1, 400, PushConfig { coalesce_ms: 0, ..PushConfig::default() })
}

#[test]
fn a_renewal_ends_what_the_new_rights_do_not_cover_and_says_what_is_left() {
    let mut process = process();
    let mut client = Client::join(&process, &keys_with(EVERY));
    client.send(&json!({"action": "subscribe", "symbols": ["S0", "S1"], "channels": ["trades", "quotes"]}));
    client.send(&json!({"action": "subscribe", "symbols": ["*"]}));
    client.messages();
    client.renew(&keys_with(0b0101), &secret("a"));
    let said = client.messages();
    assert_eq!(kinds(&said), ["auth", "subscribed"]);
    assert_eq!(said[0]["name"], "a");
    let left = json!([
        {"symbol": "*", "channels": ["trades"], "mode": "all"},
        {"symbol": "S0", "channels": ["trades", "quotes"], "mode": "all"},
    ]);
    assert_eq!((&said[1]["subscriptions"], said[1].get("id")), (&left, None));
    process.trickle(&[(0, false), (1, false), (2, false), (3, false), (0, true), (2, true)], client.now);
    assert_eq!(symbols(&client.messages()), ["S0", "S2", "S0"]);

    client.renew(&keys("symbols = [\"*\"]\nchannels = [\"quotes\"]"), &secret("a"));
    let said = client.messages();
    assert_eq!(kinds(&said), ["auth", "subscribed"]);
    assert_eq!(said[0]["limits"]["channels"], json!(["quotes"]));
    assert_eq!(said[1]["subscriptions"], json!([{"symbol": "S0", "channels": ["quotes"], "mode": "all"}]));
    process.trickle(&[(0, false), (1, true), (0, true)], client.now);
    assert_eq!(kinds(&client.messages()), ["quote"]);
}

#[test]
fn a_renewal_lowers_rates_and_the_number_of_symbols() {
    let process = process();
    let mut client = Client::join(&process, &keys_with(EVERY));
    client.send(&json!({"action": "subscribe", "symbols": ["*"], "mode": "latest"}));
    client.send(&json!({"action": "subscribe", "symbols": ["S0"], "mode": "latest", "max_hz": 1}));
    client.send(&json!({"action": "subscribe", "symbols": ["S1"], "mode": "latest", "max_hz": 9}));
    client.send(&json!({"action": "subscribe", "symbols": ["S2"]}));
    client.messages();
    client.renew(&keys("symbols = [\"*\"]\nmax_hz = 4"), &secret("a"));
    let said = client.messages();
    let left: Vec<_> = said[1]["subscriptions"].as_array().unwrap().iter().collect();
    let rates: Vec<_> = left.iter().map(|each| (&each["symbol"], &each["max_hz"])).collect();
    assert_eq!(rates, [(&json!("*"), &json!(4)), (&json!("S0"), &json!(1)), (&json!("S1"), &json!(4))]);
    client.renew(&keys("symbols = [\"*\"]\nmax_hz = 4\nsymbols_max = 2"), &secret("a"));
    let said = client.messages();
    assert_eq!(said[0]["limits"]["symbols"], 2);
    assert_eq!(said[1]["subscriptions"].as_array().unwrap().len(), 2);
    client.send(&json!({"action": "subscribe", "symbols": ["S3"], "mode": "latest"}));
    assert_eq!(client.messages()[0]["code"], "limit_exceeded");
}

#[test]
fn a_larger_key_extends_the_wildcard_with_snapshots_and_a_same_one_says_nothing() {
    let mut process = process();
    let mut client = Client::join(&process, &keys_with(0b0001));
    client.send(&json!({"action": "subscribe", "symbols": ["*"]}));
    client.messages();
    client.renew(&keys_with(0b0001), &secret("a"));
    assert_eq!(kinds(&client.messages()), ["auth"]);
    for (rights, gained) in [(0b0011, vec!["S1"]), (EVERY, vec!["S2", "S3"])] {
        process.trickle(&[(0, false), (1, false), (2, false), (3, false)], client.now);
        client.messages();
        client.renew(&keys_with(rights), &secret("a"));
        let said = client.messages();
        assert_eq!(kinds(&said)[..2], ["auth", "subscribed"]);
        assert_eq!(symbols(&said), gained);
        assert!(
            said[2..].iter().all(|snapshot| snapshot["type"] == "snapshot" && snapshot["offset"] == process.head())
        );
    }
    process.trickle(&[(3, false), (0, false)], client.now);
    assert_eq!(symbols(&client.messages()), ["S3", "S0"]);
    // A cursor from before the symbols were gained cannot be recovered in this session.
    client.send(&json!({"action": "subscribe", "symbols": ["*"], "after": {"epoch": process.epoch, "offset": 1}}));
    let said = client.messages();
    assert_eq!((&said[0]["type"], &said[0]["recovered"]), (&json!("subscribed"), &json!(false)));
}

#[test]
fn the_wildcard_gets_new_symbols_by_the_rights_that_were_renewed_last() {
    let (push, at_first) =
        (PushConfig { coalesce_ms: 0, ..PushConfig::default() }, AtFirst { in_hubs: 1, in_table: 1 });
    let mut process = Process::start_with(0, 1, 400, push, at_first);
    let mut client = Client::join(&process, &keys_with(0b0001));
    client.send(&json!({"action": "subscribe", "symbols": ["*"]}));
    client.messages();
    process.trickle(&[(1, false), (0, false)], client.now);
    assert_eq!(symbols(&client.messages()), ["S0"]);
    // It names a symbol that is not there yet.
    client.renew(&keys_with(0b0100), &secret("a"));
    assert_eq!(kinds(&client.messages()), ["auth"]);
    process.trickle(&[(0, false), (1, false), (2, false), (2, false)], client.now);
    assert_eq!(symbols(&client.messages()), ["S2", "S2"]);
    client.renew(&keys("symbols = [\"S?\"]"), &secret("a"));
    assert_eq!(symbols(&client.messages()), ["S0", "S1"]);
    process.trickle(&[(3, false), (2, false), (3, false)], client.now);
    assert_eq!(symbols(&client.messages()), ["S3", "S2", "S3"]);
}

#[test]
fn a_token_of_another_key_or_of_none_changes_nothing() {
    let mut process = process();
    let mut client = Client::join(&process, &keys_with(0b0001));
    client.send(&json!({"action": "subscribe", "symbols": ["*"]}));
    client.messages();
    for token in [secret("b"), "no such secret".into()] {
        client.renew(&keys_with(EVERY), &token);
        let said = client.messages();
        assert_eq!((kinds(&said), &said[0]["code"]), (vec!["error"], &json!("unauthorized")));
        assert!(!said[0].to_string().contains(&token));
    }
    process.trickle(&[(0, false), (1, false)], client.now);
    assert_eq!(symbols(&client.messages()), ["S0"]);
}

/// Returns the symbol of the event with this offset.
fn symbol_of(published: &[(u32, bool)], offset: u64) -> u32 {
    published[usize::try_from(offset).unwrap() - 1].0
}

fn permits(rights: u32, symbol: u32) -> bool {
    rights == EVERY || rights >> symbol & 1 == 1
}

/// A step of a schedule.
#[derive(Clone, Debug)]
enum Step {
    /// Events are published: symbols, and whether it is a quote.
    Publish(Vec<(u32, bool)>),
    Route,
    RouteTurn,
    /// The socket accepts a write of this many messages.
    Drain(usize),
    /// The client renews its key, which has these rights now.
    Renew(u32),
    /// The client subscribes to a symbol by name, too.
    Name(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((0..SYMBOLS, any::<bool>()), 1..30).prop_map(Step::Publish),
        3 => Just(Step::Route),
        3 => Just(Step::RouteTurn),
        3 => (1..12_usize).prop_map(Step::Drain),
        3 => (0..=EVERY).prop_map(Step::Renew),
        1 => (0..SYMBOLS).prop_map(Step::Name),
    ]
}

proptest! {
    #[test]
    fn no_event_of_a_symbol_that_stays_is_missed_or_repeated(
        first in 0..=EVERY, after in any::<bool>(), past in prop::collection::vec((0..SYMBOLS, any::<bool>()), 1..60),
        steps in prop::collection::vec(step(), 1..50),
    ) {
        static ALL: LazyLock<Vec<Arc<Keys>>> = LazyLock::new(|| (0..=EVERY).map(keys_with).collect());
        let push = PushConfig { coalesce_ms: 0, outbox_events_max: 64, ..PushConfig::default() };
        let mut process = Process::start(0, 1, 4_000, push);
        process.publish(&past);
        process.route(0, usize::MAX, Instant::now());
        let mut published = past;
        let mut client = Client::join(&process, &ALL[first as usize]);
        let mut request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]});
        if after {
            request["after"] = json!({"epoch": process.epoch, "offset": 0});
        }
        // The rights, each from an offset on.
        let mut rights = vec![(if after { 0 } else { process.offset(0) }, first)];
        client.send(&request);
        // Events that were unread when their symbol was lost.
        let mut unread = BTreeSet::new();
        for step in steps {
            match step {
                Step::Publish(events) => {
                    process.publish(&events);
                    published.extend(events);
                }
                Step::Route => process.route(0, usize::MAX, client.now),
                Step::RouteTurn => process.route_turn(0, 1, client.now),
                Step::Drain(limit) => _ = client.drain(limit),
                Step::Renew(now) => {
                    let here = process.offset(0);
                    unread.extend((1..=here).filter(|offset| !permits(now, symbol_of(&published, *offset))));
                    rights.push((here, now));
                    client.renew(&ALL[now as usize], &secret("a"));
                }
                Step::Name(symbol) => client.send(&json!({"action": "subscribe", "symbols": [format!("S{symbol}")]})),
            }
        }
        process.route(0, usize::MAX, client.now);
        let read = client.messages();
        let is_wanted = |offset: &u64| {
            let then = rights.iter().rev().find(|(from, _)| from < offset);
            then.is_some_and(|(_, rights)| permits(*rights, symbol_of(&published, *offset)))
        };
        let wanted: BTreeSet<_> = (1..=process.head()).filter(is_wanted).collect();
        let events: Vec<_> = read.iter().filter(|message| message["type"] == "trade" || message["type"] == "quote").collect();
        let sent: BTreeSet<_> = events.iter().map(|event| event["offset"].as_u64().unwrap()).collect();
        prop_assert_eq!(sent.len(), events.len(), "an event was repeated");
        let strange: Vec<_> = sent.difference(&wanted).collect();
        prop_assert!(strange.is_empty(), "{strange:?} were not permitted");
        let skipped: u64 = read.iter().filter_map(|message| message["skipped"].as_u64().filter(|_| message["type"] == "lag")).sum();
        let missing: Vec<_> = wanted.difference(&sent).filter(|offset| !unread.contains(*offset)).collect();
        prop_assert!(missing.len() as u64 <= skipped, "{missing:?} are missing, {skipped} were announced");
    }
}
