//! Entrances of the fuzz target `vendor_query`: the parameters of the vendors' addresses over HTTP.

use actix_web::http::header::{HOST, HeaderValue};
use actix_web::test::TestRequest;

use crate::domain::{Symbol, Timestamp};
use crate::history::Timeframe;
use crate::transport::fuzz::{Refusal, refusal};
use crate::transport::vendor::alpaca::fuzz as of_alpaca;
use crate::transport::vendor::massive::fuzz as of_massive;
use crate::transport::vendor::page_token::PageToken;
use crate::transport::vendor::parameters::{Moment, Parameters};

/// The symbols, the first and the last time, and the beginning and the end of the bar at each.
pub type Bars = (Vec<Symbol>, [Timestamp; 2], [(Timestamp, Timestamp); 2]);

/// Reads the query string of `/v2/stocks/bars`.
///
/// # Errors
///
/// Returns the response.
pub fn alpaca(query: &str, now: Timestamp) -> Result<Bars, Refusal> {
    let parameters = Parameters::parse(query);
    let read = of_alpaca::bars(&parameters, now);
    let (symbols, timeframe, (from, to)) = read.map_err(|refused| refusal(&refused))?;
    Ok((symbols, [from, to], [from, to].map(|at| timeframe.span(at))))
}

/// Reads the query string of `/v3/trades/{ticker}`. Returns the times, and the address of the next page.
///
/// # Errors
///
/// Returns the response.
pub fn massive(query: &str, host: &str, now: Timestamp) -> Result<((Timestamp, Timestamp), String), Refusal> {
    let parameters = Parameters::parse(query);
    let times = of_massive::times(&parameters, now).map_err(|refused| refusal(&refused))?;
    let mut request = TestRequest::default().uri("/v3/trades/AAPL");
    if let Ok(host) = HeaderValue::from_str(host) {
        request = request.insert_header((HOST, host));
    }
    let request = request.to_http_request();
    Ok((times, of_massive::next_url(&request, &parameters)))
}

/// Returns the beginning and the end of the bar that contains a time, for a multiple and a unit in the words of Massive; `None` if they
/// are refused, or if the text is no time.
pub fn time_span(count: &str, unit: &str, at: &str) -> Option<(Timestamp, Timestamp, Timestamp)> {
    let timeframe: Timeframe = of_massive::timeframe(count, unit)?;
    let at = of_massive::millis(at)?.first();
    let (begin, end) = timeframe.span(at);
    Some((begin, at, end))
}

/// Reads a time of Finnhub: seconds since 1970.
pub fn finnhub(text: &str) -> Option<(Timestamp, Timestamp)> {
    let moment = Moment::from_number(text.parse().ok()?, 1_000_000)?;
    Some((moment.first(), moment.last()))
}

/// Reads the token of a page, and writes it again.
pub fn page_token(text: &str) -> Option<String> {
    PageToken::parse(text).map(|token| token.encode())
}
