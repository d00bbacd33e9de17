//! The names of exchange codes and conditions.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::protocol::identity::{EXCHANGES, QUOTE_CONDITION};
use crate::transport::pieces;
use crate::transport::vendor::alpaca::rest::{bad_request, busy};
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::refused::Refused;

/// Responds to `/v2/stocks/meta/exchanges`: the exchanges whose codes trades and quotes have.
///
/// # Errors
///
/// Never, see [`pieces::whole_json`].
pub(super) async fn exchanges(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let names: Map<_, _> =
        EXCHANGES.iter().map(|exchange| (exchange.letter.to_owned(), Value::from(exchange.name))).collect();
    pieces::whole_json(&request, Value::Object(names).to_string().into_bytes()).map_err(busy)
}

/// Responds to `/v2/stocks/meta/conditions/{trade|quote}?tape=`: the conditions that trades or quotes have.
///
/// # Errors
///
/// Returns 400 for another kind, or another tape.
pub(super) async fn conditions(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    match parameters.get("tape") {
        None => return Err(bad_request("tape is required")),
        Some("A" | "B" | "C") => {}
        Some(_) => return Err(bad_request("invalid tape")),
    }
    let names = match request.match_info().query("kind") {
        "trade" => json!({
            "@": "Regular Sale",
            "F": "Intermarket Sweep",
            "I": "Odd Lot Trade",
            "T": "Form T",
        }),
        "quote" => json!({QUOTE_CONDITION: "Regular, Two-Sided Open"}),
        _ => return Err(bad_request("invalid ticktype")),
    };
    pieces::whole_json(&request, names.to_string().into_bytes()).map_err(busy)
}
