//! Bars, trades and quotes of the past, in pages over all symbols of a request.

use actix_web::{HttpRequest, HttpResponse};

use crate::access::Vendor;
use crate::domain::{Bar, Channel, Symbol, Timestamp};
use crate::history::{Row, Standing, Tick, Timeframe, Window, day_of, midnight};
use crate::protocol::alpaca::{Json, Update, write_bar, write_corrected, write_quote, write_trade};
use crate::transport::Worker;
use crate::transport::pieces::{self, Array, Pieces};
use crate::transport::vendor::alpaca::rest::{bad_request, busy, check_common, currency, symbol_of, symbols_of};
use crate::transport::vendor::page_token::{PageToken, number_of};
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::reads::{Content, Page, Reading, reader};
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{alpaca::timeframe, known, now, table};

/// The most rows of a page, over all symbols.
const LIMIT_MAX: usize = 10_000;
/// The number of rows if the client names none.
const LIMIT_DEFAULT: usize = 1_000;
/// Feeds with a history. All of them have the same one here.
const FEEDS: [&str; 4] = ["sip", "iex", "boats", "otc"];

/// Data of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Trades.
    Trades,
    /// Quotes.
    Quotes,
    /// Bars.
    Bars,
}

impl Kind {
    /// Returns the name of a list.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Bars => "bars",
        }
    }

    /// Returns the name of one of them.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Trades => "trade",
            Self::Quotes => "quote",
            Self::Bars => "bar",
        }
    }
}

/// Responds to `/v2/stocks/bars`, `/v2/stocks/{symbol}/bars`, and the same of trades and quotes.
///
/// # Errors
///
/// Returns 400 for a bad parameter, and 503 if too many reads are in progress.
pub(super) async fn history(request: HttpRequest, kind: Kind) -> Result<HttpResponse, Refused> {
    let worker = Worker::of(&request);
    let parameters = Parameters::of(&request);
    let only = symbol_of(&request)?;
    let mut names = match only {
        Some(symbol) => vec![symbol],
        None => symbols_of(&parameters)?,
    };
    check_common(&parameters, &FEEDS)?;
    let content = content(kind, &parameters)?;
    let descends = match parameters.get("sort") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(bad_request("invalid sort")),
    };
    let limit = match parameters.get("limit").map(str::parse) {
        None => LIMIT_DEFAULT,
        Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
        Some(_) => return Err(bad_request(format!("invalid limit: must be between 1 and {LIMIT_MAX}"))),
    };
    let (from, to) = times(&parameters, now(worker))?;
    names.sort_unstable();
    let stream = match content {
        // A trade has its place in one stream only.
        Content::Ticks(_) | Content::Trades => Some(worker.router.borrow().epoch()),
        Content::Bars(_) => None,
    };
    let times = ["start", "end"].map(|name| parameters.get(name));
    let number = number_of((only, &names, content, descends, times, stream));
    let (mut window, mut after) = (Window { from, to, descends }, None);
    let mut symbols = known(&table(&request), &names);
    if let Some(text) = parameters.get("page_token") {
        let token = PageToken::parse(text).filter(|token| token.request == number);
        let token = token.ok_or_else(|| bad_request("invalid page_token"))?;
        symbols.retain(|(_, symbol)| *symbol >= token.symbol);
        after = symbols.first().filter(|(_, symbol)| *symbol == token.symbol).map(|_| token.position);
        window = Window { from: token.from, to: token.to, descends };
    }
    let reading = Reading::new(content, window, symbols, after, limit);
    let currency = currency(&parameters);
    let make = move |page| document(kind, only, number, &window, currency, page);
    let answer = reader(&request).page(reading, make).await.map_err(busy)?;
    pieces::json(&request, answer, None).map_err(|_| Refused::busy(Vendor::Alpaca))
}

pub(super) fn content(kind: Kind, parameters: &Parameters) -> Result<Content, Refused> {
    match kind {
        Kind::Trades => Ok(Content::Trades),
        Kind::Quotes => Ok(Content::Ticks(Channel::Quotes)),
        Kind::Bars => {
            let is_adjustment = |word: &str| ["raw", "split", "dividend", "spin-off", "all"].contains(&word);
            if !parameters.get("adjustment").unwrap_or("raw").split(',').all(is_adjustment) {
                return Err(bad_request("invalid adjustment"));
            }
            let text = parameters.get("timeframe").ok_or_else(|| bad_request("timeframe is required"))?;
            let timeframe: Option<Timeframe> = timeframe::parse(text);
            timeframe.map(Content::Bars).ok_or_else(|| bad_request("invalid timeframe"))
        }
    }
}

/// Returns the first and the last time of a request: by default from the beginning of the day in New York until now.
pub(super) fn times(parameters: &Parameters, now: Timestamp) -> Result<(Timestamp, Timestamp), Refused> {
    let moment = |name: &str| {
        let moment = parameters.get(name).map(|text| Moment::parse(text).ok_or(text)).transpose();
        let example = "2026-03-02 or 2026-03-02T15:04:05Z";
        moment.map_err(|_| bad_request(format!("invalid {name}: must be a date or a time, as in {example}")))
    };
    let from = moment("start")?.map_or_else(|| midnight(day_of(now)), Moment::first);
    let to = moment("end")?.map_or(now, Moment::last);
    if to < from { Err(bad_request("end should not be before start")) } else { Ok((from, to)) }
}

/// Returns the response with these rows.
fn document(
    kind: Kind,
    only: Option<Symbol>,
    number: u64,
    window: &Window,
    currency: &str,
    page: Page,
) -> impl Pieces + Send + use<> {
    let next = page.rows.last().filter(|_| page.has_more).map(|(symbol, row)| {
        let Window { from, to, .. } = *window;
        PageToken { request: number, symbol: *symbol, position: row.position(), from, to }.encode()
    });
    let next = next.map_or("null".to_owned(), |token| format!("\"{token}\""));
    let name = kind.plural();
    let (head, tail) = if let Some(symbol) = only {
        (format!(r#"{{"{name}":["#), format!(r#"],"symbol":"{symbol}"{currency},"next_page_token":{next}}}"#))
    } else {
        let end = if page.rows.is_empty() { "" } else { "]" };
        (format!(r#"{{"{name}":{{"#), format!(r#"{end}}}{currency},"next_page_token":{next}}}"#))
    };
    let mut before = None;
    let encode = move |(symbol, row): &(Symbol, Row), out: &mut Vec<u8>| {
        let is_next = before == Some(*symbol);
        if is_next {
            out.push(b',');
        } else if only.is_none() {
            out.extend_from_slice(if before.is_some() { b"],\"" } else { b"\"" });
            out.extend_from_slice(symbol.as_bytes());
            out.extend_from_slice(b"\":[");
        }
        before = Some(*symbol);
        write_row(*symbol, row, out);
    };
    Array::new(head, page.rows, encode).ending(tail)
}

/// Appends a row as an object.
pub(super) fn write_row(symbol: Symbol, row: &Row, out: &mut Vec<u8>) {
    match row {
        Row::Bar(bar) => write_bar::<Json>(&Bar::from(bar), out),
        Row::Tick { seq, tick: Tick::Trade(trade, standing), .. } => {
            write_trade::<Json>(symbol, *seq, trade, update(*standing), out);
        }
        Row::Tick { seq, tick: Tick::Corrected(correction), .. } => {
            write_corrected::<Json>(symbol, *seq, correction, out);
        }
        Row::Tick { seq, tick: Tick::Quote(quote), .. } => write_quote::<Json>(symbol, *seq, quote, out),
    }
}

/// Returns the vendor's word for what has become of a trade.
pub(super) const fn update(standing: Standing) -> Option<Update> {
    match standing {
        Standing::Valid => None,
        Standing::Cancelled => Some(Update::Cancelled),
        Standing::Corrected => Some(Update::Incorrect),
    }
}
