//! `Rows`: makes rows from the cells of a line, by the layout of the file.

use tickcast_core::domain::{Price, Symbol, Timestamp};

use crate::counts::{Counts, Skip};
use crate::csv::header::Header;
use crate::csv::layout::{Kind, Prices, Role};
use crate::csv::records::Records;
use crate::decimal::{self, Fixed};
use crate::error::Bad;
use crate::limits::{self, check_bar};
use crate::names::Names;
use crate::row::{Body, InputBar, Row};
use crate::spans;
use crate::times::{Time, Times};
use tickcast_core::domain::Size;

/// Third of November 2025, 00:00 in New York: before it, vendors gave the sizes of quotes in lots of 100 shares.
const SHARES_SINCE: Timestamp = Timestamp::from_micros(1_762_146_000_000_000);
/// The volume of each bar of a file without volumes: one share for each of the four prices.
const NO_VOLUME: Size = Size::from_micros(4 * Size::MICROS_PER_SHARE);

/// Makes the rows of one file.
pub(super) struct Rows {
    pub(super) header: Header,
    pub(super) times: Times,
    pub(super) names: Names,
    /// The symbol of every row, if the file has no column for it.
    pub(super) symbol: Option<Symbol>,
    /// Length of the bars, if it is not in a column.
    pub(super) span: Option<i64>,
    pub(super) counts: Counts,
    /// Whether prices are whole numbers of 1e-9, once the first price has shown it.
    is_nanos: Option<bool>,
    /// Date and time of day, joined.
    joined: Vec<u8>,
}

/// The rows of a line.
#[derive(Debug)]
pub(super) enum Made {
    One(Row),
    /// A quote, and the trade that met it.
    Two(Row, Row),
    None(Skip),
}

impl Rows {
    pub(super) fn new(header: Header, times: Times, names: Names, symbol: Option<Symbol>) -> Self {
        let (span, counts) = (None, Counts::default());
        Self { header, times, names, symbol, span, counts, is_nanos: None, joined: Vec::new() }
    }

    /// Makes the rows of a line. Returns also whether its time is the beginning of a day.
    pub(super) fn make(&mut self, line: &Records) -> Result<(Made, bool), Bad> {
        let width = self.header.names.len();
        if line.len() != width {
            return Err(Bad::columns(line.len(), width, self.header.layout.name));
        }
        let Some(symbol) = self.symbol_of(line)? else { return Ok((Made::None(Skip::NotAsked), false)) };
        let Time { ts, is_rounded, is_midnight } = self.time_of(line)?;
        let made = match self.header.layout.kind {
            Kind::Trades | Kind::Lobster => self.trade(line)?,
            Kind::Quotes => self.quote(line, ts)?,
            Kind::Bars => self.bar(line)?,
            Kind::QuotesAndTrades => {
                let quote = self.quote(line, ts)?;
                let is_trade = self.text(line, Role::Action) == b"T";
                let made = both(quote, if is_trade { Some(self.trade(line)?) } else { None }, ts, symbol);
                return Ok((self.counted(made, is_rounded), false));
            }
            Kind::Named => self.named(line, ts)?,
        };
        let made = match made {
            Ok(body) => Made::One(Row { ts, symbol, body }),
            Err(skip) => Made::None(skip),
        };
        Ok((self.counted(made, is_rounded), is_midnight))
    }

    fn counted(&mut self, made: Made, is_rounded: bool) -> Made {
        self.counts.rounded_times += u64::from(is_rounded && !matches!(made, Made::None(_)));
        made
    }

    fn symbol_of(&mut self, line: &Records) -> Result<Option<Symbol>, Bad> {
        match (self.header.place(Role::Symbol), self.symbol) {
            (Some(place), _) => {
                self.names.resolve(line.cell(place)).map_err(|bad| bad.at(self.header.name(Role::Symbol)))
            }
            (None, symbol) => Ok(symbol),
        }
    }

    fn time_of(&mut self, line: &Records) -> Result<Time, Bad> {
        let (role, text) = match (self.header.place(Role::Date), self.header.place(Role::Clock)) {
            (Some(date), Some(clock)) => {
                self.joined.clear();
                self.joined.extend_from_slice(line.cell(date).trim_ascii());
                self.joined.push(b' ');
                self.joined.extend_from_slice(line.cell(clock).trim_ascii());
                (Role::Clock, self.joined.as_slice())
            }
            (None, Some(clock)) => (Role::Clock, line.cell(clock)),
            _ => (Role::Time, self.text(line, Role::Time)),
        };
        self.times.read(text).map_err(|bad| bad.at(self.header.name(role)))
    }

    #[inline]
    fn text<'a>(&self, line: &'a Records, role: Role) -> &'a [u8] {
        self.header.place(role).map_or(&[][..], |place| line.cell(place)).trim_ascii()
    }

    fn trade(&mut self, line: &Records) -> Result<Result<Body, Skip>, Bad> {
        if !matches!(self.text(line, Role::Correction), b"" | b"0") {
            return Ok(Err(Skip::Correction));
        }
        let action = self.text(line, Role::Action);
        let is_trade = match self.header.layout.kind {
            Kind::Lobster => matches!(action, b"4" | b"5"),
            _ => self.header.place(Role::Action).is_none() || action == b"T",
        };
        if !is_trade {
            return Ok(Err(Skip::Other));
        }
        let (price, size) = (self.price(line, Role::Price)?, self.size(line, Role::Size)?);
        Ok(if size == Size::default() { Err(Skip::NoVolume) } else { Ok(Body::Trade { price, size, seq: 0 }) })
    }

    fn quote(&mut self, line: &Records, ts: Timestamp) -> Result<Result<Body, Skip>, Bad> {
        let (bid, ask) = (self.side(line, Role::Bid)?, self.side(line, Role::Ask)?);
        let (Some(bid), Some(ask)) = (bid, ask) else { return Ok(Err(Skip::OneSided)) };
        let lot = if self.header.layout.has_lots && ts < SHARES_SINCE { 100 } else { 1 };
        let (bid_size, ask_size) = (self.lots(line, Role::BidSize, lot)?, self.lots(line, Role::AskSize, lot)?);
        Ok(Ok(Body::Quote { bid, bid_size, ask, ask_size }))
    }

    fn bar(&mut self, line: &Records) -> Result<Result<Body, Skip>, Bad> {
        // An empty row is of a day without trading, or of another ticker's.
        let is_blank = |role: &Role| matches!(self.text(line, *role), b"" | b"nan" | b"NaN");
        if [Role::Open, Role::High, Role::Low, Role::Close].iter().all(is_blank) {
            return Ok(Err(Skip::NoVolume));
        }
        let volume = match self.header.place(Role::Volume) {
            Some(_) => self.size(line, Role::Volume)?,
            None => NO_VOLUME,
        };
        if volume == Size::default() {
            return Ok(Err(Skip::NoVolume));
        }
        let bar = InputBar {
            span_micros: self.span_of(line)?,
            open: self.price(line, Role::Open)?,
            high: self.price(line, Role::High)?,
            low: self.price(line, Role::Low)?,
            close: self.price(line, Role::Close)?,
            volume,
            trades: match decimal::parse(self.text(line, Role::Trades), 0) {
                Some(Fixed { value, .. }) => u64::try_from(value).ok().filter(|trades| *trades > 0),
                None => None,
            },
            vwap: match self.text(line, Role::Vwap) {
                b"" | b"nan" | b"NaN" => None,
                _ => Some(self.price(line, Role::Vwap)?),
            },
        };
        check_bar(&bar)?;
        Ok(Ok(Body::Bar(Box::new(bar))))
    }

    fn span_of(&self, line: &Records) -> Result<i64, Bad> {
        let bad = |role, expected| Bad::cell(self.text(line, role), expected).at(self.header.name(role));
        if self.header.place(Role::RecordType).is_some() {
            let span = std::str::from_utf8(self.text(line, Role::RecordType)).ok().and_then(|text| text.parse().ok());
            return span
                .and_then(limits::span_of_rtype)
                .ok_or_else(|| bad(Role::RecordType, "the type of a bar, from 32 to 36"));
        }
        if self.header.place(Role::Interval).is_some() || self.header.layout.kind == Kind::Named && self.span.is_none()
        {
            let span = std::str::from_utf8(self.text(line, Role::Interval)).ok().and_then(spans::parse);
            return span.ok_or_else(|| bad(Role::Interval, "a length such as 1m, from 1s to 1d"));
        }
        // The reader fills it in when the first lines have shown it.
        Ok(self.span.unwrap_or(0))
    }

    fn named(&mut self, line: &Records, ts: Timestamp) -> Result<Result<Body, Skip>, Bad> {
        let kind = self.text(line, Role::Kind);
        let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
        if is(b"trade") {
            self.trade(line)
        } else if is(b"quote") {
            self.quote(line, ts)
        } else if is(b"bar") {
            self.bar(line)
        } else {
            Err(Bad::cell(kind, "trade, quote or bar").at(self.header.name(Role::Kind)))
        }
    }

    /// Returns a price above 0.
    fn price(&mut self, line: &Records, role: Role) -> Result<Price, Bad> {
        let text = self.text(line, role);
        let fixed = self.units(text).map_err(|bad| bad.at(self.header.name(role)))?;
        self.counts.rounded_prices += u64::from(fixed.is_rounded);
        limits::price(fixed.value, text).map_err(|bad| bad.at(self.header.name(role)))
    }

    /// Returns the price of a side of a quote, or `None` if it has none.
    fn side(&mut self, line: &Records, role: Role) -> Result<Option<Price>, Bad> {
        let text = self.text(line, role);
        if matches!(text, b"" | b"nan" | b"NaN" | b"9223372036854775807") {
            return Ok(None);
        }
        let fixed = self.units(text).map_err(|bad| bad.at(self.header.name(role)))?;
        if fixed.value == 0 && !fixed.is_rounded {
            return Ok(None);
        }
        self.price(line, role).map(Some)
    }

    /// Returns a price in units of 1e-4.
    fn units(&mut self, text: &[u8]) -> Result<Fixed, Bad> {
        let read = |decimals| decimal::parse(text, decimals).ok_or_else(|| Bad::cell(text, limits::A_PRICE));
        match self.header.layout.prices {
            Prices::Decimal => read(4),
            Prices::Units => read(0),
            Prices::DecimalOrNanos => {
                let is_nanos = !text.contains(&b'.');
                if *self.is_nanos.get_or_insert(is_nanos) != is_nanos {
                    let expected = if is_nanos {
                        "a price with decimals, like the first one of the file"
                    } else {
                        "a price in whole 1e-9, like the first one of the file"
                    };
                    return Err(Bad::cell(text, expected));
                }
                read(if is_nanos { -5 } else { 4 })
            }
        }
    }

    /// Returns a size that is given in lots of so many shares.
    fn lots(&mut self, line: &Records, role: Role, lot: u64) -> Result<Size, Bad> {
        let size = self.size(line, role)?;
        let micros = size.micros().checked_mul(lot).filter(|micros| i64::try_from(*micros).is_ok());
        let bad = || Bad::cell(self.text(line, role), limits::A_SIZE).at(self.header.name(role));
        micros.map(Size::from_micros).ok_or_else(bad)
    }

    fn size(&mut self, line: &Records, role: Role) -> Result<Size, Bad> {
        let text = self.text(line, role);
        let bad = || Bad::cell(text, limits::A_SIZE).at(self.header.name(role));
        let fixed = decimal::parse(text, 6).ok_or_else(bad)?;
        let micros = u64::try_from(fixed.value).map_err(|_| bad())?;
        self.counts.rounded_sizes += u64::from(fixed.is_rounded);
        Ok(Size::from_micros(micros))
    }
}

/// Returns a quote and the trade of the same record.
fn both(quote: Result<Body, Skip>, trade: Option<Result<Body, Skip>>, ts: Timestamp, symbol: Symbol) -> Made {
    let row = |body| Row { ts, symbol, body };
    match (quote, trade) {
        (Ok(quote), Some(Ok(trade))) => Made::Two(row(quote), row(trade)),
        (Ok(quote), _) => Made::One(row(quote)),
        (Err(_), Some(Ok(trade))) => Made::One(row(trade)),
        (Err(skip), _) => Made::None(skip),
    }
}
