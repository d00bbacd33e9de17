//! The credentials of a request in the ways of this server: the header `Authorization`; for browsers, which cannot set it on a
//! WebSocket, a subprotocol; and for those that can set neither a ticket in the address.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::transport::Problem;
use crate::transport::query::Parameters;
use crate::transport::vendor::credentials::Presented;

/// Subprotocols that carry credentials in base64url without padding: `id:secret`, and one word.
const BASIC: &str = "tickcast.basic.";
const BEARER: &str = "tickcast.bearer.";

/// The parameter with a ticket.
pub(in crate::transport) const TICKET: &str = "ticket";

/// Returns the credentials of the request, if it has any. Where the address `takes_tickets`, one counts.
///
/// # Errors
///
/// Returns 401 if they are malformed, if the subprotocols are no ASCII text so that nobody knows whether they carry some, or if there
/// are several: a server that chose one of them would choose another one than a proxy before it.
pub(in crate::transport) fn of(request: &HttpRequest, takes_tickets: bool) -> Result<Option<Presented>, Problem> {
    let headers: Vec<_> = request.headers().get_all(AUTHORIZATION).collect();
    let offers: Vec<_> = offers(request)?.into_iter().filter(|offer| is_secret_offer(offer)).collect();
    let ticket = if takes_tickets { ticket(request)? } else { None };
    match (headers.as_slice(), offers.as_slice(), ticket) {
        ([], [], ticket) => Ok(ticket.map(Presented::Ticket)),
        ([header], [], None) => Presented::parse(header.as_bytes()).map(Some).ok_or_else(malformed),
        ([], [offer], None) => parse(offer).map(Some).ok_or_else(malformed),
        _ => Err(Problem::unauthorized("the request has more than one pair of credentials", true)),
    }
}

/// Returns the ticket in the address.
fn ticket(request: &HttpRequest) -> Result<Option<String>, Problem> {
    if request.query_string().contains(TICKET) { Parameters::of(request)?.take(TICKET) } else { Ok(None) }
}

fn malformed() -> Problem {
    Problem::unauthorized("the credentials are malformed", true)
}

fn offers(request: &HttpRequest) -> Result<Vec<&str>, Problem> {
    let headers =
        request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).map(|value| value.to_str().map_err(|_| malformed()));
    let lists = headers.collect::<Result<Vec<_>, _>>()?;
    Ok(lists.into_iter().flat_map(|text| text.split(',')).map(str::trim).collect())
}

/// Returns the text behind a prefix in any case: a client that has mistyped the case must not be taken for one without a key.
fn behind<'a>(offer: &'a str, prefix: &str) -> Option<&'a str> {
    let (begin, rest) = offer.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Returns the target of a request with `***` in place of a ticket.
pub(in crate::transport) fn shown_target(request: &HttpRequest) -> String {
    let is_ticket = |pair: &str| name_of(pair).is_some_and(|name| name == TICKET);
    let shown = |pair: &str| if is_ticket(pair) { format!("{TICKET}=***") } else { pair.to_owned() };
    match request.query_string() {
        "" => request.path().to_owned(),
        query => format!("{}?{}", request.path(), query.split('&').map(shown).collect::<Vec<_>>().join("&")),
    }
}

/// Returns the name of a parameter, decoded.
fn name_of(pair: &str) -> Option<String> {
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned())
}

/// Returns whether a subprotocol carries credentials, well-formed or not. It must not be shown or echoed.
fn is_secret_offer(offer: &str) -> bool {
    [BASIC, BEARER].iter().any(|prefix| behind(offer, prefix).is_some())
}

/// Returns a list of subprotocols with `***` in place of credentials.
pub(in crate::transport) fn shown_offers(list: &str) -> String {
    let shown = |offer: &str| {
        let prefix = [BASIC, BEARER].into_iter().find(|prefix| behind(offer.trim(), prefix).is_some());
        prefix.map_or_else(|| offer.trim().to_owned(), |prefix| format!("{prefix}***"))
    };
    list.split(',').map(shown).collect::<Vec<_>>().join(", ")
}

fn parse(offer: &str) -> Option<Presented> {
    let decoded = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    if let Some(token) = behind(offer, BEARER) {
        return Some(Presented::Token(decoded(token)?));
    }
    let pair = decoded(behind(offer, BASIC)?)?;
    let (id, secret) = pair.split_once(':')?;
    Some(Presented::Pair { id: id.to_owned(), secret: secret.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn presented(headers: &[(&str, &str)]) -> Result<Option<String>, String> {
        let request = headers.iter().fold(TestRequest::default(), |request, pair| request.append_header(*pair));
        let presented = of(&request.to_http_request(), false).map_err(|problem| problem.to_string())?;
        Ok(presented.map(|presented| match presented {
            Presented::Pair { id, secret } => format!("{id}/{secret}"),
            Presented::Token(token) | Presented::Ticket(token) => token,
        }))
    }

    #[test]
    fn credentials_come_once_and_well_formed_or_not_at_all() {
        let protocol = "Sec-WebSocket-Protocol";
        let good = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(presented(&[(protocol, "tickcast.v1.json")]), Ok(None));
        assert_eq!(presented(&[(protocol, "tickcast.v1.json, tickcast.basic.YTpz")]), good("a/s"));
        assert_eq!(presented(&[(protocol, "tickcast.bearer.cw"), (protocol, "tickcast.v1.json")]), good("s"));
        assert_eq!(presented(&[(protocol, "Tickcast.BEARER.cw")]), good("s"));
        assert_eq!(presented(&[("Authorization", "Basic YTpz")]), good("a/s"));
        for headers in [
            &[(protocol, "tickcast.basic.YTpz, tickcast.basic.YTpz")][..],
            &[(protocol, "tickcast.basic.YTpz"), ("Authorization", "Basic YTpz")],
            &[("Authorization", "Basic YTpz"), ("Authorization", "Basic YTpz")],
            &[(protocol, "tickcast.bearer.cw==")],
            &[(protocol, "tickcast.v1.json, tickcast.bearer.cw\u{e9}")],
            &[(protocol, "é")],
            &[(protocol, "tickcast.bearer.c!")],
            &[(protocol, "tickcast.basic.cw")],
            &[(protocol, "tickcast.basic.")],
            &[("Authorization", "Digest x")],
            &[("Authorization", "")],
        ] {
            assert!(presented(headers).unwrap_err().starts_with("unauthorized"), "{headers:?}");
        }
        assert_eq!(shown_offers("tickcast.v1.json,tickcast.basic.YTpz"), "tickcast.v1.json, tickcast.basic.***");
        assert_eq!(shown_offers("é,TICKCAST.Bearer.cw"), "é, tickcast.bearer.***");
    }
}
