//! Massive's market data of stocks over HTTP, as its pages (<https://massive.com/docs/rest/stocks/overview>) and the models of its
//! client libraries have it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::{Channel, Instrument, Symbol, SymbolId};
use crate::transport::forwarded::site;
use crate::transport::vendor::massive::{aggregates, last, market, snapshot, tickers, ticks, universal};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::page_token::PageToken;
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{admission, cors, not_found, request_id, serving, table};

/// Adds the addresses.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    let snapshots = "/locale/us/markets/stocks/tickers";
    config
        .service(
            web::scope("/v2/aggs")
                .wrap(from_fn(admission::massive))
                .service(serving(Vendor::Massive, "/grouped/locale/us/market/stocks/{date}", market::grouped))
                .service(serving(
                    Vendor::Massive,
                    "/ticker/{ticker}/range/{count}/{unit}/{from}/{to}",
                    aggregates::range,
                ))
                .service(serving(Vendor::Massive, "/ticker/{ticker}/prev", aggregates::previous))
                .default_service(web::to(unknown))
                .wrap(cors(Vendor::Massive)),
        )
        .service(
            web::scope("/v2/last")
                .wrap(from_fn(admission::massive))
                .service(serving(Vendor::Massive, "/trade/{ticker}", last::trade))
                .service(serving(Vendor::Massive, "/nbbo/{ticker}", last::quote))
                .default_service(web::to(unknown))
                .wrap(cors(Vendor::Massive)),
        )
        .service(
            web::scope("/v2/snapshot")
                .wrap(from_fn(admission::massive))
                .service(serving(Vendor::Massive, snapshots, snapshot::many))
                .service(serving(Vendor::Massive, &format!("{snapshots}/{{ticker}}"), snapshot::one))
                .service(serving(
                    Vendor::Massive,
                    "/locale/us/markets/stocks/{direction:gainers|losers}",
                    market::movers,
                ))
                .default_service(web::to(unknown))
                .wrap(cors(Vendor::Massive)),
        )
        .service(
            web::scope("/v3")
                .wrap(from_fn(admission::massive))
                .service(serving(Vendor::Massive, "/trades/{ticker}", |request| ticks::ticks(request, Channel::Trades)))
                .service(serving(Vendor::Massive, "/quotes/{ticker}", |request| ticks::ticks(request, Channel::Quotes)))
                .service(serving(Vendor::Massive, "/snapshot", universal::snapshots))
                .service(serving(Vendor::Massive, "/reference/tickers", tickers::tickers))
                .service(serving(Vendor::Massive, "/reference/tickers/{ticker}", tickers::ticker))
                .default_service(web::to(unknown))
                .wrap(cors(Vendor::Massive)),
        );
}

async fn unknown(request: HttpRequest) -> Result<HttpResponse, Refused> {
    Err(not_found(Vendor::Massive, &request))
}

/// Returns 400.
pub(super) fn bad_request(message: impl Into<String>) -> Refused {
    Refused::bad_request(Vendor::Massive, message)
}

/// Returns 503.
pub(super) fn busy<E>(_: E) -> Refused {
    Refused::busy(Vendor::Massive)
}

/// Returns the ticker in the path as it was written, and its symbol if it is known.
pub(super) fn ticker_of(request: &HttpRequest) -> (String, Option<(SymbolId, Symbol)>) {
    let name = request.match_info().query("ticker");
    let table = table(request);
    let known = name.parse().ok().and_then(|symbol| Some((table.id(symbol)?, symbol)));
    (name.to_owned(), known)
}

/// Returns the symbol of the ticker in the path.
pub(super) fn known_ticker(request: &HttpRequest) -> Result<(SymbolId, Symbol), Refused> {
    ticker_of(request).1.ok_or_else(|| Refused::not_found(Vendor::Massive, "Ticker not found."))
}

/// Returns the parameter `limit`.
pub(super) fn limit_of(parameters: &Parameters, default: usize, max: usize) -> Result<usize, Refused> {
    match parameters.get("limit").map(str::parse) {
        None => Ok(default),
        Some(Ok(limit)) if (1..=max).contains(&limit) => Ok(limit),
        Some(_) => Err(bad_request(format!("The parameter 'limit' must be an integer from 1 to {max}."))),
    }
}

/// Returns whether the parameter with this name asks for the newest rows first.
pub(super) fn descends(parameters: &Parameters, name: &str, default: bool) -> Result<bool, Refused> {
    match parameters.get(name) {
        None => Ok(default),
        Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(bad_request(format!("The parameter '{name}' must be 'asc' or 'desc'."))),
    }
}

/// Returns the place of the parameter `cursor`, if it belongs to the request with this number.
pub(super) fn cursor_of(parameters: &Parameters, number: u64) -> Result<Option<PageToken>, Refused> {
    let Some(text) = parameters.get("cursor") else { return Ok(None) };
    let token = PageToken::parse(text).filter(|token| token.request == number);
    token.map(Some).ok_or_else(|| bad_request("The parameter 'cursor' is not one of this request."))
}

/// Returns a time of a request: a date, a time of RFC 3339, or a number of `unit`s since 1970 of so many microseconds; `None` for
/// anything else. Numbers below a microsecond are rounded down.
pub(super) fn moment(text: &str, unit: Unit) -> Option<Moment> {
    match (text.parse::<i64>(), unit) {
        (Ok(number), Unit::Millis) => Moment::from_number(number, 1_000),
        (Ok(number), Unit::Nanos) => Moment::from_number(number.div_euclid(1_000), 1),
        (Err(_), _) => Moment::parse(text),
    }
}

/// The unit of numbers in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Milliseconds.
    Millis,
    /// Nanoseconds.
    Nanos,
}

/// Returns the address of the next page: that of the request, with this cursor and without the key.
pub(super) fn next_url(request: &HttpRequest, parameters: &Parameters, cursor: &str) -> String {
    let site = site(request);
    let rest = parameters.encoded_without(&["apiKey", "cursor"]);
    let and = if rest.is_empty() { "" } else { "&" };
    // A `Host` that is none would break the JSON, or lead the client elsewhere.
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    let scheme = if site.is_secure { "https" } else { "http" };
    let host = match site.host {
        host if !host.is_empty() && host.bytes().all(is_host) => host,
        _ => request.app_config().local_addr().to_string(),
    };
    format!("{scheme}://{host}{}?cursor={cursor}{and}{rest}", request.path())
}

/// Returns the end of an answer, without the closing brace.
pub(super) fn status() -> String {
    format!(r#""status":"OK","request_id":"{}""#, request_id())
}

/// Appends the fields of a ticker of the reference.
pub(super) fn describe(instrument: &Instrument, object: &mut Object<'_>) {
    use crate::protocol::identity::{Tape, tape};
    let exchange = match tape(instrument.symbol) {
        Tape::A => "XNYS",
        Tape::B => "ARCX",
        Tape::C => "XNAS",
    };
    object
        .text("ticker", instrument.symbol.as_str())
        .text("name", &instrument.name)
        .text("market", "stocks")
        .text("locale", "us")
        .text("primary_exchange", exchange)
        .text("type", "CS")
        .text("currency_name", "usd");
    object.key("active").extend_from_slice(b"true");
}
