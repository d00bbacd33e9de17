//! Query strings: each parameter at most once, no unknown ones, values within their range.

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::domain::{Channel, ChannelSet};
use crate::protocol::native::{parse_mode, parse_on_lag};
use crate::protocol::{Cursor, ErrorCode, Mistake, Rate, Selector, Subscribe, WILDCARD};
use crate::transport::Problem;
use crate::transport::gate::TICKET;

/// The parameters that have not been taken yet.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Returns the parameters of the request.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Self::parse(request.query_string())
    }

    /// Returns the parameters of a query string.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|err| Problem::bad_request(format!("malformed query string: {err}")))?;
        Ok(Self(pairs))
    }

    /// Returns whether there is a parameter of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Sets a parameter, unless it is given.
    pub(super) fn default_to(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.0.push((name.into(), value.into()));
        }
    }

    /// Takes a parameter, as text.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let Some(place) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(place);
        if self.0.iter().any(|(key, _)| key == name) {
            return Err(Problem::bad_request(format!("'{name}' is given more than once")));
        }
        Ok(Some(value))
    }

    /// Takes a number within a range.
    pub(super) fn take_number<N>(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<N>,
    ) -> Result<Option<N>, Problem>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.take(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (low, high) = (range.start(), range.end());
                Err(Problem::bad_request(format!("'{name}' must be an integer from {low} to {high}")))
            }
        }
    }

    /// Takes `symbols`, a comma-separated list; `None` if it is absent.
    pub(super) fn take_symbols(&mut self) -> Result<Option<Vec<Selector>>, Problem> {
        let Some(text) = self.take("symbols")? else { return Ok(None) };
        let select = |name: &str| if name == WILDCARD { Selector::All } else { Selector::Symbol(name.into()) };
        let symbols: Vec<_> = text.split(',').map(str::trim).map(select).collect();
        if symbols.contains(&Selector::Symbol(String::new())) {
            return Err(Problem::bad_request("'symbols' must be a comma-separated list of symbols, or *"));
        }
        Ok(Some(symbols))
    }

    /// Takes `channels`, a comma-separated list; `trades` if it is absent.
    pub(super) fn take_channels(&mut self) -> Result<ChannelSet, Problem> {
        let text = self.take("channels")?.unwrap_or_else(|| Channel::Trades.name().into());
        let parse = |name: &str| {
            let detail = || format!("no such channel: {}", name.chars().take(64).collect::<String>());
            name.parse().map_err(|()| Problem::mistake(Mistake::new(ErrorCode::UnknownChannel, detail())))
        };
        text.split(',').map(str::trim).map(parse).collect()
    }

    /// Takes the parameters of a subscription: `symbols`, `channels`, `mode` and `after`; if `paced`, for a transport at whose
    /// rate the server writes, also `max_hz` and `on_lag`.
    pub(super) fn take_subscribe(&mut self, paced: bool) -> Result<Subscribe, Problem> {
        let symbols = self.take_symbols()?.ok_or_else(|| Problem::bad_request("'symbols' is missing"))?;
        let channels = self.take_channels()?;
        let mode = self.take("mode")?.unwrap_or_else(|| "all".into());
        let (mut rate, mut on_lag) = (None, None);
        if paced {
            rate = self.take_rate()?;
            on_lag = self.take("on_lag")?.map(|name| parse_on_lag(&name).map_err(Problem::bad_request)).transpose()?;
        }
        let mode = parse_mode(&mode, rate, channels).map_err(Problem::bad_request)?;
        // An `EventSource` does not reconnect after an error, so an invalid cursor counts as void.
        let parse = |text: String| {
            if paced { Ok(Cursor::parse(&text).unwrap_or_else(Cursor::void)) } else { parse_cursor(&text) }
        };
        let after = self.take("after")?.map(parse).transpose()?;
        Ok(Subscribe { symbols, channels, mode, on_lag, after })
    }

    fn take_rate(&mut self) -> Result<Option<Rate>, Problem> {
        let Some(text) = self.take("max_hz")? else { return Ok(None) };
        let rate = text.parse().ok().and_then(Rate::from_hz);
        let (low, high) = (Rate::HZ_MIN, Rate::HZ_MAX);
        rate.map(Some).ok_or_else(|| Problem::bad_request(format!("'max_hz' must be a number from {low} to {high}")))
    }

    /// Refuses parameters that no handler has taken.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                Err(Problem::bad_request(format!("no such parameter: {name}")))
            }
        }
    }

    /// Does the same where a ticket may be in the address: the gate has looked at it.
    pub(super) fn finish_with_ticket(mut self) -> Result<(), Problem> {
        self.take(TICKET)?;
        self.finish()
    }
}

fn parse_cursor(text: &str) -> Result<Cursor, Problem> {
    Cursor::parse(text).ok_or_else(|| Problem::bad_request("'after' must be epoch:offset"))
}
