//! Entrance of the fuzz target `vendor_query` to the parameters of Alpaca.

use crate::domain::{Symbol, Timestamp};
use crate::history::Timeframe;
use crate::transport::vendor::alpaca::history::{Kind, content, times};
use crate::transport::vendor::alpaca::rest::{check_common, symbols_of};
use crate::transport::vendor::parameters::Parameters;
use crate::transport::vendor::reads::Content;
use crate::transport::vendor::refused::Refused;

/// The symbols, the timeframe, and the first and the last time of a request.
type Wanted = (Vec<Symbol>, Timeframe, (Timestamp, Timestamp));

/// Reads the parameters of `/v2/stocks/bars`.
///
/// # Errors
///
/// Returns 400 for a bad parameter.
pub(in crate::transport::vendor) fn bars(parameters: &Parameters, now: Timestamp) -> Result<Wanted, Refused> {
    let symbols = symbols_of(parameters)?;
    check_common(parameters, &["sip", "iex"])?;
    let timeframe = match content(Kind::Bars, parameters)? {
        Content::Bars(timeframe) => timeframe,
        Content::Ticks(_) | Content::Trades => Timeframe::Day(1),
    };
    Ok((symbols, timeframe, times(parameters, now)?))
}
