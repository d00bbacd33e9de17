//! Decodes a client's message: one object with an `action` and `params`. Other keys are ignored.

use serde::Deserialize;

use crate::protocol::json::from_object;
use crate::protocol::{Refusal, WILDCARD};

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Authenticate the session with this key.
    Auth(String),
    /// Add to the subscriptions.
    Subscribe(Vec<Item>),
    /// Remove from the subscriptions.
    Unsubscribe(Vec<Item>),
}

/// One subscription: a topic, and a ticker or all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The topic.
    pub topic: Topic,
    /// The ticker, at least one character; `"*"` for all.
    pub ticker: String,
}

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Trades.
    Trades,
    /// Quotes.
    Quotes,
    /// Bars of one second.
    SecondBars,
    /// Bars of one minute.
    MinuteBars,
    /// Price bands.
    Bands,
    /// Imbalances of auctions.
    Imbalances,
    /// Fair market values.
    FairValues,
}

impl Topic {
    /// Every topic of the stream.
    pub const ALL: [Self; 7] = [
        Self::Trades,
        Self::Quotes,
        Self::SecondBars,
        Self::MinuteBars,
        Self::Bands,
        Self::Imbalances,
        Self::FairValues,
    ];

    /// Returns the name, in requests and in `ev`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "T",
            Self::Quotes => "Q",
            Self::SecondBars => "A",
            Self::MinuteBars => "AM",
            Self::Bands => "LULD",
            Self::Imbalances => "NOI",
            Self::FairValues => "FMV",
        }
    }
}

impl Item {
    /// Returns whether the item names all tickers.
    pub fn is_all(&self) -> bool {
        self.ticker == WILDCARD
    }

    /// Returns the item as clients write it: `T.AAPL`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.topic.name(), self.ticker)
    }

    /// Reads `T.AAPL`; `None` for a topic that the stream does not have, or without a ticker.
    fn parse(text: &str) -> Option<Self> {
        let (topic, ticker) = text.trim().split_once('.')?;
        let topic = Topic::ALL.into_iter().find(|known| known.name() == topic)?;
        (!ticker.is_empty()).then(|| Self { topic, ticker: ticker.to_owned() })
    }
}

#[derive(Deserialize)]
struct Wire {
    action: String,
    params: String,
}

/// Decodes one message of a client.
///
/// # Errors
///
/// Returns [`Refusal::InvalidSyntax`] for anything else than one request. Items of unknown topics are left out, as the vendor does.
pub(super) fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
    let Wire { action, params } = from_object(bytes).ok_or(Refusal::InvalidSyntax)?;
    match action.as_str() {
        "auth" => Ok(Request::Auth(params)),
        "subscribe" => Ok(Request::Subscribe(items(&params))),
        "unsubscribe" => Ok(Request::Unsubscribe(items(&params))),
        _ => Err(Refusal::InvalidSyntax),
    }
}

/// Returns the items of a list with commas, each once and in their order.
fn items(params: &str) -> Vec<Item> {
    let mut seen = std::collections::BTreeSet::new();
    params.split(',').filter_map(Item::parse).filter(|item| seen.insert(item.clone())).collect()
}
