//! Entrances of the fuzz target `vendor_query` to the parameters of Massive.

use actix_web::HttpRequest;

use crate::domain::Timestamp;
use crate::history::Timeframe;
use crate::transport::vendor::massive::rest::{self, Unit, cursor_of, descends, limit_of};
use crate::transport::vendor::massive::{aggregates, ticks};
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::refused::Refused;

/// Reads the parameters of `/v3/trades/{ticker}`: the first and the last time.
///
/// # Errors
///
/// Returns 400 for a bad parameter.
pub(in crate::transport::vendor) fn times(
    parameters: &Parameters,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Refused> {
    limit_of(parameters, 1_000, 50_000)?;
    descends(parameters, "order", true)?;
    cursor_of(parameters, 0)?;
    ticks::window(parameters, now)
}

/// Returns the address of the next page.
pub(in crate::transport::vendor) fn next_url(request: &HttpRequest, parameters: &Parameters) -> String {
    rest::next_url(request, parameters, "CURSOR")
}

/// Returns the timeframe of a multiple and a unit.
pub(in crate::transport::vendor) fn timeframe(count: &str, unit: &str) -> Option<Timeframe> {
    aggregates::timeframe(count, unit).ok()
}

/// Reads a time, as a number in milliseconds.
pub(in crate::transport::vendor) fn millis(text: &str) -> Option<Moment> {
    rest::moment(text, Unit::Millis)
}
