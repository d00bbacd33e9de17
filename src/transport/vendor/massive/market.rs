//! The whole market at once: snapshots of all tickers, those that have moved most, and the bars of a day.

use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse};
use chrono::Days;

use crate::domain::{Bar, Symbol, SymbolId, Timestamp};
use crate::history::{Row, Timeframe, Window, day_of, midnight};
use crate::transport::Worker;
use crate::transport::pieces::{self, Array};
use crate::transport::vendor::massive::aggregates::{fields, head};
use crate::transport::vendor::massive::rest::{bad_request, busy, status};
use crate::transport::vendor::massive::snapshot::{change, write};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::reads::reader;
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::whole_market::{Listed, Shared, WholeMarket};
use crate::transport::vendor::{now, table};

/// Most tickers of an answer about those that have moved most.
const MOVERS_MAX: usize = 20;
/// Days before the last two are read from the history of each symbol, if there are at most so many.
const OLD_DAYS_SYMBOLS_MAX: usize = 1_000;

/// Responds with the snapshots of all tickers.
///
/// # Errors
///
/// Returns 503 if too many reads are in progress.
pub(super) async fn all(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let market = WholeMarket::of(&request).await.map_err(busy)?;
    let table = table(&request);
    let places = (0..market.len()).filter(|place| table.has(market[*place].id)).collect();
    snapshots(&request, &market, places)
}

/// Responds to `/v2/snapshot/locale/us/markets/stocks/{gainers|losers}`: the tickers that have risen or fallen most since the day
/// before, by per cent.
///
/// # Errors
///
/// Like [`all`].
pub(super) async fn movers(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let market = WholeMarket::of(&request).await.map_err(busy)?;
    let sign = if request.match_info().query("direction") == "gainers" { 1.0 } else { -1.0 };
    let moved =
        |place: usize| market[place].newest.prices().map_or(0.0, |(last, before)| sign * change(last, before).1);
    let table = table(&request);
    let is_listed = |place: &usize| table.has(market[*place].id) && moved(*place) > 0.0;
    let mut places: Vec<usize> = (0..market.len()).filter(is_listed).collect();
    places.sort_by(|one, other| moved(*other).total_cmp(&moved(*one)));
    places.truncate(MOVERS_MAX);
    snapshots(&request, &market, places)
}

fn snapshots(request: &HttpRequest, market: &Rc<Shared>, places: Vec<usize>) -> Result<HttpResponse, Refused> {
    let head = format!(r#"{{{},"count":{},"tickers":["#, status(), places.len());
    let listed = market.clone();
    let encode = move |place: &usize, out: &mut Vec<u8>| write(listed[*place].symbol, &listed[*place].newest, out);
    let response = pieces::json(request, pieces::begin(Array::new(head, places, encode)), None).map_err(busy)?;
    market.count();
    Ok(response)
}

/// Responds to `/v2/aggs/grouped/locale/us/market/stocks/{date}`: the bars of all tickers on a day.
///
/// # Errors
///
/// Returns 400 for a bad date, or one before yesterday in a market of more than a thousand symbols; otherwise like [`all`].
pub(super) async fn grouped(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let adjusted = Parameters::of(&request).get("adjusted") != Some("false");
    let day = match Moment::parse(request.match_info().query("date")) {
        Some(day @ Moment::Day(_)) => day.first(),
        _ => return Err(bad_request("Could not parse the date. Use YYYY-MM-DD")),
    };
    let market = WholeMarket::of(&request).await.map_err(busy)?;
    // The last two days of a symbol that has not traded today are older ones.
    let yesterday = midnight(day_of(now(Worker::of(&request))) - Days::new(1));
    let bars = if day < yesterday { old_day(&request, &market, day).await? } else { new_day(&request, &market, day) };
    let head = head(None, adjusted, bars.len()) + "\"results\":[";
    let mut is_next = false;
    let encode = move |(symbol, bar): &(Symbol, Bar), out: &mut Vec<u8>| {
        if std::mem::replace(&mut is_next, true) {
            out.push(b',');
        }
        let mut object = Object::begin(out);
        object.text("T", symbol.as_str());
        fields(bar, &mut object);
        object.end();
    };
    let body = Array::new(head, bars, encode).ending(format!("],{}}}", status()));
    pieces::json(&request, pieces::begin(body), None).map_err(busy)
}

/// Returns the bars of yesterday or a later day.
fn new_day(request: &HttpRequest, market: &[Listed], day: Timestamp) -> Vec<(Symbol, Bar)> {
    let table = table(request);
    let of_day = |bar: &Bar| bar.ts == day;
    let bar = |Listed { symbol, newest, .. }: &Listed| {
        Some((*symbol, [newest.day, newest.day_before].into_iter().flatten().find(of_day)?))
    };
    market.iter().filter(|listed| table.has(listed.id)).filter_map(bar).collect()
}

async fn old_day(request: &HttpRequest, market: &[Listed], day: Timestamp) -> Result<Vec<(Symbol, Bar)>, Refused> {
    if market.len() > OLD_DAYS_SYMBOLS_MAX {
        let words = "This market has too many tickers for days before yesterday; ask for the days of one ticker.";
        return Err(bad_request(words));
    }
    let table = table(request);
    let listed = market.iter().filter(|listed| table.has(listed.id));
    let symbols: Vec<(SymbolId, Symbol)> = listed.map(|listed| (listed.id, listed.symbol)).collect();
    let window = Window { from: day, to: day, descends: false };
    let read = reader(request).each(&symbols, move |archive, id| {
        match archive.bars(id, Timeframe::Day(1), &window, None, 1).pop() {
            Some(Row::Bar(bar)) => Some(Bar::from(&bar)),
            _ => None,
        }
    });
    let read = read.await.map_err(busy)?;
    Ok(symbols.into_iter().zip(read).filter_map(|((_, symbol), bar)| Some((symbol, bar?))).collect())
}
