//! Decodes a client's message, in either codec: one map with an `action`.
//!
//! Unused channels may be missing, null or empty; unknown keys are ignored, unless they name a channel with symbols.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::Symbol;
use crate::protocol::WILDCARD;

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Authenticate the session.
    Auth {
        /// The key's id; `oauth` or `access_token` if `secret` is a token.
        key: String,
        /// The key's secret.
        secret: String,
    },
    /// Add to the subscriptions.
    Subscribe(Lists),
    /// Remove from the subscriptions.
    Unsubscribe(Lists),
}

/// A channel of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Trades, with their corrections and cancellations.
    Trades,
    /// Quotes.
    Quotes,
    /// Bars of one minute.
    Bars,
    /// Bars of one minute that late trades have changed.
    UpdatedBars,
    /// The bar of the day, after each minute.
    DailyBars,
    /// Halts.
    Statuses,
    /// Price bands.
    Lulds,
    /// Imbalances of auctions.
    Imbalances,
}

impl Stream {
    /// Every channel, in the order of the acknowledgement.
    pub const ALL: [Self; 8] = [
        Self::Trades,
        Self::Quotes,
        Self::Bars,
        Self::UpdatedBars,
        Self::DailyBars,
        Self::Statuses,
        Self::Lulds,
        Self::Imbalances,
    ];
    /// The channels that follow the trades without being named.
    pub const WITH_TRADES: [&str; 2] = ["corrections", "cancelErrors"];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Bars => "bars",
            Self::UpdatedBars => "updatedBars",
            Self::DailyBars => "dailyBars",
            Self::Statuses => "statuses",
            Self::Lulds => "lulds",
            Self::Imbalances => "imbalances",
        }
    }
}

/// The symbols that a request names, by channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// The symbols of each channel of [`Stream::ALL`]; `None` is `"*"`.
    pub names: [Vec<Option<Symbol>>; Stream::ALL.len()],
    /// Whether the request names symbols in a channel that the stream does not have.
    pub has_unsupported: bool,
}

impl Lists {
    /// Returns how many names there are in all channels.
    pub fn len(&self) -> usize {
        self.names.iter().map(Vec::len).sum()
    }

    /// Returns whether no channel has a name.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with an action")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
        let (mut action, mut key, mut secret) = (None, None, None);
        let (mut lists, mut has_mistake) = (Lists::default(), false);
        while let Some((name, value)) = map.next_entry::<Item, Item>()? {
            let Item::Text(name) = name else { continue };
            match name.as_str() {
                "action" => action = value.text(),
                "key" => key = value.text(),
                "secret" => secret = value.text(),
                name => has_mistake |= lists.insert(name, value).is_err(),
            }
        }
        match (action.as_deref(), key, secret) {
            (Some("auth"), Some(key), Some(secret)) => Ok(Request::Auth { key, secret }),
            (Some("subscribe"), ..) if !has_mistake => Ok(Request::Subscribe(lists)),
            (Some("unsubscribe"), ..) if !has_mistake => Ok(Request::Unsubscribe(lists)),
            _ => Err(A::Error::custom("no such action, or a field is missing")),
        }
    }
}

impl Lists {
    /// Takes the value of a key; an error if it is not that of a channel.
    fn insert(&mut self, key: &str, value: Item) -> Result<(), ()> {
        let place = Stream::ALL.iter().position(|stream| stream.name() == key);
        match (place, value) {
            (Some(place), Item::List { names, all_valid: true }) => self.names[place] = names,
            (Some(place), Item::Null) => self.names[place].clear(),
            (Some(_), _) => return Err(()),
            (None, Item::List { names, all_valid }) => {
                let is_automatic = Stream::WITH_TRADES.contains(&key);
                let is_empty = names.is_empty() && all_valid;
                self.has_unsupported |= !is_automatic && !is_empty;
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// A key or a value of a message, as far as messages have them.
enum Item {
    Null,
    Text(String),
    List {
        names: Vec<Option<Symbol>>,
        /// Whether every entry is a symbol or `"*"`.
        all_valid: bool,
    },
    Other,
}

impl Item {
    fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Item, E> {
        Ok(Item::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
        let (mut names, mut all_valid) = (Vec::new(), true);
        while let Some(Name(name)) = list.next_element()? {
            match name {
                Ok(name) => names.push(name),
                Err(Invalid) => all_valid = false,
            }
        }
        Ok(Item::List { names, all_valid })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Item::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Item, E> {
        Ok(Item::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Item, E> {
        Ok(Item::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Item, E> {
        Ok(Item::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Item, E> {
        Ok(Item::Other)
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Item, E> {
        Ok(Item::Other)
    }
}

/// An entry of a list: a symbol, or `None` for `"*"`.
struct Name(Result<Option<Symbol>, Invalid>);

/// Anything else.
struct Invalid;

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Item::deserialize(deserializer)? {
            Item::Text(text) if text == WILDCARD => Ok(None),
            Item::Text(text) => text.parse().map(Some).map_err(|_| Invalid),
            _ => Err(Invalid),
        }))
    }
}
