//! Credentials in the headers of a request: the two headers of Alpaca, or `Authorization` with Basic or Bearer.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::access::{Credentials, is_page_ticket};

/// Alpaca's header with the id of a key.
const KEY_ID: &str = "apca-api-key-id";
/// Alpaca's header with the secret of a key.
const SECRET: &str = "apca-api-secret-key";

/// The credentials that a request has brought.
pub(in crate::transport) enum Presented {
    /// A key of two words.
    Pair {
        /// Name of the key.
        id: String,
        /// Its secret.
        secret: String,
    },
    /// A bearer token.
    Token(String),
    /// A ticket in the address.
    Ticket(String),
}

impl Presented {
    /// Returns the credentials of the request, or `None` if it has no header for them. A malformed header brings empty ones, which
    /// no key has.
    pub(in crate::transport) fn of(request: &HttpRequest) -> Option<Self> {
        let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
        if let (id, secret) = (text(KEY_ID), text(SECRET))
            && (id.is_some() || secret.is_some())
        {
            let [id, secret] = [id, secret].map(|word| word.unwrap_or_default().to_owned());
            return Some(Self::Pair { id, secret });
        }
        let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        header.map(|header| Self::parse(header).unwrap_or(Self::Token(String::new())))
    }

    /// Returns them to be checked.
    pub(in crate::transport) fn credentials(&self) -> Credentials<'_> {
        match self {
            Self::Pair { id, secret } => Credentials::Pair { id, secret },
            Self::Token(token) => Credentials::Token(token),
            Self::Ticket(ticket) => Credentials::Ticket(ticket),
        }
    }

    /// Returns whether this is like a ticket of the server's own pages.
    pub(in crate::transport) fn is_page_ticket(&self) -> bool {
        matches!(self, Self::Token(text) | Self::Ticket(text) if is_page_ticket(text))
    }

    /// Reads the value of `Authorization` (RFC 6750, RFC 7617).
    pub(in crate::transport) fn parse(header: &[u8]) -> Option<Self> {
        let (scheme, rest) = std::str::from_utf8(header).ok()?.split_once(' ')?;
        let rest = rest.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(Self::Token(rest.to_owned())),
            "basic" => {
                let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
                let (id, secret) = decoded.split_once(':')?;
                Some(Self::Pair { id: id.to_owned(), secret: secret.to_owned() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn presented(headers: &[(&str, &str)]) -> Option<(String, Option<String>)> {
        let request = headers.iter().fold(TestRequest::default(), |request, pair| request.insert_header(*pair));
        Presented::of(&request.to_http_request()).map(|presented| match presented {
            Presented::Pair { id, secret } => (id, Some(secret)),
            Presented::Token(token) | Presented::Ticket(token) => (token, None),
        })
    }

    #[test]
    fn credentials_come_in_two_headers_or_in_authorization() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), Some(secret.to_owned())));
        assert_eq!(presented(&[("APCA-API-KEY-ID", "K"), ("APCA-API-SECRET-KEY", "S")]), pair("K", "S"));
        assert_eq!(presented(&[("Apca-Api-Key-Id", "K")]), pair("K", ""));
        assert_eq!(presented(&[("Authorization", "Basic SzpTOlQ=")]), pair("K", "S:T"));
        assert_eq!(presented(&[("Authorization", "bearer T")]), Some(("T".into(), None)));
        assert_eq!(presented(&[("Accept", "*/*")]), None);
        for malformed in ["", "Basic", "Basic ?", "Basic SzpTOlQ", "Basic Sw==", "Digest x", "Bearer"] {
            assert_eq!(presented(&[("Authorization", malformed)]), Some((String::new(), None)), "{malformed}");
        }
    }
}
