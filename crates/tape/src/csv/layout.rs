//! The layouts of CSV files that vendors and libraries write: one table. docs/TAPE.md explains it to users.

use crate::times::Unit;

/// The meaning of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Symbol,
    Time,
    /// A date whose time of day is in the column [`Self::Clock`].
    Date,
    Clock,
    Price,
    Size,
    Bid,
    BidSize,
    Ask,
    AskSize,
    Open,
    High,
    Low,
    Close,
    Volume,
    Trades,
    Vwap,
    /// Massive: other than 0 if the row is about an earlier trade.
    Correction,
    /// Databento: `T` for a trade. LOBSTER: 4 or 5 for a trade.
    Action,
    /// Databento: the kind of a record, and the length of a bar.
    RecordType,
    /// tickcast: `trade`, `quote` or `bar`.
    Kind,
    /// tickcast: the length of a bar, such as `1m`.
    Interval,
}

impl Role {
    pub(super) const COUNT: usize = 22;
}

/// The rows of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Trades,
    Quotes,
    Bars,
    /// A quote in each row, and a trade after it where the action is `T`.
    QuotesAndTrades,
    /// Each row says what it is.
    Named,
    /// Orders, of which some are trades; quotes are in a second file.
    Lobster,
}

/// How prices are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prices {
    Decimal,
    /// Decimal, or whole numbers of 1e-9: the first price of the file shows it.
    DecimalOrNanos,
    /// Whole numbers of 1e-4.
    Units,
}

/// A layout: how it is recognised, and what its columns mean.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// Columns without which a file has another layout.
    pub(super) needs: &'static [&'static str],
    pub(super) kind: Kind,
    /// The names of columns by meaning, the preferred name first.
    pub(super) columns: &'static [Column],
    /// The meanings that a file must have, beside a time: see [`Self::fits`].
    pub(super) required: &'static [Role],
    pub(super) unit: Unit,
    pub(super) prices: Prices,
    /// Sizes of quotes were in lots of 100 shares until the third of November 2025.
    pub(super) has_lots: bool,
    /// Files are sorted by symbol, then by time.
    pub(super) is_by_symbol: bool,
}

impl Layout {
    /// Returns whether a file with columns of these meanings, beside a time, has this layout.
    pub(super) fn fits(&self, has: impl Fn(&Role) -> bool) -> bool {
        // With rows of one kind alone, `type` has another meaning.
        let kinds = || KINDS.iter().filter(|roles| roles.iter().all(&has)).count();
        self.required.iter().all(&has) && (self.kind != Kind::Named || kinds() > 1)
    }

    /// Returns the name that the column of this meaning should have.
    pub(super) fn preferred(&self, role: Role) -> &'static str {
        self.columns.iter().find(|(each, _)| *each == role).map_or("?", |(_, names)| names[0])
    }
}

const PLAIN: Layout = Layout {
    name: "",
    needs: &[],
    kind: Kind::Trades,
    columns: &[],
    required: &[],
    unit: Unit::Magnitude,
    prices: Prices::Decimal,
    has_lots: false,
    is_by_symbol: false,
};

const TIMES: &[&str] =
    &["timestamp", "datetime", "date_time", "ts", "open_time", "window_start", "ts_event", "date", "time", "t", ""];
const SYMBOLS: &[&str] = &["symbol", "ticker", "sym", "instrument", "code", "s", "name"];
const BAR: &[Role] = &[Role::Open, Role::High, Role::Low, Role::Close];
const QUOTE: &[Role] = &[Role::Bid, Role::BidSize, Role::Ask, Role::AskSize];
const TRADE: &[Role] = &[Role::Price, Role::Size];
/// The columns by which a kind of rows is recognised in a table of several kinds.
const KINDS: [&[Role]; 3] = [&[Role::Price], &[Role::Bid, Role::Ask], BAR];
type Column = (Role, &'static [&'static str]);
const BID: Column = (Role::Bid, &["bid_price", "bid", "bp", "best_bid"]);
const BID_SIZE: Column = (Role::BidSize, &["bid_size", "bs", "bid_qty", "bid_amount", "bidsize", "bid_volume"]);
const ASK: Column = (Role::Ask, &["ask_price", "ask", "ap", "best_ask"]);
const ASK_SIZE: Column = (Role::AskSize, &["ask_size", "as", "ask_qty", "ask_amount", "asksize", "ask_volume"]);
const OPEN: Column = (Role::Open, &["open", "o", "open_price"]);
const HIGH: Column = (Role::High, &["high", "h", "high_price"]);
const LOW: Column = (Role::Low, &["low", "l", "low_price"]);
const CLOSE: Column = (Role::Close, &["close", "c", "close_price"]);
const VOLUME: Column = (Role::Volume, &["volume", "vol", "v", "tick_volume", "tickvol"]);
const TRADES: Column = (Role::Trades, &["trades", "trade_count", "transactions", "number_of_trades", "count", "n"]);
const VWAP: Column = (Role::Vwap, &["vwap", "vw"]);

/// Every layout. The first one that fits is taken, so that the vague ones come last.
pub(super) const LAYOUTS: &[Layout] = &[
    // https://massive.com/docs/flat-files/stocks/trades
    Layout {
        name: "Massive trades",
        needs: &["ticker", "correction", "sip_timestamp"],
        columns: &[
            (Role::Symbol, &["ticker"]),
            (Role::Time, &["sip_timestamp"]),
            (Role::Price, &["price"]),
            (Role::Size, &["size"]),
            (Role::Correction, &["correction"]),
        ],
        required: TRADE,
        unit: Unit::Nanos,
        is_by_symbol: true,
        ..PLAIN
    },
    // https://massive.com/docs/flat-files/stocks/quotes; shares: https://polygon.io/blog/change-stocks-quotes-round-lots-to-shares
    Layout {
        name: "Massive quotes",
        needs: &["ticker", "bid_price", "ask_price", "sip_timestamp"],
        kind: Kind::Quotes,
        columns: &[
            (Role::Symbol, &["ticker"]),
            (Role::Time, &["sip_timestamp"]),
            (Role::Bid, &["bid_price"]),
            (Role::BidSize, &["bid_size"]),
            (Role::Ask, &["ask_price"]),
            (Role::AskSize, &["ask_size"]),
        ],
        required: QUOTE,
        unit: Unit::Nanos,
        has_lots: true,
        is_by_symbol: true,
        ..PLAIN
    },
    // https://massive.com/docs/flat-files/stocks/minute-aggregates
    Layout {
        name: "Massive bars",
        needs: &["ticker", "window_start", "transactions"],
        kind: Kind::Bars,
        columns: &[
            (Role::Symbol, &["ticker"]),
            (Role::Time, &["window_start"]),
            OPEN,
            HIGH,
            LOW,
            CLOSE,
            VOLUME,
            (Role::Trades, &["transactions"]),
        ],
        required: BAR,
        unit: Unit::Nanos,
        is_by_symbol: true,
        ..PLAIN
    },
    // https://databento.com/docs/schemas-and-data-formats/mbp-1, …/tbbo, …/bbo
    Layout {
        name: "Databento quotes",
        needs: &["instrument_id", "bid_px_00", "ask_px_00"],
        kind: Kind::QuotesAndTrades,
        columns: &[
            (Role::Symbol, &["symbol", "instrument_id"]),
            (Role::Time, &["ts_recv", "ts_event"]),
            (Role::Action, &["action"]),
            (Role::Price, &["price"]),
            (Role::Size, &["size"]),
            (Role::Bid, &["bid_px_00"]),
            (Role::BidSize, &["bid_sz_00"]),
            (Role::Ask, &["ask_px_00"]),
            (Role::AskSize, &["ask_sz_00"]),
        ],
        required: QUOTE,
        unit: Unit::Nanos,
        prices: Prices::DecimalOrNanos,
        ..PLAIN
    },
    // https://databento.com/docs/schemas-and-data-formats/trades
    Layout {
        name: "Databento trades",
        needs: &["instrument_id", "action", "price", "size"],
        columns: &[
            (Role::Symbol, &["symbol", "instrument_id"]),
            (Role::Time, &["ts_recv", "ts_event"]),
            (Role::Action, &["action"]),
            (Role::Price, &["price"]),
            (Role::Size, &["size"]),
        ],
        required: TRADE,
        unit: Unit::Nanos,
        prices: Prices::DecimalOrNanos,
        ..PLAIN
    },
    // https://databento.com/docs/schemas-and-data-formats/ohlcv
    Layout {
        name: "Databento bars",
        needs: &["instrument_id", "rtype", "open", "high", "low", "close"],
        kind: Kind::Bars,
        columns: &[
            (Role::Symbol, &["symbol", "instrument_id"]),
            (Role::Time, &["ts_event"]),
            (Role::RecordType, &["rtype"]),
            OPEN,
            HIGH,
            LOW,
            CLOSE,
            VOLUME,
        ],
        required: BAR,
        unit: Unit::Nanos,
        prices: Prices::DecimalOrNanos,
        ..PLAIN
    },
    // https://docs.tardis.dev/downloadable-csv-files#trades
    Layout {
        name: "Tardis trades",
        needs: &["exchange", "symbol", "local_timestamp", "price", "amount"],
        columns: &[
            (Role::Symbol, &["symbol"]),
            (Role::Time, &["timestamp"]),
            (Role::Price, &["price"]),
            (Role::Size, &["amount"]),
        ],
        required: TRADE,
        unit: Unit::Micros,
        ..PLAIN
    },
    // https://docs.tardis.dev/downloadable-csv-files#quotes
    Layout {
        name: "Tardis quotes",
        needs: &["exchange", "symbol", "local_timestamp", "bid_price", "ask_price"],
        kind: Kind::Quotes,
        columns: &[
            (Role::Symbol, &["symbol"]),
            (Role::Time, &["timestamp"]),
            (Role::Bid, &["bid_price"]),
            (Role::BidSize, &["bid_amount"]),
            (Role::Ask, &["ask_price"]),
            (Role::AskSize, &["ask_amount"]),
        ],
        required: QUOTE,
        unit: Unit::Micros,
        ..PLAIN
    },
    // https://github.com/binance/binance-public-data; a file without header is given these columns.
    Layout {
        name: "Binance trades",
        needs: &["price", "qty", "time"],
        columns: &[(Role::Time, &["time"]), (Role::Price, &["price"]), (Role::Size, &["qty"])],
        required: TRADE,
        ..PLAIN
    },
    // The same, of futures: https://github.com/binance/binance-public-data
    Layout {
        name: "Binance aggregate trades",
        needs: &["agg_trade_id", "price", "quantity", "transact_time"],
        columns: &[(Role::Time, &["transact_time"]), (Role::Price, &["price"]), (Role::Size, &["quantity"])],
        required: TRADE,
        ..PLAIN
    },
    // https://lobsterdata.com/info/DataStructure.php
    Layout {
        name: "LOBSTER",
        needs: &["lobster_time"],
        kind: Kind::Lobster,
        columns: &[
            (Role::Clock, &["lobster_time"]),
            (Role::Action, &["type"]),
            (Role::Size, &["size"]),
            (Role::Price, &["price"]),
        ],
        required: TRADE,
        prices: Prices::Units,
        ..PLAIN
    },
    // What this crate writes, and any other table of rows of several kinds.
    Layout {
        name: "tickcast",
        needs: &["type"],
        kind: Kind::Named,
        columns: &[
            (Role::Kind, &["type"]),
            (Role::Symbol, SYMBOLS),
            (Role::Time, TIMES),
            (Role::Price, &["price"]),
            (Role::Size, &["size"]),
            BID,
            BID_SIZE,
            ASK,
            ASK_SIZE,
            (Role::Interval, &["interval"]),
            OPEN,
            HIGH,
            LOW,
            CLOSE,
            VOLUME,
            TRADES,
            VWAP,
        ],
        required: &[Role::Kind],
        ..PLAIN
    },
    // Alpaca's `df.to_csv()` of quotes, and any other table of quotes.
    Layout {
        name: "quotes",
        kind: Kind::Quotes,
        columns: &[(Role::Symbol, SYMBOLS), (Role::Time, TIMES), BID, BID_SIZE, ASK, ASK_SIZE],
        required: QUOTE,
        ..PLAIN
    },
    // Alpaca's bars, klines of Binance, yfinance, Kaggle, FirstRate, MetaTrader, and any other table of bars.
    Layout {
        name: "bars",
        kind: Kind::Bars,
        columns: &[
            (Role::Symbol, SYMBOLS),
            (Role::Time, TIMES),
            (Role::Date, &["date"]),
            (Role::Clock, &["time"]),
            OPEN,
            HIGH,
            LOW,
            CLOSE,
            VOLUME,
            TRADES,
            VWAP,
        ],
        required: BAR,
        ..PLAIN
    },
    // Alpaca's trades, and any other table of trades.
    Layout {
        name: "trades",
        columns: &[
            (Role::Symbol, SYMBOLS),
            (Role::Time, TIMES),
            (Role::Date, &["date"]),
            (Role::Clock, &["time"]),
            (Role::Price, &["price", "p", "last", "px"]),
            (Role::Size, &["size", "qty", "quantity", "amount", "volume", "vol", "v"]),
        ],
        required: TRADE,
        ..PLAIN
    },
];
