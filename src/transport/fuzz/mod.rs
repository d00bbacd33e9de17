//! Entrances of the fuzz targets (`tests/fuzz/`) to the parsers of this floor: no part of the server, which is built without them.
//!
//! They take and return plain values, so that a target needs no web framework.

mod frames;

use actix_web::ResponseError;
use actix_web::body::MessageBody;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;

use crate::domain::{Interval, Timestamp};
use crate::protocol::Subscribe;
use crate::transport::query::Parameters;
use crate::transport::vendor::credentials::Presented;
use crate::transport::{bars, gate};

pub use crate::transport::connection::fuzz::{Heads, pass_heads, read_proxy_header};
pub use crate::transport::forwarded::fuzz::{Report, address, elements, report};
pub use crate::transport::vendor::fuzz::{Bars, alpaca, finnhub, massive, page_token, time_span};
pub use frames::{Received, read_frames};

/// A refused request: its status, and the body of the response.
pub type Refusal = (u16, Vec<u8>);

/// Reads the query string of a subscription; `is_paced` as for server-sent events.
///
/// # Errors
///
/// Returns the response.
pub fn subscribe(query: &str, is_paced: bool) -> Result<Subscribe, Refusal> {
    let read = Parameters::parse(query).and_then(|mut parameters| {
        let wanted = parameters.take_subscribe(is_paced)?;
        parameters.finish()?;
        Ok(wanted)
    });
    read.map_err(|problem| refusal(&problem))
}

/// Reads the query string of `/api/v1/bars`, but for the symbol.
///
/// # Errors
///
/// Returns the response.
pub fn bars_of(query: &str) -> Result<(Interval, Option<usize>, Option<Timestamp>), Refusal> {
    let read = Parameters::parse(query).and_then(|mut parameters| {
        let interval = bars::take_interval(&mut parameters)?;
        let limit = parameters.take_number("limit", 1..=10_000)?;
        let before = bars::take_before(&mut parameters)?;
        parameters.finish()?;
        Ok((interval, limit, before))
    });
    read.map_err(|problem| refusal(&problem))
}

/// Reads the credentials in the headers of a request: the id of a pair, and the secret or token. Headers that HTTP does not permit are
/// left out, and so are tickets. With `of_vendor` as a vendor's stream reads them.
///
/// # Errors
///
/// Returns the response.
pub fn credentials(headers: &[(&str, &[u8])], of_vendor: bool) -> Result<Option<(Option<String>, String)>, Refusal> {
    let valid = headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let request = valid.fold(TestRequest::default(), TestRequest::append_header).to_http_request();
    let presented = if of_vendor { Ok(Presented::of(&request)) } else { gate::presented(&request, false) };
    let presented = presented.map_err(|problem| refusal(&problem))?;
    Ok(presented.map(|presented| match presented {
        Presented::Pair { id, secret } => (Some(id), secret),
        Presented::Token(word) | Presented::Ticket(word) => (None, word),
    }))
}

/// Returns a list of subprotocols as the page `/handshake` and the log show it.
pub fn shown_offers(list: &str) -> String {
    gate::shown_offers(list)
}

/// Returns the status and the body of an error.
pub(super) fn refusal(error: &impl ResponseError) -> Refusal {
    let response = error.error_response();
    let status = response.status().as_u16();
    (status, response.into_body().try_into_bytes().map(Vec::from).unwrap_or_default())
}
