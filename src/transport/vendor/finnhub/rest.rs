//! Finnhub's market data of stocks over HTTP, as its page (<https://finnhub.io/docs/api>) and its client libraries have it.
//!
//! Its addresses begin with `/api/v1`, like those of this server. With a token in the request they are Finnhub's; below `/finnhub`
//! always.

use actix_web::dev::RequestHead;
use actix_web::guard;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Scope};
use serde_json::json;

use crate::access::Vendor;
use crate::domain::{Bar, Instrument, Symbol, SymbolId};
use crate::history::{Row, Timeframe, Window};
use crate::protocol::identity::{Tape, tape};
use crate::session::{NAME_WORK, SEARCH_WORK};
use crate::transport::pieces::{self, Array, Pieces};
use crate::transport::vendor::object::Object;
use crate::transport::vendor::parameters::{Moment, Parameters};
use crate::transport::vendor::reads::{Content, Page, Reading, reader};
use crate::transport::vendor::refused::Refused;
use crate::transport::vendor::{admission, cors, newest, not_found, serving, table};
use crate::transport::{Worker, gate};

/// Most symbols that a search returns.
const FOUND_MAX: usize = 100;
/// Most candles of an answer: more than there are of any resolution.
const CANDLES_MAX: usize = 50_000;

/// Adds the addresses. Those below `/api/v1` must be added before the server's own.
pub(in crate::transport) fn addresses(config: &mut ServiceConfig) {
    config
        .service(finnhub(web::scope("/finnhub/api/v1")))
        .service(finnhub(web::scope("/api/v1").guard(guard::fn_guard(|context| has_token(context.head())))));
}

fn finnhub(scope: Scope) -> impl actix_web::dev::HttpServiceFactory + 'static {
    let mut scope = scope.wrap(from_fn(admission::finnhub));
    // The vendor's Python client puts two slashes before the name.
    for slashes in ["/", "//"] {
        scope = scope
            .service(serving(Vendor::Finnhub, &format!("{slashes}quote"), quote))
            .service(serving(Vendor::Finnhub, &format!("{slashes}stock/candle"), candle))
            .service(serving(Vendor::Finnhub, &format!("{slashes}stock/symbol"), symbols))
            .service(serving(Vendor::Finnhub, &format!("{slashes}search"), search));
    }
    scope.default_service(web::to(unknown)).wrap(cors(Vendor::Finnhub))
}

/// Returns whether the request has a key in the way of the vendor.
pub(in crate::transport) fn has_token(head: &RequestHead) -> bool {
    let mut query = head.uri.query().unwrap_or_default().split('&');
    head.headers().contains_key(admission::FINNHUB_TOKEN) || query.any(|pair| pair.starts_with("token="))
}

async fn unknown(request: HttpRequest) -> Result<HttpResponse, Refused> {
    Err(not_found(Vendor::Finnhub, &request))
}

fn bad_request(message: &str) -> Refused {
    Refused::bad_request(Vendor::Finnhub, message)
}

fn busy<E>(_: E) -> Refused {
    Refused::busy(Vendor::Finnhub)
}

/// Returns the symbol of the request, if it is known.
fn symbol_of(request: &HttpRequest, parameters: &Parameters) -> Result<Option<(SymbolId, Symbol)>, Refused> {
    let name = parameters.get("symbol").ok_or_else(|| bad_request("Missing parameter: symbol"))?;
    let table = table(request);
    Ok(name.parse().ok().and_then(|symbol| Some((table.id(symbol)?, symbol))))
}

/// Responds to `/quote?symbol=`. An unknown symbol has a quote of zeros, like the vendor's; one without a trade yet has no values.
async fn quote(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let Some(known) = symbol_of(&request, &parameters)? else {
        let zeros = json!({"c": 0, "d": null, "dp": null, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0});
        return pieces::whole_json(&request, zeros.to_string().into_bytes()).map_err(busy);
    };
    let all = newest::all(&request, &[known]).await.map_err(busy)?;
    let mut out = Vec::new();
    for newest in all {
        let mut object = Object::begin(&mut out);
        if let Some(trade) = newest.trade {
            let last = trade.value.price;
            object.price("c", last);
            if let Some((_, before)) = newest.prices() {
                let change = last.to_dollars() - before.to_dollars();
                object.decimal("d", change).decimal("dp", 100.0 * change / before.to_dollars()).price("pc", before);
            }
            let of_day = newest.day.map(|Bar { open, high, low, .. }| [open, high.max(last), low.min(last)]);
            if let Some([open, high, low]) = of_day.or_else(|| newest.day_before.map(|day| [day.close; 3])) {
                object.price("h", high).price("l", low).price("o", open);
            }
            object.integer("t", trade.value.ts.micros().div_euclid(1_000_000));
        }
        object.end();
    }
    pieces::whole_json(&request, out).map_err(busy)
}

/// Responds to `/stock/candle?symbol=&resolution=&from=&to=`.
async fn candle(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let known = symbol_of(&request, &parameters)?;
    let timeframe = match parameters.get("resolution").ok_or_else(|| bad_request("Missing parameter: resolution"))? {
        "1" => Timeframe::Minute(1),
        "5" => Timeframe::Minute(5),
        "15" => Timeframe::Minute(15),
        "30" => Timeframe::Minute(30),
        "60" => Timeframe::Hour(1),
        "D" => Timeframe::Day(1),
        "W" => Timeframe::Week(1),
        "M" => Timeframe::Month(1),
        _ => return Err(bad_request("Wrong resolution: use 1, 5, 15, 30, 60, D, W or M")),
    };
    let time = |name: &str| {
        let number = parameters.get(name).and_then(|text| text.parse().ok());
        let moment = number.and_then(|number| Moment::from_number(number, 1_000_000));
        moment
            .map(Moment::first)
            .ok_or_else(|| bad_request(&format!("Wrong parameter: {name} must be a UNIX timestamp")))
    };
    let (from, to) = (time("from")?, time("to")?);
    let window = Window { from, to, descends: false };
    let reading = Reading::new(Content::Bars(timeframe), window, Vec::from_iter(known), None, CANDLES_MAX);
    let answer = reader(&request).page(reading, columns).await.map_err(busy)?;
    pieces::json(&request, answer, None).map_err(busy)
}

/// Returns the document with a list of each value of the candles.
fn columns(page: Page) -> impl Pieces + Send {
    const NAMES: [&str; 6] = ["c", "h", "l", "o", "t", "v"];
    let bar = |(_, row)| if let Row::Bar(bar) = row { Some(Bar::from(&bar)) } else { None };
    let bars: Vec<Bar> = page.rows.into_iter().filter_map(bar).collect();
    let status = if bars.is_empty() { r#"{"s":"no_data"}"# } else { r#"{"s":"ok","# };
    let count = bars.len();
    // One element for each value of each list; a list follows the other.
    let places: Vec<usize> = (0..count * NAMES.len()).collect();
    let encode = move |place: &usize, out: &mut Vec<u8>| {
        let (column, row) = (place / count, place % count);
        if row == 0 {
            out.extend_from_slice(if column == 0 { b"\"" } else { b"],\"" });
            out.extend_from_slice(NAMES[column].as_bytes());
            out.extend_from_slice(b"\":[");
        } else {
            out.push(b',');
        }
        let bar = &bars[row];
        let text = match NAMES[column] {
            "c" => bar.close.to_string(),
            "h" => bar.high.to_string(),
            "l" => bar.low.to_string(),
            "o" => bar.open.to_string(),
            "t" => bar.ts.micros().div_euclid(1_000_000).to_string(),
            _ => bar.volume.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    };
    let bytes = count * size_of::<Bar>();
    Array::new(status.into(), places, encode)
        .ending(if count == 0 { String::new() } else { "]}".into() })
        .keeping(bytes)
}

/// Responds to `/stock/symbol?exchange=US`.
async fn symbols(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let exchange = parameters.get("exchange").ok_or_else(|| bad_request("Missing parameter: exchange"))?;
    Worker::of(&request).answer_turns.clone().pass().await;
    let table = table(&request);
    let ids: Vec<SymbolId> = if exchange == "US" { table.ids().collect() } else { Vec::new() };
    gate::charge(&request, NAME_WORK * ids.len() as u64);
    let mut is_next = false;
    let encode = move |id: &SymbolId, out: &mut Vec<u8>| {
        if std::mem::replace(&mut is_next, true) {
            out.push(b',');
        }
        let instrument = table.instrument(*id);
        let mut object = Object::begin(out);
        describe(instrument, &mut object);
        let mic = match tape(instrument.symbol) {
            Tape::A => "XNYS",
            Tape::B => "ARCX",
            Tape::C => "XNAS",
        };
        object.text("currency", "USD").text("mic", mic).text("figi", "");
        object.end();
    };
    pieces::json(&request, pieces::begin(Array::new("[".into(), ids, encode).ending("]".into())), None).map_err(busy)
}

/// Responds to `/search?q=`: the symbols whose ticker or name has this text.
async fn search(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let parameters = Parameters::of(&request);
    let wanted = parameters.get("q").ok_or_else(|| bad_request("Missing parameter: q"))?.to_lowercase();
    Worker::of(&request).answer_turns.clone().pass().await;
    let table = table(&request);
    gate::charge(&request, SEARCH_WORK * table.ids().count() as u64);
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let found = table.instruments().filter(|each| has(each.symbol.as_str()) || has(&each.name));
    let found: Vec<_> = found.take(FOUND_MAX).collect();
    gate::charge(&request, NAME_WORK * found.len() as u64);
    let mut out = format!(r#"{{"count":{},"result":["#, found.len()).into_bytes();
    for (index, instrument) in found.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut object = Object::begin(&mut out);
        describe(instrument, &mut object);
        object.end();
    }
    out.extend_from_slice(b"]}");
    pieces::whole_json(&request, out).map_err(busy)
}

fn describe(instrument: &Instrument, object: &mut Object<'_>) {
    object
        .text("description", &instrument.name.to_uppercase())
        .text("displaySymbol", instrument.symbol.as_str())
        .text("symbol", instrument.symbol.as_str())
        .text("type", "Common Stock");
}
