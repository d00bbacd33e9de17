//! What has happened on the market, seen by a client that may have everything, and whether a text says anything about a symbol that its
//! reader may not see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tickcast::domain::ManualClock;

use crate::client::{Client, EVERY_CHANNEL};
use crate::keyring::{WIDE, get_as};
use crate::patience::wait_until;
use crate::spawn::TestServer;
use crate::view::key_of;

/// Names shorter than this are parts of any text: the model alone watches them.
const NAME_LEN_MIN: usize = 3;

/// An event: symbol, channel and `seq`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Happened {
    pub(super) symbol: String,
    pub(super) channel: String,
    pub(super) seq: u64,
}

/// The market, and the client that sees all of it.
pub(super) struct Market {
    witness: Client,
    /// The symbols with their companies.
    pub(super) companies: BTreeMap<String, String>,
    /// Every event by its offset.
    pub(super) events: BTreeMap<u64, Happened>,
    pub(super) epoch: String,
    /// The newest offset.
    pub(super) head: u64,
}

impl Market {
    pub(super) async fn watch(server: &TestServer) -> Self {
        let mut witness = Client::connect_as(server.address, WIDE).await;
        witness.subscribe(&["*"], &EVERY_CHANNEL).await;
        let listed = get_as(server.address, WIDE, "/api/v1/symbols").await.json();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
        let companies = listed["symbols"].as_array().unwrap().iter();
        let companies = companies.map(|item| (text(item, "symbol"), text(item, "name").to_uppercase())).collect();
        let epoch = text(&witness.welcome, "epoch");
        Self { witness, companies, events: BTreeMap::new(), epoch, head: 0 }
    }

    /// Lets events happen, and waits until every hub has routed them.
    pub(super) async fn go_on(&mut self, server: &TestServer, clock: &ManualClock, micros: i64) {
        let before = server.metrics.feed_offset();
        clock.advance_micros(micros);
        wait_until("events", true, || server.metrics.feed_offset() > before).await;
        while self.witness.view.offset < server.metrics.feed_offset() {
            let message = self.witness.next_message().await;
            if let Some((symbol, channel)) = key_of(&message) {
                let happened = Happened { symbol, channel, seq: message["seq"].as_u64().unwrap() };
                self.events.insert(message["offset"].as_u64().unwrap(), happened);
            }
        }
        self.head = self.witness.view.offset;
        wait_until("every hub", true, || server.metrics.hub_offsets().iter().all(|at| *at >= self.head)).await;
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.companies.keys().cloned().collect()
    }

    /// Checks that a text names no symbol and no company but those of `mine`, and those of `said`, which the client itself has sent.
    pub(super) fn check_text(&self, what: &str, text: &str, mine: &BTreeSet<String>, said: &[&str]) {
        let is_strange = |name: &str| {
            name.len() >= NAME_LEN_MIN
                && self.companies.contains_key(name)
                && !mine.contains(name)
                && !said.iter().any(|word| word.eq_ignore_ascii_case(name))
        };
        let found = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '.').find(|word| is_strange(word));
        let found =
            found.or_else(|| text.split(|char: char| !char.is_ascii_alphanumeric()).find(|word| is_strange(word)));
        assert!(found.is_none(), "{what}: {found:?} in {text:.2000}, of a client that may see {mine:?}");
        // A company of more than one word, such as `EXXON MOBIL`, is no part of another text.
        let upper = text.to_uppercase();
        let is_named = |(symbol, name): &(&String, &String)| {
            name.len() > 8 && !mine.contains(*symbol) && !said.contains(&symbol.as_str()) && upper.contains(&***name)
        };
        // Generated companies are numbered: the name of one may be a part of another one's.
        let built_in = self.companies.iter().filter(|(symbol, _)| !symbol.starts_with("SYM"));
        let found = built_in.into_iter().find(is_named);
        assert!(found.is_none(), "{what}: {found:?} in {text:.2000}");
    }
}
