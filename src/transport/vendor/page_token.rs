//! `PageToken`: where the next page of an answer begins. It is opaque to clients, and belongs to the request whose answer it continues.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{Symbol, Timestamp};

/// The place after the last row of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageToken {
    /// Number of the request, see [`number_of`].
    pub(super) request: u64,
    /// The symbol of the last row.
    pub(super) symbol: Symbol,
    /// The position of the last row among those of its symbol.
    pub(super) position: i64,
    /// The times of the request, so that the defaults of the first page are those of all.
    pub(super) from: Timestamp,
    /// See `from`.
    pub(super) to: Timestamp,
}

impl PageToken {
    /// Returns the token as text, of characters that need no escaping in a URL.
    pub(super) fn encode(&self) -> String {
        let Self { request, symbol, position, from, to } = self;
        URL_SAFE_NO_PAD.encode(format!("{symbol}|{position}|{request:x}|{from}|{to}"))
    }

    /// Returns the token with this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split('|');
        let token = Self {
            symbol: parts.next()?.parse().ok()?,
            position: parts.next()?.parse().ok()?,
            request: u64::from_str_radix(parts.next()?, 16).ok()?,
            from: Timestamp::from_micros(parts.next()?.parse().ok()?),
            to: Timestamp::from_micros(parts.next()?.parse().ok()?),
        };
        parts.next().is_none().then_some(token)
    }
}

/// Returns a number that is the same for equal parameters of a request, and for others another one.
pub(super) fn number_of(parameters: impl Hash) -> u64 {
    // With fixed keys, unlike that of a hash map: a token survives a restart of the server.
    let mut hasher = DefaultHasher::new();
    parameters.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(request: u64, position: i64, from: i64, to: i64) {
            let [from, to] = [from, to].map(Timestamp::from_micros);
            let token = PageToken { request, symbol: "BRK.B".parse().unwrap(), position, from, to };
            prop_assert_eq!(PageToken::parse(&token.encode()), Some(token));
        }

        #[test]
        fn any_other_text_is_no_token(text: String) {
            prop_assert_eq!(PageToken::parse(&text), None);
            prop_assert_eq!(PageToken::parse(&URL_SAFE_NO_PAD.encode(&text)), None);
        }
    }
}
