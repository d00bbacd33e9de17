//! Alpaca's market data of stocks over HTTP: `/v2/stocks/…`, as its page "Market Data API"
//! (<https://docs.alpaca.markets/reference/stockbars>) describes it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::Symbol;
use crate::transport::reading;
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{admission, alpaca, not_found};

use alpaca::history::{Kind, history};
use alpaca::{latest, meta};

/// Adds the addresses.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    let scope = web::scope("/v2/stocks")
        .wrap(from_fn(admission::alpaca))
        .service(reading("/meta/exchanges", meta::exchanges))
        .service(reading("/meta/conditions/{kind}", meta::conditions))
        .service(reading("/snapshots", latest::snapshots))
        .service(reading("/{symbol}/snapshot", latest::snapshot))
        .service(reading("/trades/latest", |request| latest::many(request, Kind::Trades)))
        .service(reading("/quotes/latest", |request| latest::many(request, Kind::Quotes)))
        .service(reading("/bars/latest", |request| latest::many(request, Kind::Bars)))
        .service(reading("/{symbol}/trades/latest", |request| latest::one(request, Kind::Trades)))
        .service(reading("/{symbol}/quotes/latest", |request| latest::one(request, Kind::Quotes)))
        .service(reading("/{symbol}/bars/latest", |request| latest::one(request, Kind::Bars)))
        .service(reading("/trades", |request| history(request, Kind::Trades)))
        .service(reading("/quotes", |request| history(request, Kind::Quotes)))
        .service(reading("/bars", |request| history(request, Kind::Bars)))
        .service(reading("/{symbol}/trades", |request| history(request, Kind::Trades)))
        .service(reading("/{symbol}/quotes", |request| history(request, Kind::Quotes)))
        .service(reading("/{symbol}/bars", |request| history(request, Kind::Bars)))
        .default_service(web::to(unknown));
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

/// Checks the parameters that every request may have and that change nothing here.
pub(super) fn check_common(parameters: &Parameters, feeds: &[&str]) -> Result<(), Refused> {
    match parameters.get("feed") {
        Some(feed) if !feeds.contains(&feed) => Err(bad_request("invalid feed")),
        _ => Ok(()),
    }
}
