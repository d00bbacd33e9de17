//! A holder with a native WebSocket: it subscribes, recovers, renews, goes away and comes back by another way in, and gets exactly the
//! events that a model of its rights and wishes expects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::Client;
use crate::entitled::holder::{Dice, Holder, Rights, SOME, texts};
use crate::entitled::market::Market;
use crate::view::key_of;

/// Channels by their name or the wildcard, and whether they are in mode `all`.
type Wishes = BTreeMap<String, BTreeMap<String, bool>>;

/// A holder and its socket.
pub(super) struct Desk {
    pub(super) holder: Holder,
    client: Option<Client>,
    /// Messages that have been received and not read.
    waiting: VecDeque<Value>,
    requests: u64,
    wishes: Wishes,
    /// The rights of the session until an offset, before the present ones.
    past: Vec<(u64, Rights)>,
    /// Whether rates hold events back, so that they come later.
    is_slow: bool,
    /// The offset up to which it has every event.
    has_until: u64,
    /// Subscriptions that were recovered, and renewals.
    pub(super) recovered: usize,
    pub(super) renewed: usize,
}

/// Returns whether the event is wanted, and if so, whether in mode `all`.
fn wanted(wishes: &Wishes, symbol: &str, channel: &str) -> Option<bool> {
    let by = |name: &str| wishes.get(name).and_then(|channels| channels.get(channel)).copied();
    by(symbol).or_else(|| by("*"))
}

impl Desk {
    pub(super) fn new(holder: Holder) -> Self {
        Self {
            holder,
            client: None,
            waiting: VecDeque::new(),
            requests: 0,
            wishes: Wishes::new(),
            past: Vec::new(),
            is_slow: false,
            has_until: 0,
            recovered: 0,
            renewed: 0,
        }
    }

    /// Makes one random move, after it has come.
    pub(super) async fn act(&mut self, server: SocketAddr, market: &Market, dice: &mut Dice, holders: &[Holder]) {
        if self.client.is_none() {
            self.come(server, market, dice).await;
        }
        match dice.below(10) {
            0..5 => {
                let names = self.names(market, dice);
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let is_latest = if self.holder.rights.max_hz.is_some() { !dice.one_in(6) } else { dice.one_in(8) };
                let channels = dice.some(if is_latest { &SOME[..2] } else { &SOME });
                let after = dice.one_in(2).then(|| market.head.saturating_sub(dice.below(400) as u64));
                self.subscribe(market, &names, &channels, is_latest, after).await;
            }
            5 => {
                let names = self.names(market, dice);
                self.unsubscribe(market, &names[0], &dice.some(&SOME)).await;
            }
            6 | 7 => {
                let rights = Rights::random(dice, &market.names());
                self.renew(market, rights).await;
            }
            8 => self.renew_as(market, dice.of(holders)).await,
            _ => self.leave(),
        }
    }

    /// Returns random names: of symbols, of the wildcard, and of no symbol.
    fn names(&self, market: &Market, dice: &mut Dice) -> Vec<String> {
        let all = market.names();
        let mine: Vec<_> = self.holder.rights.mine.iter().cloned().collect();
        let mut names: Vec<String> = (0..=dice.below(3))
            .map(|_| match dice.below(8) {
                0 | 1 => "*".into(),
                2 => "QQQQ".into(),
                3..6 if !mine.is_empty() => dice.of(&mine).clone(),
                _ => dice.of(&all).clone(),
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn leave(&mut self) {
        (self.client, self.past, self.is_slow) = (None, Vec::new(), self.holder.rights.max_hz.is_some());
        self.waiting.clear();
    }

    /// Connects by a random way, and subscribes to everything that it had, from where it had it.
    async fn come(&mut self, server: SocketAddr, market: &Market, dice: &mut Dice) {
        self.is_slow = self.holder.rights.max_hz.is_some();
        let client = match dice.below(3) {
            0 => Client::connect_with(server, &[("Authorization", &self.holder.authorization())]).await,
            1 => Client::connect_offering(server, Some(&self.holder.subprotocols())).await,
            _ => {
                let mut client = Client::connect_nameless(server).await;
                let early = json!({"action": "subscribe", "symbols": ["*", "NVDA"]});
                let refused = client.ask(early).await;
                assert_eq!((refused.len(), &refused[0]["code"]), (1, &json!("unauthorized")), "{refused:?}");
                client.ask(json!({"action": "auth", "token": self.holder.word()})).await;
                client.welcome = client.next_message().await;
                client
            }
        };
        assert_eq!(client.welcome["auth"]["name"], self.holder.name());
        self.check(market, &client.welcome, &[]);
        self.client = Some(client);
        let after = (self.has_until > 0).then_some(self.has_until);
        for (name, channels) in std::mem::take(&mut self.wishes) {
            for is_all in [true, false] {
                let of_mode = channels.iter().filter(|(_, all)| **all == is_all);
                let of_mode: Vec<_> = of_mode.map(|(channel, _)| channel.as_str()).collect();
                if !of_mode.is_empty() {
                    self.subscribe(market, &[&name], &of_mode, !is_all, after).await;
                }
            }
        }
    }

    async fn subscribe(
        &mut self,
        market: &Market,
        names: &[&str],
        channels: &[&str],
        is_latest: bool,
        after: Option<u64>,
    ) {
        let mut request = json!({"action": "subscribe", "symbols": names, "channels": channels});
        if is_latest {
            request["mode"] = "latest".into();
        }
        if let Some(offset) = after {
            request["after"] = json!({"epoch": market.epoch, "offset": offset});
        }
        let rights = &self.holder.rights;
        let (is_slow, refused) = (rights.max_hz.is_some(), self.holder.refused(names));
        let code = if channels.iter().any(|channel| !rights.channels.contains(channel)) {
            Some("forbidden_channel")
        } else if is_slow && !is_latest {
            Some("forbidden_mode")
        } else {
            (!refused.is_empty()).then_some("unknown_symbol")
        };
        let is_served = code.is_none_or(|code| code == "unknown_symbol") && refused.len() < names.len();
        let before = self.wishes.clone();
        if is_served {
            self.is_slow |= is_latest;
            for name in names.iter().filter(|name| self.holder.may(name)) {
                let wish = self.wishes.entry((*name).to_owned()).or_default();
                wish.extend(channels.iter().map(|channel| ((*channel).to_owned(), !is_latest)));
            }
        }
        let answers = self.exchange(market, request, names).await;
        let errors: Vec<_> = answers.iter().filter(|message| message["type"] == "error").collect();
        assert_eq!(errors.first().and_then(|error| error["code"].as_str()), code, "{names:?} {channels:?} {answers:?}");
        if code == Some("unknown_symbol") {
            assert_eq!(texts(&errors[0]["symbols"]), refused);
            let words: Vec<_> = refused.iter().copied().collect();
            // As of symbols that do not exist.
            assert_eq!(texts_after_colon(&errors[0]["message"]), words.into_iter().collect(), "{errors:?}");
        }
        let recovered = answers.iter().any(|message| message["recovered"] == true);
        self.recovered += usize::from(recovered);
        let is_new = |symbol: &str, channel: &str| {
            let is_named = names.contains(&"*") || names.contains(&symbol);
            is_served && is_named && channels.contains(&channel) && wanted(&before, symbol, channel).is_none()
        };
        let missed = |offset: u64| recovered && after.is_some_and(|after| offset > after);
        self.check_events(market, &answers, |offset, symbol, channel| missed(offset) && is_new(symbol, channel));
    }

    async fn unsubscribe(&mut self, market: &Market, name: &str, channels: &[&str]) {
        if self.holder.may(name)
            && let Some(wish) = self.wishes.get_mut(name)
        {
            wish.retain(|channel, _| !channels.contains(&&**channel));
            self.wishes.retain(|_, wish| !wish.is_empty());
        }
        let request = json!({"action": "unsubscribe", "symbols": [name], "channels": channels});
        let answers = self.exchange(market, request, &[name]).await;
        let is_unknown = answers.iter().any(|message| message["code"] == "unknown_symbol");
        assert_eq!(is_unknown, !self.holder.may(name), "{name}: {answers:?}");
        self.check_events(market, &answers, |_, _, _| false);
    }

    /// Renews the token with other rights, or the key with the same ones.
    async fn renew(&mut self, market: &Market, rights: Rights) {
        if self.holder.token.is_some() {
            self.past.push((market.head, self.holder.rights.clone()));
            self.is_slow |= rights.max_hz.is_some();
            self.holder.change(rights);
            let rights = &self.holder.rights;
            for wish in self.wishes.values_mut() {
                wish.retain(|channel, all| rights.channels.contains(&&**channel) && !(*all && rights.max_hz.is_some()));
            }
            self.wishes.retain(|name, wish| !wish.is_empty() && (name == "*" || rights.mine.contains(name)));
        }
        let request = json!({"action": "auth", "token": self.holder.word()});
        let answers = self.exchange(market, request, &[]).await;
        let auth = answers.iter().find(|message| message["type"] == "auth").expect("renewed");
        assert_eq!(auth["name"], self.holder.name());
        assert_eq!(texts(&auth["limits"]["channels"]), self.holder.rights.channels.iter().copied().collect());
        self.check_events(market, &answers, |_, _, _| false);
        self.renewed += 1;
    }

    /// Sends the token or secret of somebody else, which changes nothing.
    async fn renew_as(&mut self, market: &Market, other: &Holder) {
        if other.id == self.holder.id {
            return;
        }
        let request = json!({"action": "auth", "token": other.word()});
        let answers = self.exchange(market, request, &[]).await;
        assert!(answers.iter().any(|message| message["code"] == "unauthorized"), "{answers:?}");
        self.check_events(market, &answers, |_, _, _| false);
    }

    /// Reads what has come of the events after `since`: exactly those that it wants and may have.
    pub(super) async fn settle(&mut self, market: &Market, since: u64) {
        if self.client.is_none() {
            return;
        }
        let messages = self.list(market).await;
        self.check_events(market, &messages, |offset, symbol, channel| {
            offset > since && wanted(&self.wishes, symbol, channel).is_some()
        });
        self.has_until = market.head;
    }

    /// Sends a request, and returns everything up to its answer. The order of the events is not that of a view: a recovery of one
    /// subscription brings older events than another one has brought.
    async fn ask(&mut self, mut request: Value) -> Vec<Value> {
        self.requests += 1;
        request["id"] = self.requests.into();
        let client = self.client.as_mut().unwrap();
        client.send_json(&request).await;
        let mut read: Vec<Value> = Vec::new();
        while read.last().is_none_or(|last| last["id"] != request["id"]) {
            match self.waiting.pop_front() {
                Some(message) => read.push(message),
                None => self.waiting.extend(client.next_frame().await),
            }
        }
        read
    }

    /// Sends a request, and returns everything up to the answer of a `list` behind it, checked.
    async fn exchange(&mut self, market: &Market, request: Value, said: &[&str]) -> Vec<Value> {
        let mut messages = self.ask(request).await;
        messages.extend(self.list(market).await);
        for message in &messages {
            self.check(market, message, said);
        }
        messages
    }

    /// Returns everything up to the answer of a `list`, which must name the wishes of the model.
    async fn list(&mut self, market: &Market) -> Vec<Value> {
        let mut messages = self.ask(json!({"action": "list"})).await;
        let listed = messages.pop().unwrap();
        let mut subscribed = Wishes::new();
        for item in listed["subscriptions"].as_array().unwrap() {
            let wish = subscribed.entry(item["symbol"].as_str().unwrap().into()).or_default();
            wish.extend(texts(&item["channels"]).into_iter().map(|name| (name.to_owned(), item["mode"] == "all")));
        }
        assert_eq!(subscribed, self.wishes, "{:?}", self.holder);
        self.check(market, &listed, &[]);
        messages.iter().filter(|message| message["type"] != "error").for_each(|each| self.check(market, each, &[]));
        messages
    }

    /// Returns the rights when the event with this offset happened.
    fn rights_at(&self, offset: u64) -> &Rights {
        self.past.iter().find(|(until, _)| offset <= *until).map_or(&self.holder.rights, |(_, rights)| rights)
    }

    /// Checks that a message says nothing about anything else than what its reader may see.
    fn check(&self, market: &Market, message: &Value, said: &[&str]) {
        let now = &self.holder.rights;
        let what = format!("{} over a WebSocket", self.holder.id);
        let mut mine = now.mine.clone();
        if let Some(key) = key_of(message) {
            let happened = &market.events[&message["offset"].as_u64().unwrap()];
            assert_eq!((&happened.symbol, &happened.channel), (&key.0, &key.1), "{message}");
            let then = self.rights_at(message["offset"].as_u64().unwrap());
            let permits = |rights: &Rights| rights.mine.contains(&key.0) && rights.channels.contains(&&*key.1);
            // A rate may have held it back.
            assert!(permits(now) || (self.is_slow && permits(then)), "{what}: {message}");
            mine.insert(key.0);
        }
        if message["type"] == "snapshot" {
            assert!(now.mine.contains(message["symbol"].as_str().unwrap()), "{what}: {message}");
            assert_eq!(message.get("bid").is_some(), now.channels.contains(&"quotes"), "{message}");
            assert_eq!(message.get("price").is_some(), now.channels.contains(&"trades"), "{message}");
        }
        let said = if message["type"] == "error" { said } else { &[] };
        market.check_text(&what, &message.to_string(), &mine, said);
    }

    /// Checks that the events among messages are those that `is_expected`: all of them in mode `all`, no others, and each once.
    fn check_events(&self, market: &Market, messages: &[Value], is_expected: impl Fn(u64, &str, &str) -> bool) {
        let events = messages.iter().filter(|message| key_of(message).is_some());
        let offsets: Vec<_> = events.map(|event| event["offset"].as_u64().unwrap()).collect();
        let got: BTreeSet<_> = offsets.iter().copied().collect();
        assert_eq!(got.len(), offsets.len(), "an event twice: {:?}", self.holder);
        let rights = &self.holder.rights;
        let mine = market.events.iter().filter(|(offset, event)| {
            rights.mine.contains(&event.symbol)
                && rights.channels.contains(&&*event.channel)
                && is_expected(**offset, &event.symbol, &event.channel)
        });
        let (mut must, mut can) = (BTreeSet::new(), BTreeSet::new());
        for (offset, event) in mine {
            can.insert(*offset);
            if wanted(&self.wishes, &event.symbol, &event.channel) == Some(true) {
                must.insert(*offset);
            }
        }
        let missing: Vec<_> = must.difference(&got).map(|offset| (offset, &market.events[offset])).collect();
        assert!(missing.is_empty(), "{missing:?} are missing: {:?} {:?}", self.holder, self.wishes);
        let strange: Vec<_> = got.difference(&can).map(|offset| (offset, &market.events[offset])).collect();
        assert!(strange.is_empty() || self.is_slow, "{strange:?} are too much: {:?} {:?}", self.holder, self.wishes);
    }
}

/// Returns the words after the colon of a message such as `no such symbol: NVDA, TSLA`.
fn texts_after_colon(message: &Value) -> BTreeSet<&str> {
    message.as_str().unwrap().split_once(": ").map(|(_, list)| list.split(", ").collect()).unwrap_or_default()
}
