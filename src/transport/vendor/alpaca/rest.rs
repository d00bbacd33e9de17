//! Alpaca's market data of stocks over HTTP: `/v2/stocks/…`, as its page "Market Data API"
//! (<https://docs.alpaca.markets/reference/stockbars>) describes it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::Symbol;
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{admission, alpaca, cors, not_found, serving};

use alpaca::history::{Kind, history};
use alpaca::{latest, meta};

/// Adds the addresses.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    let scope = web::scope("/v2/stocks")
        .wrap(from_fn(admission::alpaca))
        .service(serving(Vendor::Alpaca, "/meta/exchanges", meta::exchanges))
        .service(serving(Vendor::Alpaca, "/meta/conditions/{kind}", meta::conditions))
        .service(serving(Vendor::Alpaca, "/snapshots", latest::snapshots))
        .service(serving(Vendor::Alpaca, "/{symbol}/snapshot", latest::snapshot))
        .service(serving(Vendor::Alpaca, "/trades/latest", |request| latest::many(request, Kind::Trades)))
        .service(serving(Vendor::Alpaca, "/quotes/latest", |request| latest::many(request, Kind::Quotes)))
        .service(serving(Vendor::Alpaca, "/bars/latest", |request| latest::many(request, Kind::Bars)))
        .service(serving(Vendor::Alpaca, "/{symbol}/trades/latest", |request| latest::one(request, Kind::Trades)))
        .service(serving(Vendor::Alpaca, "/{symbol}/quotes/latest", |request| latest::one(request, Kind::Quotes)))
        .service(serving(Vendor::Alpaca, "/{symbol}/bars/latest", |request| latest::one(request, Kind::Bars)))
        .service(serving(Vendor::Alpaca, "/trades", |request| history(request, Kind::Trades)))
        .service(serving(Vendor::Alpaca, "/quotes", |request| history(request, Kind::Quotes)))
        .service(serving(Vendor::Alpaca, "/bars", |request| history(request, Kind::Bars)))
        .service(serving(Vendor::Alpaca, "/{symbol}/trades", |request| history(request, Kind::Trades)))
        .service(serving(Vendor::Alpaca, "/{symbol}/quotes", |request| history(request, Kind::Quotes)))
        .service(serving(Vendor::Alpaca, "/{symbol}/bars", |request| history(request, Kind::Bars)))
        .default_service(web::to(unknown))
        .wrap(cors(Vendor::Alpaca));
    config.service(scope);
}

async fn unknown(request: HttpRequest) -> Result<HttpResponse, Refused> {
    Err(not_found(Vendor::Alpaca, &request))
}

/// Returns 400.
pub(super) fn bad_request(message: impl Into<String>) -> Refused {
    Refused::bad_request(Vendor::Alpaca, message)
}

/// Returns 503.
pub(super) fn busy<E>(_: E) -> Refused {
    Refused::busy(Vendor::Alpaca)
}

/// Returns the symbol in the path, if the address has one.
pub(super) fn symbol_of(request: &HttpRequest) -> Result<Option<Symbol>, Refused> {
    request.match_info().get("symbol").map(parse_symbol).transpose()
}

/// Returns the parameter `symbols`.
pub(super) fn symbols_of(parameters: &Parameters) -> Result<Vec<Symbol>, Refused> {
    let text = parameters.get("symbols").ok_or_else(|| bad_request("symbols is required"))?;
    text.split(',').map(parse_symbol).collect()
}

fn parse_symbol(text: &str) -> Result<Symbol, Refused> {
    text.parse().map_err(|_| bad_request(format!("invalid symbol: {}", text.chars().take(64).collect::<String>())))
}

/// Returns the field `currency`, with a comma before it, if the client has asked for a currency. All prices are in US dollars, whichever
/// it names.
pub(super) fn currency(parameters: &Parameters) -> &'static str {
    if parameters.get("currency").is_some() { r#","currency":"USD""# } else { "" }
}

/// Checks the parameters that every request may have and that change nothing here.
pub(super) fn check_common(parameters: &Parameters, feeds: &[&str]) -> Result<(), Refused> {
    match parameters.get("feed") {
        Some(feed) if !feeds.contains(&feed) => Err(bad_request("invalid feed")),
        _ => Ok(()),
    }
}
