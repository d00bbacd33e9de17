//! Trades and quotes of the past, newest first unless the client asks for the other order.

use actix_web::{HttpRequest, HttpResponse};

use crate::domain::{Channel, Quote, Symbol, Timestamp, Trade};
use crate::history::{Row, Tick, Window, day_of, midnight};
use crate::protocol::identity;
use crate::transport::Worker;
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::last::nanos;
use crate::transport::vendor::massive::rest::{
    Unit, bad_request, busy, cursor_of, descends, limit_of, moment, next_url, status, ticker_of,
};
use crate::transport::vendor::now;
use crate::transport::vendor::object::Object;
use crate::transport::vendor::page_token::{PageToken, number_of};
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::reads::{Content, Page, Reading, reader};
use crate::transport::vendor::refused::Refused;

const LIMIT_MAX: usize = 50_000;
const LIMIT_DEFAULT: usize = 1_000;

/// Responds to `/v3/trades/{ticker}` and `/v3/quotes/{ticker}`.
///
/// # Errors
///
/// Returns 400 for a bad parameter, and 503 if too many reads are in progress.
pub(super) async fn ticks(request: HttpRequest, channel: Channel) -> Result<HttpResponse, Refused> {
    let worker = Worker::of(&request);
    let parameters = Parameters::of(&request);
    let limit = limit_of(&parameters, LIMIT_DEFAULT, LIMIT_MAX)?;
    let descends = descends(&parameters, "order", true)?;
    let names = ["timestamp", "timestamp.gt", "timestamp.gte", "timestamp.lt", "timestamp.lte"];
    let epoch = worker.router.borrow().epoch();
    let (name, known) = ticker_of(&request);
    let times = names.map(|name| parameters.get(name));
    let number = number_of((&name, channel, times, descends, epoch));
    let (from, to) = window(&parameters, now(worker))?;
    let mut window = Window { from, to, descends };
    let cursor = cursor_of(&parameters, number)?;
    if let Some(PageToken { from, to, .. }) = cursor {
        window = Window { from, to, descends };
    }
    let after = cursor.map(|token| token.position);
    let reading = Reading::new(Content::Ticks(channel), window, Vec::from_iter(known), after, limit);
    let next = next_url(&request, &parameters, "CURSOR");
    let make = move |page: Page| {
        let next = page.rows.last().filter(|_| page.has_more).map(|(symbol, row)| {
            let Window { from, to, .. } = window;
            let token = PageToken { request: number, symbol: *symbol, position: row.position(), from, to };
            format!(r#","next_url":"{}""#, next.replacen("CURSOR", &token.encode(), 1))
        });
        let mut is_next = false;
        let encode = move |(symbol, row): &(Symbol, Row), out: &mut Vec<u8>| {
            if std::mem::replace(&mut is_next, true) {
                out.push(b',');
            }
            write(*symbol, row, out);
        };
        let tail = format!("],{}{}}}", status(), next.unwrap_or_default());
        Array::new("{\"results\":[".into(), page.rows, encode).ending(tail)
    };
    let answer = reader(&request).page(reading, make).await.map_err(busy)?;
    pieces::json(&request, answer, None).map_err(busy)
}

/// Returns the first and the last time of a request; a `timestamp` that is a date is its day, another one a moment. A request without
/// times is about the present day, one with an end alone about everything before it.
pub(super) fn window(parameters: &Parameters, now: Timestamp) -> Result<(Timestamp, Timestamp), Refused> {
    let moment = |name: &str| {
        let parse = |text| moment(text, Unit::Nanos).ok_or(());
        let message = format!("Could not parse the time input of '{name}'. Use YYYY-MM-DD or a nanosecond timestamp");
        parameters.get(name).map(parse).transpose().map_err(|()| bad_request(message))
    };
    if let Some(at) = moment("timestamp")? {
        return Ok((at.first(), at.last()));
    }
    let begin = moment("timestamp.gte")?.map(Moment::first);
    let begin = begin.or(moment("timestamp.gt")?.map(|at| at.last().plus_micros(1)));
    let end = moment("timestamp.lte")?.map(Moment::last);
    let end = end.or(moment("timestamp.lt")?.map(|at| at.first().plus_micros(-1)));
    match (begin, end) {
        (Some(begin), Some(end)) if end < begin => {
            Err(bad_request("The end of the time range is before its beginning"))
        }
        (Some(begin), Some(end)) => Ok((begin, end)),
        // A clock may be ahead of the market's: then there is nothing yet.
        (Some(begin), None) => Ok((begin, now.max(begin))),
        (None, Some(end)) => Ok((Timestamp::from_micros(0).min(end), end)),
        (None, None) => Ok((midnight(day_of(now)), now)),
    }
}

fn write(symbol: Symbol, row: &Row, out: &mut Vec<u8>) {
    let Row::Tick { seq, offset, tick } = row else { return };
    let mut object = Object::begin(out);
    match tick {
        Tick::Trade(trade, _) => trade_fields(symbol, *seq, trade, &mut object),
        Tick::Quote(quote) => quote_fields(symbol, *seq, quote, &mut object),
        // Not read.
        Tick::Corrected(_) => {}
    }
    object.integer("sequence_number", *offset).integer("tape", identity::tape(symbol).massive());
    object.end();
}

fn trade_fields(symbol: Symbol, seq: u64, trade: &Trade, object: &mut Object<'_>) {
    object
        .integers("conditions", identity::trade_conditions(symbol, seq, trade.size).massive())
        .integer("exchange", identity::exchange(symbol, seq).massive)
        .text("id", &identity::trade_id(seq).to_string())
        .price("price", trade.price)
        .shares("size", "decimal_size", trade.size)
        .integer("participant_timestamp", nanos(trade.ts))
        .integer("sip_timestamp", nanos(trade.ts));
}

fn quote_fields(symbol: Symbol, seq: u64, quote: &Quote, object: &mut Object<'_>) {
    let [bid, ask] = identity::quote_exchanges(symbol, seq);
    object
        .integer("bid_exchange", bid.massive)
        .price("bid_price", quote.bid)
        .integer("bid_size", quote.bid_size.shares())
        .integer("ask_exchange", ask.massive)
        .price("ask_price", quote.ask)
        .integer("ask_size", quote.ask_size.shares())
        .integers("conditions", std::iter::once(identity::QUOTE_CONDITION_MASSIVE))
        .integer("participant_timestamp", nanos(quote.ts))
        .integer("sip_timestamp", nanos(quote.ts));
}
