//! Holders of random keys and tokens, and what these permit by the rules of docs/ACCESS.md.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::client::EVERY_CHANNEL;
use crate::issuer::{ED, bearer, claims_at, merged, offers};
use crate::keyring::{entry, header_of, offer, secret};
use crate::spawn::START;

/// The channels of the random rights and requests.
pub(super) const SOME: [&str; 4] = ["trades", "quotes", "bars.1s", "bars.1m"];
const PATTERNS: [&str; 16] = [
    "AAPL", "MSFT", "NVDA", "A*", "*A", "??", "????", "S*1", "GOOG*", "*", "Z*", "M*", "SYM0?1", "?*T", "BRK.?",
    "SYM00?",
];

/// Random numbers of a seed.
pub(super) struct Dice(pub(super) ChaCha8Rng);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns some of these, at least one.
    pub(super) fn some<'a>(&mut self, items: &[&'a str]) -> Vec<&'a str> {
        let mut chosen: Vec<_> = items.iter().copied().filter(|_| self.one_in(2)).collect();
        if chosen.is_empty() {
            chosen.push(*self.of(items));
        }
        chosen
    }
}

/// What a key or token permits.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    patterns: Vec<&'static str>,
    /// The symbols of the market that the patterns match.
    pub(super) mine: BTreeSet<String>,
    pub(super) channels: Vec<&'static str>,
    pub(super) max_hz: Option<u32>,
}

/// Returns whether a name matches a pattern with `?` and `*`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => matches(rest, name) || (!name.is_empty() && matches(pattern, &name[1..])),
        ([b'?', rest @ ..], [_, name @ ..]) => matches(rest, name),
        ([first, rest @ ..], [char, name @ ..]) => first == char && matches(rest, name),
        _ => false,
    }
}

impl Rights {
    pub(super) fn random(dice: &mut Dice, names: &[String]) -> Self {
        let patterns: Vec<_> = (0..dice.below(4)).map(|_| *dice.of(&PATTERNS)).collect();
        let is_mine = |name: &&String| patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()));
        let mine = names.iter().filter(is_mine).cloned().collect();
        let channels = if dice.one_in(2) { EVERY_CHANNEL.into() } else { dice.some(&SOME) };
        let max_hz = dice.one_in(6).then_some(50);
        Self { patterns, mine, channels, max_hz }
    }

    pub(super) fn has_every_channel(&self) -> bool {
        self.channels.len() == EVERY_CHANNEL.len()
    }

    /// Returns whether the dialects of vendors are for this holder.
    pub(super) fn has_vendors(&self) -> bool {
        self.has_every_channel() && self.max_hz.is_none()
    }

    /// Returns the lines of the key file.
    fn lines(&self) -> String {
        let channels =
            if self.has_every_channel() { String::new() } else { format!("channels = {:?}\n", self.channels) };
        let max_hz = self.max_hz.map(|hz| format!("max_hz = {hz}\n")).unwrap_or_default();
        format!("symbols = {:?}\n{channels}{max_hz}", self.patterns)
    }

    /// Returns a token of this subject.
    pub(super) fn token(&self, subject: &str) -> String {
        let mut permits = json!({"symbols": self.patterns});
        if !self.has_every_channel() {
            permits["channels"] = json!(self.channels);
        }
        if let Some(hz) = self.max_hz {
            permits["max_hz"] = hz.into();
        }
        let claims = merged(claims_at(START.micros() / 1_000_000), &json!({"sub": subject, "tickcast": permits}));
        ED.token(&claims)
    }
}

/// Somebody with a key or a token.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) id: String,
    /// The token; a key has none.
    pub(super) token: Option<String>,
    pub(super) rights: Rights,
}

impl Holder {
    /// Returns holders of keys and of tokens in turn, and the entries of the key file.
    pub(super) fn random(dice: &mut Dice, names: &[String], count: usize) -> (Vec<Self>, Vec<String>) {
        let mut entries = Vec::new();
        let holders = (0..count).map(|number| {
            let (id, rights) = (format!("k{number}"), Rights::random(dice, names));
            let token = (number % 2 == 1).then(|| rights.token(&id));
            if token.is_none() {
                entries.push(entry(&id, &rights.lines()));
            }
            Self { id, token, rights }
        });
        (holders.collect(), entries)
    }

    /// Gives the holder another token.
    pub(super) fn change(&mut self, rights: Rights) {
        self.token = Some(rights.token(&self.id));
        self.rights = rights;
    }

    /// Returns what the server calls the holder.
    pub(super) fn name(&self) -> String {
        if self.token.is_some() { format!("jwt:{}", self.id) } else { self.id.clone() }
    }

    /// Returns the one word that says who it is.
    pub(super) fn word(&self) -> String {
        self.token.clone().unwrap_or_else(|| secret(&self.id))
    }

    /// Returns the same for a query string.
    pub(super) fn word_in_query(&self) -> String {
        self.word().replace(' ', "%20")
    }

    pub(super) fn authorization(&self) -> String {
        self.token.as_ref().map_or_else(|| header_of(&self.id), |token| bearer(token))
    }

    pub(super) fn subprotocols(&self) -> String {
        match &self.token {
            Some(token) => offers(token),
            None => format!("tickcast.v1.json, {}", offer(&self.id, &secret(&self.id))),
        }
    }

    pub(super) fn may(&self, name: &str) -> bool {
        name == "*" || self.rights.mine.contains(name)
    }

    /// Returns the names that the holder may not have, in the order of the request.
    pub(super) fn refused<'a>(&self, names: &[&'a str]) -> BTreeSet<&'a str> {
        names.iter().copied().filter(|name| !self.may(name)).collect()
    }
}

/// Returns the strings of a list.
pub(super) fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
