//! Reads of a holder over HTTP: polls and server-sent events from the cursor of somebody with more rights, the REST addresses of this
//! server and of three vendors, and the listener of the operators.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::Value;

use crate::entitled::holder::{Dice, Holder, SOME};
use crate::entitled::market::Market;
use crate::event_stream::EventSource;
use crate::http::{Answer, request};
use crate::spawn::TestServer;
use crate::view::key_of;

/// Addresses that list the market.
const LISTS: [&str; 10] = [
    "/v3/reference/tickers?limit=1000&apiKey=WORD",
    "/v3/snapshot?limit=250&apiKey=WORD",
    "/v2/snapshot/locale/us/markets/stocks/tickers?apiKey=WORD",
    "/v2/snapshot/locale/us/markets/stocks/gainers?apiKey=WORD",
    "/v2/snapshot/locale/us/markets/stocks/losers?apiKey=WORD",
    "/v2/aggs/grouped/locale/us/market/stocks/2026-03-02?apiKey=WORD",
    "/finnhub/api/v1/stock/symbol?exchange=US&token=WORD",
    "/finnhub/api/v1/search?q=a&token=WORD",
    "/api/v1/search?q=SYM&token=WORD",
    "/v2/stocks/meta/exchanges?",
];
/// Addresses of one symbol: the answer about a symbol beyond the rights is that about one that does not exist.
const ONES: [&str; 26] = [
    "/api/v1/snapshot?symbols=NAME",
    "/api/v1/bars?symbol=NAME&interval=1d",
    "/api/v1/bars?symbol=NAME&interval=1s",
    "/api/v1/poll?symbols=NAME&wait_ms=0",
    "/api/v1/poll?symbols=NAME&wait_ms=0&mode=latest&channels=quotes",
    "/api/v1/stream?symbols=NAME",
    "/api/v1/snapshot?symbols=NAME,nope",
    "/v2/stocks/NAME/bars?timeframe=1Day&start=2026-02-01",
    "/v2/stocks/NAME/trades?",
    "/v2/stocks/NAME/quotes/latest?",
    "/v2/stocks/NAME/snapshot?",
    "/v2/stocks/bars?symbols=NAME&timeframe=1Hour",
    "/v2/stocks/trades/latest?symbols=NAME",
    "/v2/stocks/snapshots?symbols=NAME",
    "/v2/aggs/ticker/NAME/range/1/day/2026-02-01/2026-03-02?apiKey=WORD",
    "/v2/aggs/ticker/NAME/prev?apiKey=WORD",
    "/v2/last/trade/NAME?apiKey=WORD",
    "/v2/last/nbbo/NAME?apiKey=WORD",
    "/v2/snapshot/locale/us/markets/stocks/tickers/NAME?apiKey=WORD",
    "/v2/snapshot/locale/us/markets/stocks/tickers?tickers=NAME&apiKey=WORD",
    "/v3/snapshot?ticker.any_of=NAME&apiKey=WORD",
    "/v3/trades/NAME?apiKey=WORD",
    "/v3/reference/tickers/NAME?apiKey=WORD",
    "/finnhub/api/v1/quote?symbol=NAME&token=WORD",
    "/api/v1/stock/candle?symbol=NAME&resolution=D&from=1&to=2000000000&token=WORD",
    "/finnhub/api/v1/search?q=NAME&token=WORD",
];
const OPERATORS: [&str; 7] =
    ["/metrics", "/faults", "/admin/sessions", "/admin/past", "/admin/log", "/admin/sessions?name=k1", "/admin/drain"];
/// The fewest characters of a name that is replaced in a text.
const NAME_LEN_MIN: usize = 3;

fn symbols(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().filter_map(|item| item["symbol"].as_str()).map(Into::into).collect()
}

/// A holder at the addresses over HTTP.
pub(super) struct Reader<'a> {
    pub(super) server: &'a TestServer,
    pub(super) market: &'a Market,
    pub(super) holder: &'a Holder,
}

impl Reader<'_> {
    /// Makes one random read.
    pub(super) async fn act(&self, dice: &mut Dice) {
        match dice.below(10) {
            0 => self.list().await,
            1 => self.snapshots().await,
            2 | 3 => self.poll(dice).await,
            4 | 5 => self.stream(dice).await,
            6 => self.whole_market(dice).await,
            7 => self.operators(dice).await,
            _ => self.one(dice).await,
        }
    }

    /// Sends `GET` as the holder, and checks the answer's text.
    async fn get(&self, path: &str, said: &[&str]) -> Answer {
        let path = path.replace("WORD", &self.holder.word_in_query());
        let authorization = self.holder.authorization();
        let headers = [("Authorization", authorization.as_str())];
        let answer = request(self.server.address, Method::GET, &path, &headers).await;
        let what = format!("{} at {path}", self.holder.id);
        let heads: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        self.market.check_text(&what, &heads.join("\n"), &self.holder.rights.mine, said);
        self.market.check_text(&what, answer.text(), &self.holder.rights.mine, said);
        answer
    }

    async fn list(&self) {
        let listed = self.get("/api/v1/symbols", &[]).await.json();
        assert_eq!(symbols(&listed["symbols"]), self.holder.rights.mine);
    }

    async fn snapshots(&self) {
        let answer = self.get("/api/v1/snapshot", &[]).await.json();
        assert_eq!(symbols(&answer["snapshots"]), self.holder.rights.mine);
        for snapshot in answer["snapshots"].as_array().unwrap() {
            for (part, channel) in [("price", "trades"), ("volume", "trades"), ("bid", "quotes")] {
                assert_eq!(snapshot.get(part).is_some(), self.holder.rights.channels.contains(&channel), "{snapshot}");
            }
        }
    }

    /// Returns what to subscribe to, the events of it after a random cursor, and the query.
    fn recovery(&self, dice: &mut Dice) -> Option<(BTreeSet<u64>, String)> {
        let rights = &self.holder.rights;
        let mine: Vec<_> = rights.mine.iter().cloned().collect();
        let is_all = mine.is_empty() || dice.one_in(2);
        let names = if is_all { vec!["*".to_owned()] } else { (0..3).map(|_| dice.of(&mine).clone()).collect() };
        let latest = rights.max_hz.is_some();
        let some: Vec<_> = SOME.into_iter().filter(|name| rights.channels.contains(name)).collect();
        let usable: Vec<_> = some.iter().copied().filter(|name| !latest || !name.starts_with("bars")).collect();
        if usable.is_empty() {
            return None;
        }
        let channels = dice.some(&usable);
        let after = self.market.head.saturating_sub(dice.below(400) as u64);
        let wanted = self.market.events.range(after + 1..).filter(|(_, event)| {
            rights.mine.contains(&event.symbol)
                && (is_all || names.contains(&event.symbol))
                && channels.contains(&&*event.channel)
        });
        let wanted = wanted.map(|(offset, _)| *offset).collect();
        let mode = if latest { "&mode=latest" } else { "" };
        let (names, channels, epoch) = (names.join(","), channels.join(","), &self.market.epoch);
        Some((wanted, format!("symbols={names}&channels={channels}&after={epoch}:{after}{mode}")))
    }

    /// Checks that these are the events that were missed; in mode `latest` some of them.
    fn check_missed(&self, messages: &[Value], wanted: &BTreeSet<u64>, query: &str) {
        let events = messages.iter().filter(|message| key_of(message).is_some());
        let got: BTreeSet<_> = events.map(|event| event["offset"].as_u64().unwrap()).collect();
        let is_right = if query.contains("mode=latest") { got.is_subset(wanted) } else { got == *wanted };
        assert!(is_right, "{query} brought {got:?} in place of {wanted:?}: {:?}", self.holder);
    }

    async fn poll(&self, dice: &mut Dice) {
        let Some((wanted, query)) = self.recovery(dice) else { return };
        let answer = self.get(&format!("/api/v1/poll?{query}&wait_ms=0"), &[]).await.json();
        assert_eq!(answer["recovered"], true);
        self.check_missed(answer["messages"].as_array().unwrap(), &wanted, &query);
    }

    async fn stream(&self, dice: &mut Dice) {
        let Some((wanted, query)) = self.recovery(dice).filter(|_| self.holder.rights.max_hz.is_none()) else { return };
        let mut stream = EventSource::open_as(self.server.address, &query, &self.holder.authorization()).await;
        let (mut messages, mut left) = (Vec::new(), wanted.len());
        while left > 0 || messages.is_empty() {
            let read = stream.next_messages().await.unwrap();
            left = left.saturating_sub(read.iter().filter(|message| key_of(message).is_some()).count());
            messages.extend(read);
        }
        let text = Value::from(messages.clone()).to_string();
        let what = format!("{} by server-sent events", self.holder.id);
        self.market.check_text(&what, &text, &self.holder.rights.mine, &[]);
        assert!(messages.iter().any(|message| message["recovered"] == true), "{query}");
        self.check_missed(&messages, &wanted, &query);
    }

    async fn whole_market(&self, dice: &mut Dice) {
        let answer = self.get(dice.of::<&str>(&LISTS), &["SYM"]).await;
        assert_eq!(answer.status == 200, self.holder.rights.has_vendors(), "{}", answer.text());
    }

    async fn operators(&self, dice: &mut Dice) {
        let (admin, path) = (self.server.admin.unwrap(), *dice.of(&OPERATORS));
        let authorization = self.holder.authorization();
        let method = if path.ends_with("drain") { Method::POST } else { Method::GET };
        let answer = request(admin, method, path, &[("Authorization", &authorization)]).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        self.market.check_text(path, answer.text(), &self.holder.rights.mine, &[]);
        let answer = self.get(path, &[]).await;
        assert!([404, 405].contains(&answer.status), "{path}: {}", answer.text());
    }

    /// Asks for a symbol beyond the rights, and for one that does not exist.
    async fn one(&self, dice: &mut Dice) {
        let names = self.market.names();
        let is_other = |name: &&String| name.len() >= NAME_LEN_MIN && !self.holder.rights.mine.contains(*name);
        let others: Vec<_> = names.iter().filter(is_other).collect();
        if others.is_empty() {
            return;
        }
        let (name, path) = (dice.of(&others).as_str(), *dice.of(&ONES));
        let nobodys: String = name.chars().map(|char| if char == '.' { '.' } else { 'Q' }).collect();
        let mut answers = Vec::new();
        for name in [name, &nobodys] {
            let answer = self.get(&path.replace("NAME", name), &[name]).await;
            answers.push((answer.status, without_random(&answer.text().replace(name, "NAME"))));
        }
        assert_eq!(answers[0], answers[1], "{path} about {name}");
    }
}

/// Returns a text without the random names of requests.
fn without_random(text: &str) -> String {
    let mut parts = text.split("\"request_id\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| before + part.split_once('"').map_or("", |(_, rest)| rest))
}
