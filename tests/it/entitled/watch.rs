//! Streams of a holder in the dialects of vendors, and captures of `/handshake`, which are open while events happen.

use std::collections::BTreeMap;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::entitled::holder::{Dice, Holder, texts};
use crate::entitled::market::Market;
use crate::json_client::JsonClient;
use crate::patience::patiently;
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::TestServer;

/// A part of the answer to the last request of a capture.
const LAST: &str = "\"id\":77";

/// A stream that has been opened.
pub(super) enum Watch {
    /// A vendor's name, its client, and the names to whose trades it has subscribed.
    Vendor(&'static str, Box<JsonClient>, Vec<String>),
    /// The observed socket, and what its observer reads.
    Capture(RawClient, Pin<Box<dyn Stream<Item = Bytes>>>),
}

impl Watch {
    /// Opens a random one.
    pub(super) async fn open(server: &TestServer, market: &Market, holder: &Holder, dice: &mut Dice) -> Self {
        if dice.one_in(4) || !holder.rights.has_vendors() {
            return Self::capture(server, holder).await;
        }
        let names = market.names();
        let mut wanted: Vec<String> = (0..4).map(|_| dice.of(&names).clone()).collect();
        wanted.extend(holder.rights.mine.iter().take(2).cloned());
        let vendor = *dice.of(&["alpaca", "massive", "finnhub"]);
        if dice.one_in(2) && vendor != "finnhub" {
            wanted.push("*".into());
        }
        let client = match vendor {
            "alpaca" => alpaca(server, holder, &wanted).await,
            "massive" => massive(server, holder, &wanted).await,
            _ => finnhub(server, holder, &wanted).await,
        };
        Self::Vendor(vendor, Box::new(client), wanted)
    }

    async fn capture(server: &TestServer, holder: &Holder) -> Self {
        let authorization = holder.authorization();
        let client = awc::Client::builder().disable_timeout().finish();
        let request = client.get(format!("http://{}/handshake/capture", server.address));
        let response = patiently("an observer", request.insert_header(("Authorization", &*authorization)).send()).await;
        let mut observed: Pin<Box<dyn Stream<Item = Bytes>>> =
            Box::pin(response.unwrap().filter_map(|chunk| async { chunk.ok() }));
        let first = patiently("its name", observed.next()).await.unwrap();
        let first = std::str::from_utf8(&first).unwrap();
        let name = first.split("\"capture\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name");
        let mut socket = RawClient::connect(server.address).await;
        let opening = handshake(&[("Authorization", Some(&authorization))]);
        let opened = socket.request(&opening.replacen("/ws", &format!("/handshake/ws?capture={name}"), 1)).await;
        assert_eq!(opened.status, 101, "{opened:?}");
        let mut request =
            json!({"action": "subscribe", "symbols": ["*", "NVDA"], "channels": [holder.rights.channels[0]]});
        if holder.rights.max_hz.is_some() {
            request["mode"] = "latest".into();
        }
        socket.send_frame(TEXT, request.to_string().as_bytes()).await;
        Self::Capture(socket, observed)
    }

    /// Reads what has come of the events after `since`.
    pub(super) async fn finish(self, market: &Market, holder: &Holder, since: u64) {
        let what = format!("{} in a stream", holder.id);
        let (vendor, mut client, wanted) = match self {
            Self::Vendor(vendor, client, wanted) => (vendor, client, wanted),
            Self::Capture(socket, observed) => return finish_capture(market, holder, socket, observed).await,
        };
        let is_wanted = |name: &String| wanted.contains(name) || wanted.iter().any(|each| each == "*");
        let trades = market.events.range(since + 1..).map(|(_, event)| event).filter(|event| event.channel == "trades");
        let mut missing = BTreeMap::<&str, usize>::new();
        let mut left = 0;
        for trade in trades.filter(|trade| holder.rights.mine.contains(&trade.symbol) && is_wanted(&trade.symbol)) {
            *missing.entry(&trade.symbol).or_default() += 1;
            left += 1;
        }
        while left > 0 {
            let frame = client.next().await.unwrap();
            market.check_text(&what, &frame.to_string(), &holder.rights.mine, &[]);
            for symbol in trades_in(vendor, &frame) {
                let more = missing.get_mut(symbol).filter(|more| **more > 0);
                *more.unwrap_or_else(|| panic!("{what} of {vendor}: {symbol} is too much: {holder:?}")) -= 1;
                left -= 1;
            }
        }
    }
}

/// Returns the symbols of the trades in a frame.
fn trades_in<'a>(vendor: &str, frame: &'a Value) -> Vec<&'a str> {
    let (list, kind, name) = match vendor {
        "alpaca" => (frame, Some(("T", "t")), "S"),
        "massive" => (frame, Some(("ev", "T")), "sym"),
        _ => (&frame["data"], None, "s"),
    };
    let is_trade = |item: &&Value| kind.is_none_or(|(key, value)| item[key] == value);
    list.as_array().into_iter().flatten().filter(is_trade).filter_map(|item| item[name].as_str()).collect()
}

async fn alpaca(server: &TestServer, holder: &Holder, wanted: &[String]) -> JsonClient {
    let headers = [("Authorization", &*holder.authorization())];
    let mut client = JsonClient::open_with(server.address, "/v2/iex", &headers).await;
    client.send(&json!({"action": "subscribe", "trades": wanted})).await;
    loop {
        let frame = client.next().await.unwrap();
        if frame[0]["T"] == "subscription" {
            let said: Vec<_> = wanted.iter().map(String::as_str).collect();
            assert!(texts(&frame[0]["trades"]).is_subset(&said.into_iter().collect()), "{frame}");
            return client;
        }
    }
}

async fn massive(server: &TestServer, holder: &Holder, wanted: &[String]) -> JsonClient {
    let mut client = JsonClient::open(server.address, "/stocks").await;
    client.array().await;
    assert_eq!(client.ask("auth", &holder.word()).await[0]["status"], "auth_success");
    let items: Vec<_> = wanted.iter().map(|name| format!("T.{name}")).collect();
    assert_eq!(client.ask("subscribe", &items.join(",")).await[0]["status"], "success");
    client
}

async fn finnhub(server: &TestServer, holder: &Holder, wanted: &[String]) -> JsonClient {
    let mut client = JsonClient::open(server.address, &format!("/?token={}", holder.word_in_query())).await;
    for name in wanted {
        client.send(&json!({"type": "subscribe", "symbol": name})).await;
    }
    // No request: its answer follows those of the others.
    client.send(&json!([])).await;
    let mut unknown = 0;
    loop {
        let frame = client.next().await.unwrap();
        if frame["msg"] == "Invalid message" {
            break;
        }
        assert_eq!(frame, json!({"type": "error", "msg": "Invalid symbol"}));
        unknown += 1;
    }
    assert_eq!(unknown, wanted.iter().filter(|name| !holder.may(name)).count());
    client
}

/// Reads both sides of a capture up to the answer of a last request.
async fn finish_capture(
    market: &Market,
    holder: &Holder,
    mut socket: RawClient,
    mut observed: Pin<Box<dyn Stream<Item = Bytes>>>,
) {
    socket.send_frame(TEXT, br#"{"action":"list","id":77}"#).await;
    let what = format!("{} in a capture", holder.id);
    loop {
        let text = String::from_utf8(socket.next_of(TEXT).await).unwrap();
        // The answer to its own request for a symbol that it may not have.
        market.check_text(&what, &text, &holder.rights.mine, &["NVDA"]);
        if text.contains(LAST) {
            break;
        }
    }
    let (mut report, mut shown) = (String::new(), String::new());
    while !shown.contains(LAST) {
        let Some(chunk) = patiently("the observer", observed.next()).await else { panic!("{what} ended: {report}") };
        report.push_str(std::str::from_utf8(&chunk).unwrap());
        let events = report.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let hex = events
            .filter(|event| event["sender"] == "server")
            .filter_map(|event| event["hex"].as_str().map(Into::into));
        let octets = hex.flat_map(|hex: String| {
            let octet = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
            (0..hex.len() / 2).map(octet).collect::<Vec<_>>()
        });
        shown = String::from_utf8_lossy(&octets.collect::<Vec<_>>()).into_owned();
    }
    market.check_text(&what, &shown, &holder.rights.mine, &["NVDA"]);
    market.check_text(&what, &report, &holder.rights.mine, &[]);
}
